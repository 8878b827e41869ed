from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from freqgan.errors import UserError
from freqgan.ops.keyed_random import torch_generator
from freqgan.systems.rules import Rows
from freqgan.systems.target_vectors import TargetVectors
from tests.systems.small import batch, ready, system

N, D = 4, 8


def vectors(noise: Literal["orthogonal", "independent"] = "orthogonal") -> TargetVectors:
    return TargetVectors(N, D, noise=noise)


def written(folder: Path, value: Any) -> str:
    np.save(folder / "target.npy", value)
    return str(folder / "target.npy")


def gram(frames: Tensor) -> Tensor:
    rows = torch.nn.functional.normalize(frames, dim=-1)
    return rows @ rows.transpose(1, 2)


@pytest.mark.parametrize("noise", ["orthogonal", "independent"])
def test_noise_is_what_it_is_called_and_each_vector_normal(noise: Any) -> None:
    frames = vectors(noise).draw(torch_generator(0, "audit"), 5000)
    off = (gram(frames) - torch.eye(N)).abs().amax((1, 2))
    assert bool((off < 1e-5).all()) == (noise == "orthogonal")
    assert bool((off > 1e-2).all()) == (noise == "independent")
    for i in range(N):
        assert stats.kstest(frames[:, i, 0].numpy(), "norm").pvalue > 1e-3
        assert stats.normaltest(frames[:, i, -1].numpy()).pvalue > 1e-3
        assert stats.kstest(frames[:, i].square().sum(1).numpy(), stats.chi2(D).cdf).pvalue > 1e-3
    between = [stats.pearsonr(frames[:, 0].norm(dim=1), frames[:, i].norm(dim=1)).pvalue for i in range(1, N)]
    assert min(between) > 1e-3, "lengths are independent"


def test_noise_of_a_step_is_orthogonal_and_the_same_however_the_rows_are_split() -> None:
    built = system()
    whole = ready(built)["noise"]
    assert (gram(whole) - torch.eye(4)).abs().max() < 1e-5
    parts = []
    for rows in (Rows(0, 1, 6), Rows(1, 4, 6), Rows(4, 6, 6)):
        part = {"image": batch()["image"][rows.first : rows.end]}
        parts.append(built.forward_part((part, rows), graph=False)["noise"])
    assert torch.equal(torch.cat(parts), whole)


def test_samples_start_from_a_frame_each_or_share_one_vector() -> None:
    targets = vectors()
    frames = targets.of_samples(3, 5, seed=1)
    assert torch.equal(frames, torch.cat([targets.of_samples(n, 1, seed=1) for n in range(3, 8)]))
    assert (gram(frames) - torch.eye(N)).abs().max() < 1e-5
    targets.aim("shared")
    shared = targets.of_samples(3, 5, seed=1)
    assert torch.equal(shared, frames[:, :1].expand(5, N, D))
    targets.aim("frame")
    assert torch.equal(targets.of_samples(3, 5, seed=1), frames)


@pytest.mark.parametrize("shape", [(D,), (N, D), (1, N, D), (3, N, D)])
def test_a_file_gives_one_vector_one_per_generator_or_those_of_several_samples(
    tmp_path: Path, shape: tuple[int, ...]
) -> None:
    given = np.arange(np.prod(shape), dtype=np.float64).reshape(shape)
    targets = vectors()
    targets.aim(written(tmp_path, given))
    frames = targets.of_samples(2, 4, seed=1)
    each = np.broadcast_to(given, (shape[0] if len(shape) == 3 else 1, N, D))
    assert torch.equal(frames, torch.stack([torch.tensor(each[n % len(each)]).float() for n in range(2, 6)]))


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (np.zeros(D + 1), f"has the shape (9,), wanted ({D},), ({N}, {D}) or (m, {N}, {D})"),
        (np.zeros((D, N)), "has the shape (8, 4)"),
        (np.zeros((0, N, D)), "has the shape (0, 4, 8)"),
        (np.zeros((1, 1, N, D)), "has the shape (1, 1, 4, 8)"),
        (np.zeros(()), "has the shape ()"),
        (np.full(D, np.nan), "holds numbers that are not finite"),
        (np.array(["text"]), "neither frame nor shared nor a .npy file of numbers"),
        (np.array([None], dtype=object), "neither frame nor shared nor a .npy file of numbers"),
    ],
)
def test_a_file_that_does_not_fit_is_refused(tmp_path: Path, value: Any, problem: str) -> None:
    with pytest.raises(UserError) as caught:
        vectors().aim(written(tmp_path, value))
    assert problem in str(caught.value)


@pytest.mark.parametrize("content", [None, b"", b"no numbers", b"PK\x03\x04 no archive"])
def test_what_is_no_file_of_numbers_is_refused(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "target.npy"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(UserError, match=r"neither frame nor shared nor a \.npy file"):
        vectors().aim(str(file))


def test_an_archive_of_arrays_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "target.npz", a=np.zeros(D))
    with pytest.raises(UserError, match=r"neither frame nor shared nor a \.npy file"):
        vectors().aim(str(tmp_path / "target.npz"))


def test_a_system_samples_from_its_target(tmp_path: Path) -> None:
    built = system()
    usual = built.sample(0, 2, seed=0)
    built.aim({"target": "shared"})
    shared = built.sample(0, 2, seed=0)
    assert not torch.equal(shared, usual)
    built.aim({"target": written(tmp_path, built.vectors.of_samples(1, 1, seed=0)[0, 0].numpy())})
    torch.testing.assert_close(built.sample(0, 1, seed=5), shared[1:], atol=1e-6, rtol=0)
    built.aim({})
    assert torch.equal(built.sample(0, 2, seed=0), usual)
    with pytest.raises(UserError, match=r"model\.features\.use=condition"):
        built.aim({"reference": "picture.png"})
