import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from freqgan.data import MapTiles
from freqgan.errors import UserError


@pytest.fixture
def maps(tmp_path: Path) -> np.ndarray:
    pixels = np.random.default_rng(0).integers(0, 256, (2, 40, 100, 3), np.uint8)
    for name, picture in zip(("day.png", "night.png"), pixels, strict=True):
        Image.fromarray(picture).save(tmp_path / name)
    return pixels


@pytest.fixture
def make(tmp_path: Path, maps: np.ndarray) -> Any:
    def make(**settings: Any) -> MapTiles:
        given = {"root": tmp_path, "files": ("day.png", "night.png"), "image_size": 10, "cache_dir": tmp_path / "cache"}
        dataset = MapTiles(**(given | settings))
        dataset.prepare()
        return dataset

    return make


def _places(dataset: MapTiles) -> list[tuple[int, ...]]:
    return [tuple(map(int, dataset.domain_a(index)["name"].split("_"))) for index in range(len(dataset))]


@pytest.mark.parametrize("size", [10, (20, 25)])
def test_tiles_are_of_the_same_place(make: Any, maps: np.ndarray, size: Any) -> None:
    dataset = make(image_size=size)
    height, width = (size, size) if isinstance(size, int) else size
    assert dataset.lengths == (len(dataset), len(dataset)) == (40 // height * (100 // width),) * 2
    for index, (top, left) in enumerate(_places(dataset)):
        for name, picture in zip(("image", "image_b"), maps, strict=True):
            tile = picture[top : top + height, left : left + width].transpose(2, 0, 1)
            assert np.array_equal(dataset[index][name], tile)
            assert torch.equal({**dataset.domain_a(index), **dataset.domain_b(index)}[name], dataset[index][name])


def test_no_column_is_on_both_sides(make: Any) -> None:
    train, val = (make(split=split, val_fraction=0.3, val_from=0.25, stride=5) for split in ("train", "val"))
    columns = [{column for _, left in _places(part) for column in range(left, left + 10)} for part in (train, val)]
    assert columns[1] == set(range(25, 55))
    assert columns[0] == set(range(25)) | set(range(55, 100))
    assert train.fingerprint() != make(split="train", val_fraction=0.3, val_from=0.5, stride=5).fingerprint()


def test_rows_and_detail(make: Any, tmp_path: Path, maps: np.ndarray) -> None:
    assert {top for top, _ in _places(make(rows=(0.25, 0.75)))} == {10, 20}
    night = maps[1].copy()
    night[:, :50] = 3  # half an ocean
    Image.fromarray(night).save(tmp_path / "night.png")
    assert {left for _, left in _places(make(least_detail=5.0))} == {50, 60, 70, 80, 90}
    with pytest.raises(UserError, match=r"no tile of \[10, 10\] pixels has data\.source\.least_detail"):
        make(least_detail=200.0)


def test_deep_and_grey_maps(make: Any, tmp_path: Path) -> None:
    deep = np.random.default_rng(0).integers(0, 65536, (40, 100)).astype(np.uint16)
    Image.fromarray(deep).save(tmp_path / "height.png")
    sample = make(files=("day.png", "height.png"))[0]
    assert sample["image"].dtype == sample["image_b"].dtype == torch.float32
    assert torch.equal(sample["image_b"], torch.from_numpy(deep[:10, :10].astype(np.float32) / 65535).expand(3, -1, -1))
    assert make(channels=1)[0]["image_b"].shape == (1, 10, 10)


def test_mistakes_are_named(make: Any, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"has no dusk\.png: set data\.source\.files=\[a,b\]"):
        make(files=("day.png", "dusk.png"))
    Image.new("RGB", (90, 40)).save(tmp_path / "small.png")
    with pytest.raises(UserError, match=r"day\.png has 100x40 and small\.png has 90x40 pixels, wanted two maps of one"):
        make(files=("day.png", "small.png"))
    (tmp_path / "broken.png").write_bytes(b"no image")
    with pytest.raises(UserError, match=r"broken\.png cannot be read as an image"):
        make(files=("day.png", "broken.png"))
    for settings, words in (
        ({"rows": (0.5, 0.5)}, "data.source.rows=[0.5, 0.5] must be [from, to] within 0 and 1"),
        ({"val_from": 0.95}, "data.source.val_from=0.95 must be at least 0 and at most 0.9, 1 - data.val_fraction"),
    ):
        with pytest.raises(UserError, match=re.escape(words)):
            make(**settings)
