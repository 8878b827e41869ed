from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from freqgan.data import DomainCrops, Sample
from freqgan.data.crops import enlarged, recolored
from freqgan.data.degradations import Bicubic, Chain, Degradation, Edges, GaussianBlur, GaussianNoise, Grey
from freqgan.errors import UserError


def _pixels(height: int, width: int, seed: int = 0) -> Tensor:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    return torch.from_numpy(pixels).permute(2, 0, 1)


def _pair(height: int, width: int) -> Sample:
    """Two pictures, and a map of where each pixel is from."""
    places = torch.arange(height * width, dtype=torch.int32).view(height, width)
    images = {"image": _pixels(height, width), "image_b": _pixels(height, width, 1)}
    return {**images, "instance_map": places, "name": "x"}


def _taken(picture: Tensor, places: Tensor) -> Tensor:
    return picture.flatten(1)[:, places.long().flatten()].view(len(picture), *places.shape)


@pytest.mark.parametrize("size", [16, (12, 20)])
def test_both_domains_are_cut_and_turned_alike(size: Any) -> None:
    stage, pair = DomainCrops(image_size=size, flip=True, rotate=True), _pair(40, 50)
    seen = set()
    for position in range(60):
        crop = stage(pair, seed=0, position=position)
        places = crop["instance_map"]
        assert places.shape == ((16, 16) if size == 16 else size)
        for name in ("image", "image_b"):
            assert torch.equal(crop[name], _taken(pair[name], places))
        step = int(places[0, 1] - places[0, 0]), int(places[1, 0] - places[0, 0])
        seen.add(step)
        assert crop["name"] == "x"
    upright = {(1, 50), (-1, 50), (1, -50), (-1, -50)}
    assert seen == (upright | {(50, 1), (-50, 1), (50, -1), (-50, -1)} if size == 16 else upright)


def test_a_half_is_cut_as_the_pair_would_be() -> None:
    stage, pair = DomainCrops(image_size=16, flip=True, degradation=GaussianNoise(5.0)), _pair(30, 30)
    for position in range(5):
        whole = stage(pair, seed=3, position=position)
        a, b = (stage({name: pair[name]}, seed=3, position=position) for name in ("image", "image_b"))
        assert torch.equal(a["image"], whole["image"])
        assert torch.equal(b["image_b"], whole["image_b"])
        assert a.keys() == {"image"}


