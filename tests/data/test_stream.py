import itertools

import numpy as np
import pytest
import torch
from torchvision.transforms import v2

from freqgan.data import Augment, Scenes, TrainingStream, training_loader
from freqgan.data.stream import EndlessBatches, collate
from freqgan.errors import UserError
from freqgan.ops.keyed_random import permutation

N = 23


@pytest.fixture(scope="module")
def stream():
    dataset = Scenes(image_size=8, length=N)
    dataset.prepare()
    augment = Augment(horizontal_flip=True, transforms=[v2.RandomCrop(8, padding=2)])
    return TrainingStream(dataset, seed=3, augment=augment)


def batches(stream, count, *, images_seen=0, batch_size=10, num_workers=0, **part):
    sampler = EndlessBatches(images_seen=images_seen, batch_size=batch_size, **part)
    loader = training_loader(stream, sampler, num_workers=num_workers)
    return list(itertools.islice(loader, count))


def same(a, b):
    return len(a) == len(b) and all(
        torch.equal(x[key], y[key]) if torch.is_tensor(x[key]) else x[key] == y[key]
        for x, y in zip(a, b, strict=True)
        for key in x.keys() | y.keys()
    )


def test_sample_k_is_the_kth_of_the_permutations(stream):
    for k in (0, 1, N - 1, N, 5 * N + 7):
        assert stream[k]["index"] == permutation(3, "order", k // N, N)[k % N]
        assert stream[k]["position"] == k


def test_every_pass_covers_every_image_once_in_a_new_order(stream):
    passes = [[stream[epoch * N + place]["index"] for place in range(N)] for epoch in range(3)]
    assert all(sorted(order) == list(range(N)) for order in passes)
    assert len({tuple(order) for order in passes}) == 3


def test_the_same_image_is_augmented_differently_in_each_pass(stream):
    shown = {tuple(stream[k]["image"].flatten().tolist()) for k in range(6 * N) if stream[k]["index"] == 4}
    assert len(shown) >= 4


@pytest.mark.parametrize("num_workers", [1, 2])
def test_workers_change_nothing(stream, num_workers):
    assert same(batches(stream, 7, num_workers=num_workers), batches(stream, 7))


def test_persistent_workers_start_again_at_the_same_place(stream):
    loader = training_loader(stream, EndlessBatches(images_seen=40, batch_size=10), num_workers=2)
    assert loader.persistent_workers
    first, second = (list(itertools.islice(loader, 3)) for _ in range(2))
    assert same(first, second)
    assert same(first, batches(stream, 3, images_seen=40))


@pytest.mark.parametrize("cut", [1, 2, 5])
@pytest.mark.parametrize("num_workers", [0, 2])
def test_a_resume_goes_on_where_the_run_was(stream, cut, num_workers):
    whole = batches(stream, 7)
    rest = batches(stream, 7 - cut, images_seen=cut * 10, num_workers=num_workers)
    assert same(rest, whole[cut:])


def test_a_resume_with_another_batch_size_takes_up_at_the_same_image(stream):
    positions = torch.cat([batch["position"] for batch in batches(stream, 4, images_seen=30, batch_size=6)])
    assert positions.tolist() == list(range(30, 54))


@pytest.mark.parametrize("world_size", [2, 5])
def test_ranks_share_the_batches_of_one_process(stream, world_size):
    whole = batches(stream, 4, images_seen=20)
    parts = [batches(stream, 4, images_seen=20, rank=rank, world_size=world_size) for rank in range(world_size)]
    joined = [
        {
            key: torch.cat([part[key] for part in step])
            if torch.is_tensor(step[0][key])
            else list(itertools.chain.from_iterable(part[key] for part in step))
            for key in step[0]
        }
        for step in zip(*parts, strict=True)
    ]
    assert same(joined, whole)


def test_the_loader_has_no_length_and_draws_nothing_from_the_global_generators(stream):
    before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    batches(stream, 2)
    batches(stream, 2, num_workers=1)
    assert torch.equal(torch.get_rng_state(), before)
    assert np.array_equal(np.random.get_state()[1], numpy_before)  # noqa: NPY002
    loader = training_loader(stream, EndlessBatches(images_seen=0, batch_size=2))
    with pytest.raises(TypeError):
        len(loader)


def test_the_batch_must_be_divisible():
    with pytest.raises(UserError, match=r"data\.batch_size=10 .* 3 processes.*set data\.batch_size=9 or 12"):
        EndlessBatches(images_seen=0, batch_size=10, world_size=3)
    with pytest.raises(UserError, match=r"set data\.batch_size=4"):
        EndlessBatches(images_seen=0, batch_size=2, world_size=4)


def test_collate():
    samples = [{"image": torch.full((1, 2, 2), i), "position": i, "caption": [str(i)], "domain": "a"} for i in range(3)]
    batch = collate(samples)
    assert batch["image"].shape == (3, 1, 2, 2)
    assert batch["position"].tolist() == [0, 1, 2]
    assert batch["position"].dtype == torch.int64
    assert batch["caption"] == [["0"], ["1"], ["2"]]
    assert batch["domain"] == ["a", "a", "a"]
