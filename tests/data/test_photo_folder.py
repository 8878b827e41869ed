import pickle
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from freqgan.data import ImageFolder, PhotoFolder, Scenes
from freqgan.data.partners import low_partners
from freqgan.errors import UserError


def _pixels(seed: int, height: int, width: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def _save(path: Path, pixels: np.ndarray, **options: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)


@pytest.fixture
def make(tmp_path: Path) -> Any:
    def make(root: Path, **settings: Any) -> PhotoFolder:
        dataset = PhotoFolder(**({"root": root, "image_size": 8, "cache_dir": tmp_path / "cache"} | settings))
        dataset.prepare()
        return dataset

    return make


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for i, size in enumerate([(12, 20), (21, 9), (8, 8)]):
        _save(tmp_path / "photos" / ("sub" if i else "") / f"{i}.png", _pixels(i, *size))
    return tmp_path / "photos"


@pytest.fixture
def pairs(tmp_path: Path, photos: Path) -> Path:
    low = tmp_path / "low"
    _save(low / "0x4.png", _pixels(10, 3, 5))
    _save(low / "sub" / "1x4.png", _pixels(11, 6, 2))  # 21 / 4 rounded up, 9 / 4 down
    _save(low / "sub" / "2x4.png", _pixels(12, 2, 2))
    _save(low / "more.png", _pixels(13, 2, 2))
    return low


@pytest.mark.parametrize("limit", [16.0, 0.0])
def test_photos_are_whole_and_named(make: Any, photos: Path, limit: float) -> None:
    dataset = make(photos, cache_limit_gib=limit)
    assert [dataset[i]["name"] for i in range(len(dataset))] == ["0.png", "sub/1.png", "sub/2.png"]
    for i, size in enumerate([(12, 20), (21, 9), (8, 8)]):
        assert dataset[i]["image"].dtype == torch.uint8
        assert np.array_equal(dataset[i]["image"], _pixels(i, *size).transpose(2, 0, 1))
        assert "image_low" not in dataset[i]
    grey = make(photos, channels=1, cache_limit_gib=limit)[0]["image"]
    luma = _pixels(0, 12, 20) @ np.array((0.299, 0.587, 0.114))
    assert grey.shape == (1, 12, 20)
    assert np.abs(grey[0].numpy() - luma).max() <= 1


@pytest.mark.parametrize("limit", [16.0, 0.0])
def test_pairs(make: Any, photos: Path, pairs: Path, limit: float) -> None:
    dataset = make(photos, low_root=pairs, scale=4, cache_limit_gib=limit)
    for i, size in enumerate([(3, 5), (6, 2), (2, 2)]):
        assert np.array_equal(dataset[i]["image_low"], _pixels(10 + i, *size).transpose(2, 0, 1))
    assert len({dataset.fingerprint(), make(photos).fingerprint()}) == 2


@pytest.mark.parametrize("limit", [16.0, 0.0])
def test_every_mode_and_depth(make: Any, tmp_path: Path, limit: float) -> None:
    root = tmp_path / "modes"
    root.mkdir()
    rgb = Image.fromarray(_pixels(0, 10, 14))
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA"):
        rgb.convert(mode).save(root / f"{mode}.png")
    rgb.convert("CMYK").save(root / "CMYK.jpg")
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    rgb.save(root / "turned.jpg", exif=exif)
    dataset = make(root, cache_limit_gib=limit)
    images = [dataset[i]["image"] for i in range(len(dataset))]
    assert sorted({tuple(image.shape) for image in images}) == [(3, 10, 14), (3, 14, 10)]
    assert {image.dtype for image in images} == {torch.uint8}
    deep = np.random.default_rng(0).integers(0, 65536, (7, 9)).astype(np.uint16)
    Image.fromarray(deep).save(root / "0_deep.tiff")
    dataset = make(root, cache_limit_gib=limit)
    assert torch.equal(dataset[0]["image"], torch.from_numpy(deep.astype(np.float32) / 65535).expand(3, 7, 9))
    assert {dataset[i]["image"].dtype for i in range(len(dataset))} == {torch.float32}
    assert (dataset[2]["image"] * 255 - images[1].float()).abs().max() < 1e-4


def test_the_store_is_left_as_it_is(make: Any, photos: Path) -> None:
    before = make(photos)[0]["image"].clone()
    make(photos)[0]["image"].zero_()
    assert torch.equal(make(photos)[0]["image"], before)


@pytest.mark.parametrize("limit", [16.0, 0.0])
def test_a_prepared_set_travels_to_other_processes(make: Any, photos: Path, pairs: Path, limit: float) -> None:
    dataset = make(photos, low_root=pairs, scale=4, cache_limit_gib=limit)
    packed = pickle.dumps(dataset)
    assert len(packed) < 3000
    there = pickle.loads(packed)
    for i in range(3):
        for name in ("image", "image_low"):
            assert torch.equal(there[i][name], dataset[i][name])


@pytest.mark.fault("data", "damaged picture in a data set")
def test_unreadable_photos_are_reported_or_skipped(make: Any, photos: Path) -> None:
    (photos / "sub" / "1.png").write_bytes((photos / "sub" / "1.png").read_bytes()[:200])
    with pytest.raises(UserError, match=r"sub/1\.png cannot be read"):
        make(photos)
    dataset = make(photos, on_error="skip")
    assert [dataset[i]["name"] for i in range(3)] == ["0.png", "sub/2.png", "sub/2.png"]
    for file in photos.rglob("*.png"):
        file.write_bytes(b"")
    with pytest.raises(UserError, match="3 unreadable among 3"):
        make(photos, on_error="skip")


@pytest.mark.parametrize("limit", [16.0, 0.0])
def test_a_partner_of_another_size_is_named_with_its_photo(make: Any, photos: Path, pairs: Path, limit: float) -> None:
    _save(pairs / "0x4.png", _pixels(0, 3, 4))
    words = f"{pairs}/0x4.png has 4x3 pixels, wanted 5x3 for data.scale=4 and the 20x12 of {photos}/0.png"
    with pytest.raises(UserError, match=re.escape(words)):
        make(photos, low_root=pairs, scale=4, cache_limit_gib=limit)[0]


def test_a_photo_without_a_partner_is_named(make: Any, photos: Path, pairs: Path) -> None:
    (pairs / "sub" / "1x4.png").unlink()
    words = f"{photos}/sub/1.png has no partner in data.low_root: wanted {pairs}/sub/1.* or {pairs}/sub/1x4.*"
    with pytest.raises(UserError, match=re.escape(words)) as error:
        make(photos, low_root=pairs, scale=4)
    assert error.value.lines[-1].endswith("1 of 3 images are without exactly one partner")
    _save(pairs / "0.jpg", _pixels(0, 3, 5))
    with pytest.raises(UserError, match=r"0\.png has 2 partners, .*/0\.jpg and .*/0x4\.png: remove all but one"):
        make(photos, low_root=pairs, scale=4)
    with pytest.raises(UserError, match=r"data\.low_root=.* is not there"):
        make(photos, low_root=pairs / "nowhere", scale=4)


@pytest.mark.fault("data", "damaged picture in a data set")
def test_an_unreadable_partner_is_an_error_even_with_skip(make: Any, photos: Path, pairs: Path) -> None:
    (pairs / "0x4.png").write_text("no image")
    with pytest.raises(UserError, match=r"0x4\.png cannot be read"):
        make(photos, low_root=pairs, scale=4, on_error="skip")


def test_the_usual_endings() -> None:
    names = ["a.png", "b.png", "c.jpg", "d_HR.png", "e_HR.png", "deep/x4.png"]
    low = ["e_LR.png", "d_LR4.png", "c_x4.png", "bx4.png", "a.jpg", "deep/x4.png", "unused.png"]
    rows = low_partners(names, low, scale=4, root=Path("high"), low_root=Path("low"))
    assert [low[row] for row in rows] == ["a.jpg", "bx4.png", "c_x4.png", "d_LR4.png", "e_LR.png", "deep/x4.png"]
    with pytest.raises(UserError, match="5 of 6"):
        low_partners(names, ["a.jpg"], scale=4, root=Path("high"), low_root=Path("low"))
    with pytest.raises(UserError, match="high/bx2"):
        low_partners(["bx2.png"], ["b.png"], scale=2, root=Path("high"), low_root=Path("low"))


def test_fingerprint_follows_content_and_not_the_crops(make: Any, photos: Path, tmp_path: Path) -> None:
    original = make(photos).fingerprint()
    assert make(photos, image_size=96).fingerprint() == original
    shutil.copytree(photos, tmp_path / "elsewhere")
    assert make(tmp_path / "elsewhere").fingerprint() == original
    _save(photos / "0.png", _pixels(5, 12, 20))
    assert make(photos).fingerprint() != original


def test_the_second_start_reads_no_photo(make: Any, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = make(photos)[1]["image"]

    def never(*_: object, **__: object) -> None:
        raise AssertionError("a photograph was read again")

    monkeypatch.setattr("freqgan.data.scanned_folder.scan_folder", never)
    assert torch.equal(make(photos)[1]["image"], before)


def test_sources_of_squares_read_no_low_images() -> None:
    for source in (ImageFolder, Scenes):
        with pytest.raises(UserError, match=rf"data\.low_root=x is not read by {source.__name__}: choose data=super"):
            source(image_size=8, low_root="x", **({"root": "y"} if source is ImageFolder else {}))