def test_crops_are_a_function_of_seed_and_position() -> None:
    stage, pair = DomainCrops(image_size=8, flip=True, degradation=GaussianNoise(9.0)), _pair(30, 30)
    first, again = (stage(pair, seed=0, position=7)["image"] for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.equal(first, stage(pair, seed=1, position=7)["image"])
    assert not torch.equal(first, stage(pair, seed=0, position=8)["image"])


def test_pictures_of_the_size_are_whole_and_smaller_ones_are_mirrored() -> None:
    pair = _pair(8, 8)
    assert torch.equal(DomainCrops(image_size=8)(pair, seed=0, position=0)["image"], pair["image"])
    larger = DomainCrops(image_size=(12, 8))(pair, seed=0, position=0)["image"]
    assert torch.equal(larger, torch.cat([pair["image"], pair["image"].flip(1)[:, :4]], 1))


@pytest.mark.parametrize("degradation", [GaussianBlur(1.4), Edges(1.2), Grey(), Chain([GaussianBlur(1.0), Bicubic(1)])])
def test_a_made_crop_is_the_crop_of_the_made_picture(degradation: Degradation) -> None:
    stage, picture = DomainCrops(image_size=12, degradation=degradation), _pixels(40, 50)
    sample = {"image": picture, "image_b": picture, "instance_map": _pair(40, 50)["instance_map"]}
    whole = stage.evaluated(sample)
    assert torch.equal(whole["image_b"], picture)
    assert not torch.equal(whole["image"], picture)
    for position in range(12):
        crop = stage(sample, seed=0, position=position)
        assert torch.equal(crop["image_b"], _taken(picture, crop["instance_map"]))
        assert torch.equal(crop["image"], _taken(whole["image"], crop["instance_map"]))
    assert torch.equal(sample["image"], picture)  # the one that is given stays


def test_domain_b_can_be_the_made_one() -> None:
    pair = _pair(20, 20)
    stage = DomainCrops(image_size=20, degradation=Grey(), degraded="b")
    for made in (stage(pair, seed=0, position=0), stage.evaluated(pair)):
        assert torch.equal(made["image"], pair["image"])
        assert torch.equal(made["image_b"][0], made["image_b"][1])
    assert stage.evaluated({"image": pair["image"]}).keys() == {"image"}


def test_evaluation_hangs_on_the_name_and_training_on_the_position() -> None:
    stage, pair = DomainCrops(image_size=20, degradation=GaussianNoise(20.0)), _pair(20, 20)
    assert torch.equal(stage.evaluated(pair)["image"], stage.evaluated(dict(pair))["image"])
    assert not torch.equal(stage.evaluated(pair)["image"], stage.evaluated(pair | {"name": "y"})["image"])
    half = DomainCrops(image_size=20, degradation=GaussianNoise(20.0), degraded="b")
    named = [half.evaluated({"image_b": pair["image_b"], "name_b": name})["image_b"] for name in "xxy"]
    assert torch.equal(named[0], named[1])
    assert not torch.equal(named[0], named[2])


def test_deep_pictures_stay_deep() -> None:
    deep = _pixels(9, 9).float() / 255
    made = DomainCrops(image_size=9, degradation=GaussianBlur(1.0)).evaluated({"image": deep, "image_b": deep})
    assert made["image"].dtype == torch.float32


def test_pairing_names_what_is_made() -> None:
    made = [DomainCrops(image_size=8, degradation=degradation) for degradation in (Grey(), GaussianBlur(1.0))]
    names = {stage.pairing() for stage in (*made, DomainCrops(image_size=8, degradation=Grey(), degraded="b"))}
    assert len(names) == 3
    assert DomainCrops(image_size=8).pairing() == ""
    assert DomainCrops(image_size=16, flip=True, degradation=Grey()).pairing() in names


def test_mistakes_are_named() -> None:
    with pytest.raises(UserError, match=r"sides 4 times shorter, wanted both domains of one size: set data\.scale=1"):
        DomainCrops(image_size=8, degradation=Bicubic(4))
    with pytest.raises(UserError, match=r"data\.augment\.degraded=c must be a or b"):
        DomainCrops(image_size=8, degraded="c")


def test_zoomed_crops_are_enlarged_parts() -> None:
    stage, pair = DomainCrops(image_size=(12, 20), zoom=2.0), _pair(12, 20)
    widths = set()
    for position in range(40):
        crop = stage(pair, seed=0, position=position)
        places = crop["instance_map"].long()
        assert crop["image"].shape == (3, 12, 20)
        assert crop["image"].dtype == torch.uint8
        rows, columns = (places // 20).unique(), (places % 20).unique()
        assert 6 <= len(rows) <= 12
        assert 10 <= len(columns) <= 20
        assert torch.equal(rows, torch.arange(rows[0], rows[-1] + 1))
        widths.add(len(columns))
        assert torch.equal(
            crop["image"], enlarged(pair["image"][:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], (12, 20))
        )
    assert len(widths) > 5


@pytest.mark.parametrize("side", [50, 70, 99])
def test_an_enlarged_map_lies_over_an_image_enlarged_as_much(side: int) -> None:
    places = torch.arange(side).expand(side, -1)
    off = enlarged(places, (100, 100)) - enlarged(places.float()[None], (100, 100))[0]
    assert off.abs().max() <= 0.5 + 1e-4  # the nearest pixel
    assert off.mean().abs() < 0.01


def test_an_enlarged_map_has_no_new_numbers_and_an_enlarged_image_is_bilinear() -> None:
    numbers = torch.tensor([[3, 1000], [7, 2]], dtype=torch.int32)
    assert enlarged(numbers, (4, 6)).tolist()[0] == [3, 3, 3, 1000, 1000, 1000]
    image = torch.tensor([[[0, 100]]], dtype=torch.uint8)
    assert enlarged(image, (1, 4)).flatten().tolist() == [0, 25, 75, 100]
    assert enlarged(image / 255, (1, 4)).dtype == torch.float32


def test_jitter_multiplies_images_alike_and_leaves_maps() -> None:
    stage, pair = DomainCrops(image_size=16, jitter=0.5), _pair(16, 16)
    crop, again = (stage(pair, seed=0, position=3) for _ in range(2))
    assert torch.equal(crop["image"], again["image"])
    assert torch.equal(crop["instance_map"], pair["instance_map"])
    assert not torch.equal(crop["image"], pair["image"])
    assert not torch.equal(stage(pair, seed=0, position=4)["image"], crop["image"])
    plain = DomainCrops(image_size=16)(pair, seed=0, position=3)
    assert torch.equal(plain["image"], pair["image"])


def test_brightness_contrast_and_saturation() -> None:
    image = torch.tensor([0.2, 0.4, 0.6]).view(3, 1, 1).expand(3, 1, 2).clone()
    torch.testing.assert_close(recolored(image, (1.5, 1, 1)), image * 1.5)
    torch.testing.assert_close(recolored(image, (1, 0.5, 1)), 0.4 + (image - 0.4) * 0.5)
    torch.testing.assert_close(recolored(image, (1, 1, 0)), torch.full_like(image, 0.4))
    assert recolored((image * 255).byte(), (9, 1, 1)).unique().tolist() == [255]
