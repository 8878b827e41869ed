import itertools
from typing import Any

import numpy as np
import pytest
import torch
from torchvision.transforms import v2

from freqgan.data import Augment, ImageDataset, Scenes, TrainingStream, training_loader
from freqgan.data.domains import TwoDomains
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


class Alone(ImageDataset):
    def prepare(self) -> None:
        pass

    def content(self) -> str:
        return "nothing"

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"image": picture(index)}


class Numbered(ImageDataset, TwoDomains):
    """Pictures whose pixels say which they are; B may have another number of them, in another order."""

    paired = False

    @property
    def lengths(self) -> tuple[int, int]:
        return self.a, len(self.b)

    def __init__(self, a: int, b: list[int]) -> None:
        super().__init__(image_size=4)
        self.a, self.b = a, b

    def prepare(self) -> None:
        pass

    def content(self) -> str:
        return "numbers"

    def __len__(self) -> int:
        return self.a

    def __getitem__(self, index: int) -> dict[str, Any]:
        raise UserError("there are no pairs")

    def domain_a(self, index: int) -> dict[str, Any]:
        return {"image": picture(index), "name": f"a {index}"}

    def domain_b(self, index: int) -> dict[str, Any]:
        return {"image_b": picture(self.b[index]), "name_b": f"b {index}"}


def picture(number: int) -> torch.Tensor:
    return torch.arange(16, dtype=torch.uint8).view(1, 4, 4).expand(3, 4, 4) + 16 * (number % 15)


def drawn(dataset: ImageDataset, count: int = 40, **settings: Any) -> list[dict[str, Any]]:
    unpaired = TrainingStream(dataset, seed=3, augment=Augment(horizontal_flip=True), draws="unpaired", **settings)
    return [unpaired[k] for k in range(count)]


def test_an_unpaired_draw_takes_a_picture_of_each_domain_by_a_permutation_of_its_own():
    samples = drawn(Numbered(7, [*range(11)]))
    for k, sample in enumerate(samples):
        assert sample["index"] == permutation(3, "order", k // 7, 7)[k % 7]
        assert sample["index_b"] == permutation(3, "domain b", k // 11, 11)[k % 11]
        assert (sample["name"], sample["name_b"]) == (f"a {sample['index']}", f"b {sample['index_b']}")


def test_shuffling_domain_b_changes_no_picture_of_a():
    first, other = drawn(Numbered(7, [*range(11)])), drawn(Numbered(7, [3, 8, 1, 0, 2]))
    assert all(torch.equal(a["image"], b["image"]) for a, b in zip(first, other, strict=True))
    assert not all(torch.equal(a["image_b"], b["image_b"]) for a, b in zip(first, other, strict=True))


def test_the_pictures_of_a_draw_are_changed_each_by_itself():
    samples = drawn(Numbered(7, [*range(7)]), 200)
    turned = [[bool(s[name][0, 0, 0] > s[name][0, 0, 3]) for name in ("image", "image_b")] for s in samples]
    assert 60 < sum(a != b for a, b in turned) < 140


def test_unpaired_draws_go_on_with_any_workers():
    dataset = Numbered(7, [*range(11)])
    unpaired = TrainingStream(dataset, seed=3, draws="unpaired")
    assert same(batches(unpaired, 5, num_workers=2), batches(unpaired, 5))
    assert same(batches(unpaired, 3, images_seen=20), batches(unpaired, 5)[2:])


def test_pairs_are_drawn_together():
    dataset = Scenes(image_size=8, length=N, domain="pair")
    dataset.prepare()
    paired = TrainingStream(dataset, seed=3, draws="paired")
    plain = TrainingStream(dataset, seed=3)
    assert same([paired[k] for k in range(30)], [plain[k] for k in range(30)])
    for k in range(5):
        index = paired[k]["index"]
        assert torch.equal(paired[k]["image"], dataset.domain_a(index)["image"])
        assert torch.equal(paired[k]["image_b"], dataset.domain_b(index)["image_b"])


def test_several_crops_of_an_image_read_each_domain_once():
    dataset, read = Numbered(3, [*range(5)]), []
    for name in ("domain_a", "domain_b"):
        original = getattr(dataset, name)
        setattr(dataset, name, lambda index, n=name, f=original: (read.append(n), f(index))[1])
    samples = drawn(dataset, 12, repeats=4)
    assert (read.count("domain_a"), read.count("domain_b")) == (3, 3)
    assert [len({s["index"] for s in samples[i : i + 4]}) for i in (0, 4, 8)] == [1, 1, 1]


@pytest.mark.parametrize(
    ("draws", "dataset", "match"),
    [
        (
            "paired",
            Numbered(3, [1, 2]),
            "Numbered has no pairs, and the model learns from pairs: choose a set of pairs, as ",
        ),
        ("unpaired", Alone(image_size=4), "Alone has one domain, and the model translates: choose a set of two, as"),
        ("single file", Numbered(3, [1]), "data.draws=single file must be one of single, paired, unpaired"),
    ],
)
def test_draws_that_the_data_do_not_have_are_refused(draws, dataset, match):
    with pytest.raises(UserError, match=match):
        TrainingStream(dataset, seed=3, draws=draws)
