import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from freqgan.data import EarthTiles
from freqgan.data.world_maps import country_instances
from freqgan.errors import UserError

H, W = 90, 180  # a pixel is 2 degrees


def _square(west: float, south: float, side: float) -> list[list[float]]:
    corners = [(0, 0), (side, 0), (side, side), (0, side), (0, 0)]
    return [[west + x, south + y] for x, y in corners]


def _feature(kind: str, coordinates: Any) -> dict[str, Any]:
    return {"type": "Feature", "properties": {}, "geometry": {"type": kind, "coordinates": coordinates}}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "earth"
    folder.mkdir()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (H, W, 3), np.uint8)).save(folder / "day.jpg")
    water = np.full((H // 2, W // 2), 255, np.uint8)
    water[15:30, 30:60] = 0  # land from 60 W to 60 E and from 30 S to 30 N
    Image.fromarray(water).convert("RGB").save(folder / "water.png")
    heights = np.tile(np.linspace(0, 255, W).astype(np.uint8), (H, 1))
    Image.fromarray(heights).save(folder / "elevation.png")
    inner = _square(-10, -10, 20)
    around, island = [_square(-40, -20, 70), inner], [_square(40, 0, 10)]
    features = [_feature("Polygon", [inner]), _feature("MultiPolygon", [around, island])]
    (folder / "countries.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return folder


@pytest.fixture
def make(root: Path, tmp_path: Path) -> Any:
    def make(**settings: Any) -> EarthTiles:
        given = {"root": root, "heights": [100, 150], "image_size": (H, W), "cache_dir": tmp_path / "cache"}
        dataset = EarthTiles(**(given | settings))
        dataset.prepare()
        return dataset

    return make


def test_classes_and_countries_lie_over_the_picture(make: Any, root: Path) -> None:
    sample = make()[0]
    assert np.array_equal(sample["image"], np.asarray(Image.open(root / "day.jpg")).transpose(2, 0, 1))
    labels, instances = sample["label_map"].numpy(), sample["instance_map"].numpy()
    assert (labels.dtype, instances.dtype) == (np.uint8, np.int32)
    longitude, latitude = np.arange(W) * 2 - 179, 89 - np.arange(H)[:, None] * 2  # of the middles
    land = (abs(longitude) < 60) & (abs(latitude) < 30)
    assert np.array_equal(labels > 0, land)
    height = np.broadcast_to(np.linspace(0, 255, W).astype(np.uint8), (H, W))
    assert np.array_equal(labels[land], (1 + (height >= 100) + (height >= 150))[land])
    inner = (abs(longitude) < 10) & (abs(latitude) < 10)
    outer = (longitude > -40) & (longitude < 30) & (latitude > -20) & ~inner & land  # its north is in the sea
    island = (longitude > 40) & (longitude < 50) & (latitude > 0) & (latitude < 10)
    expected = np.select([inner, outer | island, land], [1000, 1001, 1])
    steps = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1)]
    far = np.all([np.roll(expected, step, (0, 1)) == expected for step in steps], 0)  # outlines are true to a pixel
    assert np.array_equal(instances[far], expected[far])
    assert np.array_equal(instances == 0, ~land)


def test_a_country_in_the_hole_of_another_stays_whatever_their_order(root: Path) -> None:
    land = np.ones((H, W), bool)
    file = root / "countries.geojson"
    first = country_instances(land, file)
    content = json.loads(file.read_text())
    content["features"].reverse()
    file.write_text(json.dumps(content))
    second = country_instances(land, file)
    assert (first == 1000).sum() >= 100
    assert np.array_equal(first == 1000, second == 1001)


def test_what_of_a_country_is_beyond_the_map_is_left_out(root: Path) -> None:
    features = [_feature("MultiPolygon", [[_square(-220, 0, 30)], [_square(-190, -30, 20)], [_square(200, 0, 20)]])]
    (root / "countries.geojson").write_text(json.dumps({"features": features}))
    rows, columns = np.nonzero(country_instances(np.ones((H, W), bool), root / "countries.geojson") == 1000)
    assert (columns.min(), columns.max()) == (0, 4)  # 180 to 170 W
    assert (rows.min(), rows.max()) == (49, 59)  # 10 to 30 S


def test_tiles_and_the_band_that_is_held_out(make: Any) -> None:
    given = {"image_size": (10, 15), "val_fraction": 0.25, "val_from": 0.5, "least_land": 0.0}
    columns = {}
    for split in ("train", "val"):
        dataset = make(**given, split=split)
        whole = make()[0]
        for index in range(len(dataset)):
            sample = dataset[index]
            top, left = map(int, sample["name"].split("_"))
            columns.setdefault(split, set()).update(range(left, left + 15))
            for kind in ("image", "label_map", "instance_map"):
                assert torch.equal(sample[kind], whole[kind][..., top : top + 10, left : left + 15])
    assert columns == {"train": {*range(90), *range(135, 180)}, "val": {*range(90, 135)}}


def test_tiles_of_water_alone_are_left_out(make: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    dataset = make(image_size=15, least_land=0.5, rows=(0.2, 0.8))
    assert 0 < len(dataset) < len(make(image_size=15, rows=(0.2, 0.8)))
    assert all((dataset[index]["label_map"] > 0).float().mean() >= 0.5 for index in range(len(dataset)))
    assert re.search(rf"{len(dataset)} label maps: 0 water .*%, 1 land .*%, 2 land from 100 .*%", caplog.text)
    with pytest.raises(UserError, match=r"no tile of \[90, 180\] pixels has data\.source\.least_land"):
        make(least_land=0.9)


def test_what_is_made_of_the_maps_is_part_of_the_fingerprint(make: Any, root: Path) -> None:
    original = make().fingerprint()
    assert make().fingerprint() == original
    assert make(heights=[100, 160]).fingerprint() != original
    assert make(least_land=0.1).fingerprint() != original
    assert make().num_classes == 4
    assert make().class_names == ("water", "land", "land from 100", "land from 150")


def test_mistakes_are_named(make: Any, root: Path) -> None:
    for settings, words in (
        ({"heights": [3, 2]}, "data.source.heights=[3, 2] must be in order"),
        ({"val_from": 0.95}, "data.source.val_from=0.95 must be at least 0 and at most 0.9"),
        ({"files": ("day.jpg", "sea.png", "ice.png", "x.geojson")}, "has no sea.png, ice.png, x.geojson: set data"),
    ):
        with pytest.raises(UserError, match=re.escape(words)):
            make(**settings)
    (root / "countries.geojson").write_text('{"features": [{"geometry": {"type": "Point", "coordinates": [1, 2]}}]}')
    with pytest.raises(UserError, match=r"countries\.geojson cannot be read as GeoJSON.*a geometry is a Point"):
        make()
    Image.new("L", (90, 40)).save(root / "elevation.png")
    with pytest.raises(UserError, match=r"elevation\.png has 90x40 pixels, wanted a map of the whole Earth, twice as"):
        make()
