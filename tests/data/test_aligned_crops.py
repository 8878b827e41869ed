import numpy as np
import pytest
import torch
from torch import Tensor

from freqgan.data import AlignedCrops, Sample
from freqgan.data.degradations import JPEG, Bicubic, Chain, Degradation, GaussianBlur, GaussianNoise
from freqgan.errors import UserError


def _photo(height: int, width: int, channels: int = 3) -> Tensor:
    """Each pixel is unlike all others, so that a crop tells where it is from; a view, as stores give them."""
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, channels), np.uint8)
    return torch.from_numpy(pixels).permute(2, 0, 1)


def _still(size: int, scale: int, degradation: Degradation | None = None) -> AlignedCrops:
    return AlignedCrops(image_size=size, scale=scale, degradation=degradation, flip=False, rotate=False)


def _sample(height: int, width: int) -> Sample:
    """A photo, and a map of where each pixel is from."""
    places = torch.arange(height * width, dtype=torch.int32).view(height, width)
    return {"image": _photo(height, width), "instance_map": places}


def _place(crop: Sample, width: int) -> tuple[int, int]:
    """Where a crop that is not turned begins."""
    return divmod(int(crop["instance_map"][0, 0]), width)


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
@pytest.mark.parametrize("blur", [False, True])
def test_low_crops_are_crops_of_the_low_image(scale: int, blur: bool) -> None:
    degradation = Chain([GaussianBlur(1.3), Bicubic(scale)]) if blur else Bicubic(scale)
    size = 6 * scale
    sample = _sample(14 * scale + 1, 17 * scale + scale - 1)
    stage, photo = _still(size, scale, degradation), sample["image"]
    whole = stage.evaluated(sample)
    assert whole["image"].shape == (3, 14 * scale, 17 * scale)
    assert torch.equal(whole["image"], photo[:, : 14 * scale, : 17 * scale])
    assert whole["image_low"].shape == (3, 14, 17)
    places = set()
    for position in range(40):
        crop = stage(sample, seed=0, position=position)
        top, left = _place(crop, photo.shape[2])
        assert torch.equal(crop["image"], photo[:, top : top + size, left : left + size])
        assert top % scale == left % scale == 0
        low = whole["image_low"][:, top // scale :, left // scale :][:, :6, :6]
        assert torch.equal(crop["image_low"], low), (position, top, left)
        places.add((top, left))
    assert {top for top, _ in places} >= {0, 8 * scale}  # borders are reached
    assert len(places) > 20


def test_given_low_images_are_cut_out_at_the_same_place() -> None:
    sample = _sample(43, 61) | {"image_low": _photo(11, 15)}  # 11 is rounded up
    photo, low = sample["image"], sample["image_low"]
    stage = AlignedCrops(image_size=16, scale=4, degradation=Bicubic(4))
    whole = stage.evaluated(sample)
    assert whole["image"].shape == (3, 40, 60)
    assert torch.equal(whole["image_low"], low[:, :10, :15])
    still = _still(16, 4)
    for position in range(20):
        crop = still(sample, seed=3, position=position)
        top, left = _place(crop, 61)
        assert torch.equal(crop["image"], photo[:, top : top + 16, left : left + 16])
        assert torch.equal(crop["image_low"], low[:, top // 4 : top // 4 + 4, left // 4 : left // 4 + 4])


def test_everything_over_the_image_turns_together() -> None:
    sample = _sample(24, 30) | {"caption": ["x"]}
    photo = sample["image"]
    sample |= {"image_low": photo[:, ::4, ::4][:, :6, :7], "label_map": photo[0]}
    stage, still = AlignedCrops(image_size=16, scale=4), _still(16, 4)
    seen = set()
    for position in range(60):
        crop = stage(sample, seed=1, position=position)
        assert torch.equal(crop["label_map"], crop["image"][0])
        assert crop["caption"] == ["x"]
        top, left = _place(still(sample, seed=1, position=position), 30)
        plain = photo[:, top : top + 16, left : left + 16]
        turns = {
            (flip, quarters): torch.rot90(plain.flip(-1) if flip else plain, quarters, (-2, -1))
            for flip in (False, True)
            for quarters in range(4)
        }
        (turn,) = [turn for turn, turned in turns.items() if torch.equal(turned, crop["image"])]
        low = photo[:, top : top + 16 : 4, left : left + 16 : 4]
        assert torch.equal(crop["image_low"], torch.rot90(low.flip(-1) if turn[0] else low, turn[1], (-2, -1)))
        assert all(value.is_contiguous() for value in crop.values() if isinstance(value, Tensor))
        seen.add(turn)
    assert len(seen) == 8


def test_a_sample_is_a_function_of_seed_and_position() -> None:
    stage = AlignedCrops(image_size=8, scale=2, degradation=Chain([Bicubic(2), GaussianNoise(20.0)]))
    sample = {"image": _photo(30, 40), "name": "a.png"}
    before = sample["image"].clone()

    def values(seed: int, position: int) -> tuple[int, ...]:
        crop = stage(sample, seed=seed, position=position)
        return tuple(torch.cat([crop["image"].flatten(), crop["image_low"].flatten()]).tolist())

    first = [values(5, position) for position in (0, 3, 10**9)]
    np.random.default_rng(9).random()
    torch.rand(3)
    assert [values(5, position) for position in (10**9, 3, 0)] == first[::-1]
    assert len({values(seed, position) for seed in (5, 6) for position in range(5)}) == 10
    assert torch.equal(sample["image"], before)


def test_evaluation_draws_by_the_name_alone() -> None:
    stage = AlignedCrops(image_size=8, scale=2, degradation=Chain([Bicubic(2), GaussianNoise(20.0)]))
    lows = [stage.evaluated({"image": _photo(12, 12), "name": name})["image_low"] for name in ("a", "a", "b", "\udcff")]
    assert torch.equal(lows[0], lows[1])
    assert not torch.equal(lows[0], lows[2])


@pytest.mark.parametrize("size", [(1, 1), (3, 50), (50, 17), (13, 23), (24, 24)])
def test_images_smaller_than_the_crop_are_mirrored(size: tuple[int, int]) -> None:
    photo = _photo(*size)
    crop = _still(24, 4, Bicubic(4))({"image": photo}, seed=0, position=0)
    assert crop["image"].shape == (3, 24, 24)
    assert crop["image_low"].shape == (3, 6, 6)
    padding = [(0, 0), *((0, max(24 - n, 0)) for n in size)]
    padded = torch.from_numpy(np.pad(photo.numpy(), padding, mode="symmetric"))
    corners = [(top, left) for top in range(0, padded.shape[1] - 23, 4) for left in range(0, padded.shape[2] - 23, 4)]
    assert any(torch.equal(crop["image"], padded[:, top : top + 24, left : left + 24]) for top, left in corners)
    small = _still(24, 4, Bicubic(4)).evaluated({"image": photo})
    assert small["image"].shape == (3, *(max(n // 4 * 4, 4) for n in size))
    assert small["image_low"].shape == (3, *(max(n // 4, 1) for n in size))


def test_small_pairs_are_mirrored_together() -> None:
    photo = _photo(10, 9)
    low = photo[:, :8:4, :8:4]
    crop = _still(16, 4)({"image": photo, "image_low": low}, seed=0, position=0)
    whole = torch.from_numpy(np.pad(photo[:, :8, :8].numpy(), [(0, 0), (0, 8), (0, 8)], mode="symmetric"))
    assert torch.equal(crop["image"], whole)
    assert torch.equal(crop["image_low"], torch.from_numpy(np.pad(low.numpy(), [(0, 0), (0, 2), (0, 2)], "symmetric")))


@pytest.mark.parametrize("channels", [1, 3])
def test_depth_is_kept(channels: int) -> None:
    photo = _photo(20, 20, channels)
    for degradation in (Bicubic(4), Chain([GaussianBlur(1.0), Bicubic(4), JPEG()])):
        crop = AlignedCrops(image_size=12, scale=4, degradation=degradation)({"image": photo}, seed=0, position=0)
        assert crop["image_low"].dtype == torch.uint8
        deep: Sample = {"image": photo.float() / 255}
        crop = AlignedCrops(image_size=12, scale=4, degradation=degradation)(deep, seed=0, position=0)
        assert crop["image_low"].dtype == crop["image"].dtype == torch.float32
        assert 0 <= crop["image_low"].min() < crop["image_low"].max() <= 1
        assert crop["image_low"].shape == (channels, 3, 3)


def test_pairs_of_one_size() -> None:
    stage = _still(8, 1, GaussianBlur(1.0))
    crop = stage({"image": _photo(9, 11)}, seed=0, position=0)
    assert crop["image_low"].shape == crop["image"].shape == (3, 8, 8)
    assert set(AlignedCrops(image_size=8)({"image": _photo(9, 11)}, seed=0, position=0)) == {"image"}


def test_how_pairs_are_made_has_a_name() -> None:
    names = {
        _still(8, 2, degradation).pairing()
        for degradation in (None, Bicubic(2), Chain([Bicubic(2)]), Chain([Bicubic(2), JPEG(50.0)]))
    }
    assert len(names | {_still(8, 1).pairing()}) == 5
    assert _still(8, 2, Bicubic(2)).pairing() == _still(16, 2, Bicubic(2)).pairing()


def test_mistakes_are_named() -> None:
    with pytest.raises(UserError, match=r"data\.image_size=190 is not divisible by data\.scale=4: set .*=188"):
        AlignedCrops(image_size=190, scale=4)
    with pytest.raises(UserError, match=r"data\.image_size=2 is not divisible by data\.scale=4: set .*=4"):
        AlignedCrops(image_size=2, scale=4)
    with pytest.raises(UserError, match=r"makes sides 2 times shorter, wanted data\.scale=4: set data\.scale=2"):
        AlignedCrops(image_size=8, scale=4, degradation=Bicubic(2))
