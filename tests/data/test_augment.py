import pytest
import torch
from torchvision.transforms import v2

from freqgan.data import Augment
from freqgan.errors import UserError


def sample():
    image = torch.arange(3 * 8 * 8, dtype=torch.uint8).reshape(3, 8, 8)
    return {
        "image": image,
        "image_b": image.flip(0),
        "label_map": image[0].clone(),
        "instance_map": image[0].int() * 1000,
        "caption": ["a", "b"],
    }


def same(a, b):
    return all(torch.equal(a[key], b[key]) if torch.is_tensor(a[key]) else a[key] == b[key] for key in a)


def test_nothing_is_done_by_default():
    assert same(Augment()(sample(), seed=0, position=3), sample())


def test_flip_mirrors_half_of_the_positions_and_all_rasters_together():
    augment, original = Augment(horizontal_flip=True), sample()
    flipped = 0
    for position in range(400):
        result = augment(sample(), seed=5, position=position)
        if torch.equal(result["image"], original["image"]):
            assert same(result, original)
        else:
            flipped += 1
            for key in ("image", "image_b", "label_map", "instance_map"):
                assert torch.equal(result[key], original[key].flip(-1))
            assert result["caption"] == ["a", "b"]
    assert 160 < flipped < 240


def test_draws_depend_on_seed_and_position_alone():
    augment = Augment(horizontal_flip=True, transforms=[v2.RandomCrop(8, padding=4), v2.ColorJitter(0.5, 0.5)])
    for position in (0, 1, 4095, 4096, 10**9):
        torch.manual_seed(position)
        first = augment(sample(), seed=1, position=position)
        torch.manual_seed(position + 1)
        assert same(augment(sample(), seed=1, position=position), first)
    results = [augment(sample(), seed=seed, position=position) for seed in (1, 2) for position in range(4)]
    assert len({tuple(result["image"].flatten().tolist()) for result in results}) > 5


def test_the_global_generator_is_left_alone():
    augment = Augment(horizontal_flip=True, transforms=[v2.RandomCrop(8, padding=2)])
    before = torch.get_rng_state()
    augment(sample(), seed=0, position=0)
    assert torch.equal(torch.get_rng_state(), before)


def test_geometry_moves_maps_along_and_colour_leaves_them():
    augment = Augment(transforms=[v2.RandomCrop(8, padding=4), v2.ColorJitter(brightness=0.9)])
    moved = 0
    for position in range(10):
        result = augment(sample(), seed=0, position=position)
        assert torch.equal(result["label_map"].int() * 1000, result["instance_map"])
        assert result["label_map"].dtype == torch.uint8
        assert type(result["image"]) is torch.Tensor
        moved += not torch.equal(result["label_map"], sample()["label_map"])
        shown = result["image"].sum(0) > 0
        # Where the crop shows padding, the image is black and the label 0.
        assert not result["label_map"][~shown].any()
    assert moved > 5


def test_transforms_may_not_change_the_size():
    with pytest.raises(UserError, match=r"data\.augment\.transforms"):
        Augment(transforms=[v2.Resize(4)])(sample(), seed=0, position=0)
