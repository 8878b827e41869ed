"""The protocol of images made of captions: distances stage by stage, and what judges say of the last one."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from freqgan.errors import DivergedError, UserError
from freqgan.metrics import CaptionJudge, Drawn, JudgeEncoders, TextToImageProtocol, Verdict, higher_is_better
from freqgan.metrics.eight_bit import to_eight_bit
from freqgan.metrics.feature_distances import FeatureDistances
from tests.forked import on_ranks
from tests.metrics.conftest import Pixels

REAL, DRAWN, SIZE = 12, 10, 8


def noise(count: int, size: int, seed: int) -> Tensor:
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def draw(first: int, count: int) -> Drawn:
    """Samples that hang on their numbers alone."""
    sizes = {"stage1": SIZE // 4, "stage2": SIZE // 2, "stage3": SIZE}
    images = {s: torch.cat([noise(1, size, n) for n in range(first, first + count)]) for s, size in sizes.items()}
    return Drawn([f"{n} said" for n in range(first, first + count)], images)


class Data:
    """Real images with captions; counts how often they are read."""

    def __init__(self) -> None:
        self.read = 0

    def fingerprint(self) -> str:
        return "these"

    def evaluation_images(self, split: str) -> Iterator[Tensor]:
        self.read += 1
        yield from noise(REAL, SIZE, 99).split(5)

    def evaluation_pairs(self, split: str, limit: int | None = None) -> Iterator[dict[str, Any]]:
        for n, image in enumerate(noise(REAL, SIZE, 99)[:limit]):
            yield {"image": image[None], "caption": [[f"{n} said", f"{n} meant"]]}

    def captions(self, split: str) -> list[list[str]]:
        return [[f"{n} said", f"{n} meant"] for n in range(REAL)]

    def classes(self, split: str) -> None:
        return None

    def dataset(self, split: str) -> list[dict[str, Any]]:
        return [{}] * REAL


class Odd(CaptionJudge):
    """Looks for odd numbers."""

    name = "caption_accuracy"

    def __init__(self, *, can: bool = True) -> None:
        self.can = can

    def prepare(self, data: Any, *, cache_dir: Path) -> bool:
        return self.can

    def identity(self) -> str:
        return "odd"

    def verdicts(self, images: Tensor, captions: Sequence[str], numbers: Sequence[int]) -> list[Verdict]:
        assert images.shape[-1] == SIZE
        assert torch.equal(images, to_eight_bit(images))
        return [{"caption_accuracy": [float(int(caption.split()[0]) % 2)]} for caption in captions]


def encoders(identity: str = "0123456789") -> JudgeEncoders:
    def vectors(captions: Sequence[str]) -> Tensor:
        return torch.stack([noise(1, 1, int(caption.split()[0])).flatten() for caption in captions])

    return JudgeEncoders(lambda images: images.mean((2, 3)), vectors, identity, "runs/judge")


def protocol(**settings: Any) -> TextToImageProtocol:
    return TextToImageProtocol(Pixels(3 * SIZE**2), **{"num_images": DRAWN, "batch_size": 4, "negatives": 5} | settings)


def evaluate(folder: Path, built: TextToImageProtocol | None = None, **parts: Any) -> dict[str, float]:
    given = {"draw": draw, "data": Data()} | parts
    data = given.pop("data")
    built = built or protocol(judge=encoders(), scenes=Odd())
    return built.evaluate(given["draw"], data, split="val", cache_dir=folder, encoders=given.get("encoders", "other"))


def test_distances_of_each_stage_are_those_of_its_own_size(tmp_path: Path) -> None:
    values = evaluate(tmp_path)
    assert [*values][:6] == [f"{kind}_stage{n}_pixels_n10" for n in (3, 2, 1) for kind in ("fd", "kid")]
    for stage, images in draw(0, DRAWN).stages.items():
        alone = FeatureDistances(Pixels(0), k=1)
        real = F.avg_pool2d(noise(REAL, SIZE, 99), SIZE // images.shape[-1])
        alone.update(to_eight_bit(real), real=True)
        alone.update(to_eight_bit(images), real=False)
        assert values[f"fd_{stage}_pixels_n10"] == pytest.approx(float(alone.compute()["fd"]), rel=1e-6)
        assert values[f"kid_{stage}_pixels_n10"] == pytest.approx(float(alone.compute()["kid"]), rel=1e-6)


def test_judges_are_asked_about_samples_and_beside_them_about_real_images(tmp_path: Path) -> None:
    values = evaluate(tmp_path)
    r_precision = "r_precision_1of6_012345"
    names = [f"{name}{of}_n10" for name in (r_precision, "caption_accuracy") for of in ("", "_real", "_mismatched")]
    assert [*values][6:] == names
    assert values["caption_accuracy_n10"] == values["caption_accuracy_real_n10"] == 0.5
    assert all(higher_is_better(name) for name in names)
    assert not any(higher_is_better(name) for name in [*values][:6])


def test_batches_and_processes_change_nothing(tmp_path: Path) -> None:
    values = evaluate(tmp_path / "a")
    assert evaluate(tmp_path / "b", protocol(judge=encoders(), scenes=Odd(), batch_size=7)) == values
    parallel = on_ranks(2, tmp_path, lambda: evaluate(tmp_path / "c"))
    assert parallel[0] == parallel[1]
    assert [*parallel[0]] == [*values]
    assert parallel[0] == pytest.approx(values, rel=1e-6)


def test_real_images_are_read_once(tmp_path: Path) -> None:
    data = Data()
    values = evaluate(tmp_path, data=data)
    built = protocol(judge=encoders(), scenes=Odd())
    assert evaluate(tmp_path, built, data=data) == values
    assert data.read == 1
    assert evaluate(tmp_path, protocol(judge=encoders("abcdef"), scenes=Odd()), data=data).keys() != values.keys()


def test_judges_who_cannot_or_are_not_there_are_left_out(tmp_path: Path) -> None:
    values = evaluate(tmp_path, protocol(scenes=Odd(can=False)))
    assert [*values] == [f"{kind}_stage{n}_pixels_n10" for n in (3, 2, 1) for kind in ("fd", "kid")]


def test_the_pair_in_the_loss_does_not_judge(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"metrics\.judge_run=runs/judge trained the encoders of the loss"):
        evaluate(tmp_path, encoders="0123456789")


def test_names_and_the_small_one(tmp_path: Path) -> None:
    built = protocol(num_real=6, judge=encoders())
    assert built.name == "text_to_image_pixels_n10_real6"
    assert built.small().name == "text_to_image_pixels_n20_real20"
    assert built.name == "text_to_image_pixels_n10_real6"
    values = evaluate(tmp_path, built)
    assert next(iter(values)) == "fd_stage3_pixels_n10_real6"
    assert [*values][6] == "r_precision_1of6_012345_n10"
    assert protocol(clip="some/clip").judges[-1].name == "clip_score_clip"


def test_mistakes(tmp_path: Path) -> None:
    large = SimpleNamespace(fingerprint=lambda: "x", evaluation_images=lambda split: [torch.zeros(2, 3, 16, 16)])
    with pytest.raises(UserError, match=r"real images are 3×16×16 .*, generated ones 3×8×8"):
        evaluate(tmp_path, protocol(), data=large)

    def broken(first: int, count: int) -> Drawn:
        drawn = draw(first, count)
        return Drawn(drawn.captions, drawn.stages | {"stage2": drawn.stages["stage2"] * torch.nan})

    with pytest.raises(DivergedError, match="images of stage2 for the samples from 0 on are not finite"):
        evaluate(tmp_path, draw=broken)
