"""Label maps that are to be drawn: the same as training has seen, and all mistakes before the first picture."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from freqgan.data import LabelFolder, Scenes
from freqgan.data.given_labels import GivenLabels, MapReading
from freqgan.errors import UserError
from freqgan.ops.palette import label_colors

CLASSES = 5


def blocks(seed: int, height: int = 24, width: int = 36, most: int = CLASSES) -> np.ndarray:
    small = np.random.default_rng(seed).integers(0, most, (height // 4, width // 4))
    return small.repeat(4, 0).repeat(4, 1).astype(np.uint8)


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A set as Cityscapes has it: label maps, instance maps and pictures to look at lie in one folder."""
    for number in range(3):
        name = f"town/{number}"
        save(tmp_path / "set" / "images" / f"{name}.png", np.repeat(blocks(9)[..., None], 3, 2))
        save(tmp_path / "set" / "fine" / f"{name}_labels.png", blocks(number))
        save(tmp_path / "set" / "fine" / f"{name}_things.png", blocks(number + 50, most=200))
        save(tmp_path / "set" / "fine" / f"{name}_color.png", label_colors(CLASSES).numpy()[blocks(number)])
    return tmp_path / "set"


def dataset(root: Path, **settings: Any) -> LabelFolder:
    given = {"labels": "fine/{name}_labels.png", "image_size": (12, 16), "num_classes": CLASSES}
    return LabelFolder(root=root, split="all", cache_dir=root.parent / "cache", **(given | settings))


def read(root: Path, of: Any, fit: Any = None, instances: Path | None = None, labels: str = "fine") -> GivenLabels:
    given = GivenLabels(root / labels, instances, MapReading.of(of, fit))
    given.check()
    return given


@pytest.mark.parametrize("fit", ["crop", "resize", "pad", "whole"])
def test_maps_are_those_of_training(root: Path, fit: Any) -> None:
    trained = dataset(root, fit=fit, ids=[4, 2, 0, 1], num_classes=4, dont_care=[3], things=[1, 2])
    given = [*read(root, trained)]
    trained.prepare()
    assert [one.name for one in given] == ["town/0", "town/1", "town/2"]
    for number, one in enumerate(given):
        sample = trained[number]
        assert torch.equal(one.label_map[0], sample["label_map"].long())
        assert torch.equal(one.instance_map[0], sample["instance_map"].long())
    assert any((one.label_map == 255).any() for one in given)


def test_instance_maps_are_those_of_the_same_names(root: Path) -> None:
    trained = dataset(root, instances="fine/{name}_things.png")
    given = [*read(root, trained, instances=root / "fine")]
    trained.prepare()
    assert all(torch.equal(one.instance_map[0], trained[n]["instance_map"].long()) for n, one in enumerate(given))
    without = [*read(root, trained)]
    assert all(torch.equal(one.instance_map, one.label_map) for one in without)


def test_colours_mean_what_they_meant(root: Path) -> None:
    trained = dataset(root, labels="fine/{name}_color.png", palette="voc", num_classes=255)
    maps = [one.label_map[0] for one in read(root, trained, fit="whole")]
    assert all(torch.equal(found, torch.from_numpy(blocks(n)).long()) for n, found in enumerate(maps))


def test_another_fit_is_a_matter_of_the_user(root: Path) -> None:
    assert {one.label_map.shape for one in read(root, dataset(root), "whole")} == {(1, 24, 36)}
    assert {one.label_map.shape for one in read(root, dataset(root, fit="whole"), "resize")} == {(1, 12, 16)}


def test_one_file_will_do(root: Path) -> None:
    given = read(
        root, dataset(root), labels="fine/town/1_labels.png", instances=root / "fine" / "town" / "2_things.png"
    )
    (one,) = given
    assert (len(given), one.name) == (1, "1")
    *_, last = read(root, dataset(root, instances="fine/{name}_things.png"), instances=root / "fine")
    assert torch.equal(one.instance_map, last.instance_map)  # of another name: a single file needs none


def test_data_without_files_of_label_maps_have_plain_ids(tmp_path: Path) -> None:
    scenes = Scenes(image_size=16, length=4, cache_dir=tmp_path)
    save(tmp_path / "maps" / "a.png", blocks(0, 32, 32))
    (one,) = GivenLabels(tmp_path / "maps", None, MapReading.of(scenes, None))
    assert torch.equal(one.label_map[0], torch.from_numpy(blocks(0, 32, 32)[1::2, 1::2]).long())
    assert MapReading.of(scenes, None).classes.numbers(["heart"], "looks") == (8,)


def test_all_mistakes_come_before_the_first_picture(root: Path) -> None:
    save(root / "fine" / "town" / "0_labels.png", blocks(0) + 100)
    (root / "fine" / "town" / "1_labels.png").write_bytes(b"no picture")
    save(root / "fine" / "town" / "2_labels.png", label_colors(CLASSES).numpy()[blocks(2)])
    with pytest.raises(UserError) as error:
        read(root, dataset(root))
    strange, broken, colored, total = error.value.lines
    assert "0_labels.png has ids that are no class: 100, 101, 102, 103, 104" in strange
    assert "1_labels.png cannot be read as a map: not one of PNG" in broken
    assert colored.endswith("2_labels.png cannot be read as a map: it is in colour, wanted ids")
    assert "3 of 3 label maps cannot be drawn: as in training, 0 to 4 are classes, and [255] means nothing" in total


def test_instances_that_are_missing_or_of_another_size(root: Path) -> None:
    (root / "fine" / "town" / "0_things.png").unlink()
    save(root / "fine" / "town" / "1_things.png", blocks(1, 24, 24))
    with pytest.raises(UserError) as error:
        read(root, dataset(root, instances="fine/{name}_things.png"), instances=root / "fine")
    assert "town/0 has no instance map" in error.value.lines[0]
    assert error.value.lines[1] == "town/1 has 36x24 pixels, its instance map 24x24"


def test_folders_without_such_files(root: Path) -> None:
    with pytest.raises(UserError, match=r"labels=.*images has no file that is called \{name\}_labels\.png"):
        read(root, dataset(root), labels="images")
    with pytest.raises(UserError, match=r"labels=.*fin is not there, wanted a folder of images: did you mean"):
        read(root, dataset(root), labels="fin")
    save(root / "two" / "a.png", blocks(0))
    save(root / "two" / "a.bmp", blocks(0))
    with pytest.raises(UserError, match="are of one picture: remove one"):
        read(root, dataset(root, labels="fine/{name}"), labels="two")
