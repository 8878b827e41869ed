"""Folders of images and label maps: layouts, modes of files, instances, splits, and what is told before training."""

import pickle
import re
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from freqgan.data import DomainCrops, LabelFolder, TwoViews
from freqgan.data.datamodule import DataModule
from freqgan.errors import UserError
from freqgan.ops.palette import label_colors, painted_labels

H, W, CLASSES = 12, 18, 5
NAMES = ["0.png", "deep/1.png", "deep/2.png"]


def _pixels(seed: int, height: int = H, width: int = W) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def _labels(seed: int, height: int = H, width: int = W) -> np.ndarray:
    return np.random.default_rng(seed + 1000).integers(0, CLASSES, (height, width)).astype(np.uint8)


def _save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for number, name in enumerate(NAMES):
        _save(tmp_path / "set" / "images" / Path(name).with_suffix(".bmp"), _pixels(number))
        _save(tmp_path / "set" / "labels" / name, _labels(number))
    return tmp_path / "set"


@pytest.fixture
def make(tmp_path: Path, root: Path) -> Any:
    def make(**settings: Any) -> LabelFolder:
        given = {"root": root, "image_size": (H, W), "num_classes": CLASSES, "cache_dir": tmp_path / "cache"}
        dataset = LabelFolder(**(given | settings))
        dataset.prepare()
        return dataset

    return make


def _label_maps(dataset: LabelFolder) -> list[np.ndarray]:
    return [dataset[index]["label_map"].numpy() for index in range(len(dataset))]


@pytest.mark.parametrize("limit", [4.0, 0.0])
@pytest.mark.parametrize("fit", ["resize", "crop", "pad", "whole"])
def test_images_and_label_maps_by_name(make: Any, fit: str, limit: float) -> None:
    dataset = make(fit=fit, cache_limit_gib=limit)
    assert len(dataset) == 3
    assert dataset.any_size == (fit == "whole")
    for index in range(3):
        sample = dataset[index]
        assert sample["name"] == f"images/{Path(NAMES[index]).with_suffix('.bmp')}"
        assert np.array_equal(sample["image"], _pixels(index).transpose(2, 0, 1))
        assert np.array_equal(sample["label_map"], _labels(index))
        assert (sample["label_map"].dtype, sample["instance_map"].dtype) == (torch.uint8, torch.int32)
        assert torch.equal(sample["instance_map"].int(), sample["label_map"].int())


@pytest.mark.parametrize("mode", ["L", "P", "I;16", "RGB of grey", "1"])
def test_every_mode_of_files_that_hold_ids(make: Any, root: Path, mode: str) -> None:
    expected = [_labels(number) % (2 if mode == "1" else CLASSES) for number in range(3)]
    for name, labels in zip(NAMES, expected, strict=True):
        image = Image.fromarray(labels)
        if mode == "P":
            image.putpalette(label_colors(256).flatten().tolist())
        elif mode == "I;16":
            image = Image.fromarray(labels.astype(np.uint16))
        elif mode == "1":
            image = Image.fromarray(labels.astype(bool))
        elif mode != "L":
            image = image.convert("RGB")
        image.save(root / "labels" / name)
    assert all(np.array_equal(*pair) for pair in zip(_label_maps(make()), expected, strict=True))


@pytest.mark.parametrize("kind", ["voc", "own", "palette PNG"])
def test_colours_are_decoded_by_a_palette(make: Any, root: Path, kind: str) -> None:
    colors = label_colors(CLASSES).numpy() if kind == "voc" else np.random.default_rng(0).integers(0, 256, (CLASSES, 3))
    lines = [f"{r} {g} {b}\tclass of {number}" for number, (r, g, b) in enumerate(colors.tolist())]
    (root / "label_colors.txt").write_text("\n".join(["# colours", *lines, ""]))
    for number, name in enumerate(NAMES):
        image = Image.fromarray(colors[_labels(number)].astype(np.uint8))
        # Each file has its colours in an order of its own, so that indices alone would mean nothing.
        (image.quantize(CLASSES) if kind == "palette PNG" else image).save(root / "labels" / name)
    dataset = make(palette="voc" if kind == "voc" else "label_colors.txt")
    assert all(np.array_equal(labels, _labels(number)) for number, labels in enumerate(_label_maps(dataset)))


def test_maps_in_colour_without_a_palette_are_told_with_their_colours(make: Any, root: Path) -> None:
    colors = np.array([[10, 20, 30], [200, 0, 0], [0, 200, 0], [0, 0, 200], [9, 9, 9]], np.uint8)
    for number, name in enumerate(NAMES):
        _save(root / "labels" / name, colors[_labels(number)])
    for on_error in ("raise", "skip"):
        with pytest.raises(UserError) as error:
            make(on_error=on_error)
        (line,) = error.value.lines
        assert re.match(
            r"data\.source\.palette=null: 3 label maps hold no ids but colours, 5 of them, as a palette has: "
            r"(\d+ \d+ \d+ \(\d+\.\d%\)(, )?){5}: set data\.source\.palette=<file with a line for each class",
            line,
        )
    (root / "few.txt").write_text("10 20 30\n200 0 0\n0 200 0\n0 0 200\n")
    with pytest.raises(
        UserError, match=r"1 of its colours are not in data\.source\.palette: 9 9 9 \(\d+ pixels\)"
    ) as error:
        make(palette="few.txt")
    assert len(error.value.lines) == 4
    for number, name in enumerate(NAMES):
        _save(root / "labels" / name, label_colors(CLASSES).numpy()[_labels(number)])
    with pytest.raises(UserError, match=r"they are colours of PASCAL VOC, set data\.source\.palette=voc"):
        make()
    for number, name in enumerate(NAMES):
        _save(root / "labels" / name, _pixels(number, 60, 90))
    with pytest.raises(UserError, match=r"label maps have more than 256 colours, as photographs and JPEG have: .*PNG"):
        make()


def test_files_with_palettes_of_their_own_are_told(make: Any, root: Path, caplog: pytest.LogCaptureFixture) -> None:
    for number, name in enumerate(NAMES):
        image = Image.fromarray(_labels(number))
        image.putpalette([number] * 768)
        image.save(root / "labels" / name)
    make()
    assert "label maps have 3 different palettes of their own, so that one id may be of several colours" in caplog.text


def test_palette_files_that_are_no_palettes(make: Any, root: Path) -> None:
    cases = {
        "1 2 3 sky\n4 5\n": r"palette\.txt:2: '4 5', wanted three numbers from 0 to 255 and a name",
        "1 2 300 sky": r"palette\.txt:1: .*wanted three numbers from 0 to 255",
        "1 2 3 sky\n1 2 3 road": r"palette\.txt:2: colour 1 2 3 is in line 1 already",
        "name,r,g,b\n": r"has 0 colours, wanted 1 to 256",
    }
    for text, words in cases.items():
        (root / "palette.txt").write_text(text)
        with pytest.raises(UserError, match=words):
            make(palette="palette.txt")
    with pytest.raises(UserError, match=r"data\.source\.palette=none\.txt: .*none\.txt cannot be read: No such file"):
        make(palette="none.txt")


def test_a_table_with_a_head_and_names_first_is_a_palette_too(make: Any, root: Path) -> None:
    colors = label_colors(CLASSES).tolist()
    lines = ["name,r,g,b", *(f"road {number},{r},{g},{b}" for number, (r, g, b) in enumerate(colors))]
    (root / "class_dict.csv").write_text("\n".join(lines))
    for number, name in enumerate(NAMES):
        _save(root / "labels" / name, label_colors(CLASSES).numpy()[_labels(number)])
    assert np.array_equal(make(palette="class_dict.csv")[1]["label_map"], _labels(1))


def test_ids_that_are_no_class_are_one_line_with_remedies(make: Any, root: Path) -> None:
    with pytest.raises(UserError) as error:
        make(num_classes=4)
    (line,) = error.value.lines
    assert re.fullmatch(
        r"data\.num_classes=4: ids that are no class: 4 in 3 files, \d+\.\d+% of all pixels, as in labels/0\.png: "
        r"set data\.num_classes=5, or set data\.source\.dont_care=\[255,4\] if they mean nothing",
        line,
    )
    with pytest.raises(UserError, match=r"data\.num_classes=null: ids that are no class: 0 in 3 files.*num_classes=5$"):
        make(num_classes=None)
    for number, name in enumerate(NAMES):
        _save(root / "labels" / name, _labels(number) * 60)
    with pytest.raises(
        UserError,
        match=r"number them anew with data\.source\.ids=\[0,60,120,180,240\] data\.num_classes=5",
    ):
        make(on_error="skip")
    found = _label_maps(make(ids=[0, 60, 120, 180, 240]))
    assert all(np.array_equal(labels, _labels(number)) for number, labels in enumerate(found))


def test_grey_label_maps_in_jpeg_are_told_for_what_they_are(make: Any, root: Path) -> None:
    for number, name in enumerate(NAMES):
        (root / "labels" / name).unlink()
        _save((root / "labels" / name).with_suffix(".jpg"), _labels(number) * 20)
    with pytest.raises(UserError, match=r"as in labels/.*jpg.*: JPEG changes ids, save label maps as PNG$"):
        make(num_classes=81)


def test_no_long_list_of_ids_is_a_remedy(make: Any, root: Path) -> None:
    _save(root / "labels" / NAMES[0], np.arange(H * W, dtype=np.uint8).reshape(H, W) % 100)
    with pytest.raises(UserError, match=r"and \d+ more: set data\.num_classes=\d+$"):
        make()


@pytest.mark.fault("data", "damaged picture in a data set")
def test_a_mistake_of_every_kind_is_told_at_once(make: Any, root: Path) -> None:
    (root / "labels" / "deep" / "1.png").unlink()
    (root / "labels" / "deep" / "2.png").write_bytes(b"no image")
    _save(root / "labels" / "more.png", _labels(0))
    with pytest.raises(UserError) as error:
        make(num_classes=3)
    assert error.value.lines[0].startswith("data.num_classes=3: ids that are no class: 3 in 2 files")
    assert error.value.lines[1:] == (
        "images/deep/1.bmp: no file is called labels/deep/1.*, wanted one",
        "images/deep/2.bmp: its labels/deep/2.png cannot be read: not one of PNG, JPEG, WEBP, TIFF, BMP, GIF, or its "
        "header is broken",
        "labels/more.png belongs to no image",
        f"data.root={root}: 2 of 3 images cannot be used, 1 maps belong to none: repair them, or set "
        "data.on_error=skip",
    )
    dataset = make(on_error="skip")
    assert [dataset[index]["name"] for index in range(3)] == ["images/0.bmp"] * 3
    assert len(dataset.skipped) == 2


def test_two_files_of_one_name(make: Any, root: Path) -> None:
    _save(root / "images" / "0.png", _pixels(0))
    with pytest.raises(UserError, match=r"images/0\.bmp: 2 files are called images/0\.\*, wanted one"):
        make()
    assert len(make(images="images/{name}.bmp")) == 3


def test_sizes_that_differ(make: Any, root: Path) -> None:
    _save(root / "labels" / "0.png", np.kron(_labels(0), np.ones((2, 2), np.uint8)))  # twice the size, the same shape
    assert np.array_equal(make()[0]["label_map"], _labels(0))
    with pytest.raises(
        UserError, match=r"0\.bmp: it has 18x12 pixels, its labels/0\.png 36x24: set data\.source\.fit=crop"
    ):
        make(fit="whole")
    _save(root / "labels" / "0.png", _labels(0).T)
    with pytest.raises(UserError, match=r"12x18: turn one of them, images are read as their EXIF tag says"):
        make(fit="resize")
    _save(root / "labels" / "0.png", _labels(0, 12, 12))
    with pytest.raises(UserError, match=r"12x12, which is another shape: set data\.source\.fit=resize if"):
        make()
    assert len(make(fit="resize")) == 3


def test_label_maps_are_never_blended_and_stay_over_their_images(make: Any, root: Path) -> None:
    """The image shows the labels as grey levels: away from their borders, a pixel has the label that it shows."""
    for number, name in enumerate(NAMES):
        labels = np.kron(_labels(number, 4, 6), np.ones((20, 20), np.uint8))
        _save(root / "labels" / name, labels)
        _save(root / "images" / Path(name).with_suffix(".bmp"), np.repeat(labels[..., None] * 50, 3, -1))
    stage = DomainCrops(image_size=(24, 30), flip=True, rotate=True)
    for settings in ({"fit": "resize"}, {"fit": "crop"}, {"fit": "pad"}, {"load_size": (40, 60)}, {"fit": "whole"}):
        dataset = make(**({"image_size": (24, 30), "things": [1]} | settings))
        for position in range(6):
            sample = stage(dataset[position % 3], seed=0, position=position)
            shown, labels = sample["image"][0].float() / 50, sample["label_map"]
            assert sample["image"].shape[1:] == labels.shape == sample["instance_map"].shape == (24, 30)
            assert {*labels.unique().tolist()} <= {*range(CLASSES)}
            around = labels.unfold(0, 3, 1).unfold(1, 3, 1).flatten(2)
            flat = (around == around[..., :1]).all(-1)
            assert flat.float().mean() > 0.2
            assert ((shown - labels)[1:-1, 1:-1][flat].abs() < 0.3).all()
            assert torch.equal(sample["instance_map"] >= 1000, labels == 1)


def test_dont_care(make: Any, root: Path, caplog: pytest.LogCaptureFixture) -> None:
    labels = _labels(0)
    labels[:, :12] = 255
    _save(root / "labels" / "0.png", labels)
    assert np.array_equal(make()[0]["label_map"], labels)
    sample = make(dont_care=[255, 4])[1]["label_map"].numpy()
    assert np.array_equal(sample, np.where(_labels(1) > 3, 255, _labels(1)))
    assert "have no class" not in caplog.text
    make(dont_care=[255, 4, 3, 2])
    assert re.search(r"\d\d% of the pixels have no class \(data\.source\.dont_care=\[255, 4, 3, 2\]\)", caplog.text)
    for name in NAMES:
        _save(root / "labels" / name, np.where(_labels(0) < 2, 0, 255).astype(np.uint8))
    make(num_classes=1)
    assert "for masks of 0 and 255, set data.source.ids=[0,255] data.num_classes=2" in caplog.text
    masks = make(ids=[0, 255], num_classes=2)
    assert np.array_equal(masks[0]["label_map"], _labels(0) >= 2)


def test_the_histogram_of_the_training_labels_is_logged_once(
    make: Any, root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    for number, name in enumerate(NAMES):
        labels = np.zeros((10, 20), np.uint8)
        labels[:5], labels[9] = 1, 255
        _save(root / "labels" / name, labels)
        _save(root / "images" / Path(name).with_suffix(".bmp"), _pixels(number, 10, 20))
    settings = {"image_size": (10, 20), "num_classes": 3, "class_names": ["sky", "road", "car"]}
    make(**settings)
    make(**settings, split="val", val_fraction=0.5)
    (said,) = [record.getMessage() for record in caplog.records if "label maps: " in record.getMessage()]
    assert said == f"data.root={root}: 3 label maps: 0 sky 40.00%, 1 road 50.00%; don't care 10.00%"
    assert "1 of 3 classes never occur: 2 car" in caplog.text


def test_instances_are_connected_parts_of_named_classes(make: Any, root: Path) -> None:
    labels = np.zeros((H, W), np.uint8)
    labels[1:4, 1:4], labels[4, 4], labels[8:10, 8:10], labels[0, 17], labels[11] = 2, 2, 2, 3, 1
    _save(root / "labels" / "0.png", labels)
    names = ["sky", "road", "car", "person", "tree"]
    instances = make(class_names=names, things=["car", 3])[0]["instance_map"].numpy()
    assert {*np.unique(instances)} == {0, 1, 1000, 1001, 1002}
    assert np.array_equal(instances == 1000, (labels == 2) & (np.arange(H) < 6)[:, None])
    assert np.array_equal(instances == 1002, labels == 3)
    assert np.array_equal(instances[labels < 2], labels[labels < 2])
    with pytest.raises(UserError, match=r"data\.source\.things=\['bus'\]: no class is called bus, wanted of sky, road"):
        make(class_names=names, things=["bus"])
    with pytest.raises(UserError, match=r"no class is called 7, wanted of 0 to 4"):
        make(things=[7])


def _cityscapes(root: Path, split: str, name: str, seed: int) -> None:
    labels = np.random.default_rng(seed).choice([7, 23, 26], (8, 16)).astype(np.uint8)
    instances = labels.astype(np.uint16)
    cars = labels == 26
    instances[cars] = 26000 + np.arange(cars.sum()) % 3
    instances[0, 0] = labels[0, 0] = 26  # a group of cars: the class itself
    _save(root / "leftImg8bit" / split / f"{name}_leftImg8bit.png", _pixels(seed, 8, 16))
    for kind, pixels in {"labelIds": labels, "instanceIds": instances, "color": _pixels(seed, 8, 16)}.items():
        _save(root / "gtFine" / split / f"{name}_gtFine_{kind}.png", pixels)


def test_cityscapes(tmp_path: Path) -> None:
    root = tmp_path / "cityscapes"
    places = {"train": ["aachen/aachen_0", "bonn/bonn_0"], "val": ["ulm/ulm_0"], "test": ["berlin/berlin_0"]}
    for split, names in places.items():
        for number, name in enumerate(names):
            _cityscapes(root, split, name, len(split) + number)
    settings = {
        "images": "leftImg8bit/{split}/{name}_leftImg8bit",
        "labels": "gtFine/{split}/{name}_gtFine_labelIds",
        "instances": "gtFine/{split}/{name}_gtFine_instanceIds",
        "num_classes": 35,
    }
    for split, expected in {"train": places["train"], "val": places["val"]}.items():
        dataset = LabelFolder(**settings, root=root, image_size=(8, 16), split=split, cache_dir=tmp_path / "cache")
        dataset.prepare()
        assert [dataset[index]["name"] for index in range(len(dataset))] == [
            f"leftImg8bit/{split}/{name}_leftImg8bit.png" for name in expected
        ]
        for index in range(len(dataset)):
            labels, instances = (dataset[index][kind].int() for kind in ("label_map", "instance_map"))
            assert instances.max() > 26000
            assert torch.equal(torch.where(instances < 1000, instances, instances // 1000), labels)
    (root / "gtFine" / "val" / "ulm" / "ulm_0_gtFine_instanceIds.png").unlink()
    with pytest.raises(UserError, match=r"ulm_0_leftImg8bit\.png: no file is called gtFine/val/ulm/ulm_0_gtFine_inst"):
        dataset.prepare()
    with pytest.raises(UserError, match=r"data\.source\.things=\[26\] is for sets without instance maps"):
        LabelFolder(**settings, things=[26], root=root, image_size=8)


def test_instance_maps_in_colour_tell_instances_by_their_colours(make: Any, root: Path) -> None:
    for number, name in enumerate(NAMES):
        colors = np.stack([_labels(number), _labels(number + 10) // 3, np.zeros((H, W), np.uint8)], -1)
        _save(root / "instances" / name, colors)
    instances = make(instances="instances/{name}")[1]["instance_map"].numpy()
    pairs = _labels(1).astype(int) * 256 + _labels(11) // 3
    together = {*zip(instances.ravel(), pairs.ravel(), strict=True)}
    assert len(together) == len(np.unique(pairs)) == len(np.unique(instances))
    _save(root / "instances" / "0.png", _pixels(0, 12, 6))
    with pytest.raises(UserError, match=r"0\.bmp: it has 18x12 pixels, its instances/0\.png 6x12, which is another"):
        make(instances="instances/{name}")


def test_parts_that_a_set_was_published_in(tmp_path: Path) -> None:
    root, settings = tmp_path / "ade", {"splits": ("training", "validation"), "num_classes": CLASSES}
    settings |= {"images": "images/{split}/{name}.jpg", "labels": "annotations/{split}/{name}.png"}
    for split, count in {"training": 3, "validation": 2, "extra": 1}.items():
        for number in range(count):
            _save(root / "images" / split / f"{number}.jpg", _pixels(number))
            _save(root / "annotations" / split / f"{number}.png", _labels(number))
    make = partial(LabelFolder, **settings, root=root, image_size=(H, W), cache_dir=tmp_path / "cache")
    parts = {split: make(split=split) for split in ("train", "val", "all")}
    exchanged = make(split="val", splits=("validation", "training"))
    for dataset in (*parts.values(), exchanged):
        dataset.prepare()
    assert {split: len(part) for split, part in parts.items()} == {"train": 3, "val": 2, "all": 5}
    assert len(exchanged) == 3
    assert exchanged.fingerprint() != parts["val"].fingerprint()
    lacking = make(split="val", splits=("training", "test"))
    with pytest.raises(UserError, match=r"has no images/test/\*\.jpg, wanted images of split=val: name the part in"):
        lacking.prepare()


def test_without_published_parts_a_hash_of_the_name_tells_the_side(make: Any, root: Path) -> None:
    for number in range(30):
        _save(root / "images" / f"x{number}.png", _pixels(number, 2, 3))
        _save(root / "labels" / f"x{number}.png", _labels(number, 2, 3))
    parts = [make(split=split, val_fraction=0.3, image_size=(2, 3)) for split in ("train", "val")]
    names = [{part[index]["name"] for index in range(len(part))} for part in parts]
    assert len(names[1]) > 4
    assert not names[0] & names[1]
    assert len(names[0] | names[1]) == 33


def test_files_beside_each_other(tmp_path: Path) -> None:
    for number in range(2):
        _save(tmp_path / "faces" / f"{number}.jpg", _pixels(number))
        _save(tmp_path / "faces" / f"{number}_label.png", _labels(number))
        _save(tmp_path / "other" / f"{number}.jpg", _pixels(number))
        _save(tmp_path / "other" / f"{number}.png", _labels(number))
    settings = {"image_size": (H, W), "num_classes": CLASSES, "cache_dir": tmp_path / "cache"}
    for root, images, labels in (("faces", "{name}", "{name}_label"), ("other", "{name}.jpg", "{name}.png")):
        dataset = LabelFolder(root=tmp_path / root, images=images, labels=labels, **settings)
        dataset.prepare()
        assert all(np.array_equal(found, _labels(number)) for number, found in enumerate(_label_maps(dataset)))


def test_segnet_s_copy_of_camvid(tmp_path: Path) -> None:
    for split, number in {"train": 0, "val": 1, "test": 2}.items():
        _save(tmp_path / "camvid" / split / "x.y.png", _pixels(number))
        _save(tmp_path / "camvid" / f"{split}annot" / "x.y.png", _labels(number))
    settings = {"images": "{split}/{name}", "labels": "{split}annot/{name}", "num_classes": CLASSES}
    for split, number in {"train": 0, "val": 1}.items():
        dataset = LabelFolder(root=tmp_path / "camvid", split=split, image_size=(H, W), cache_dir=tmp_path, **settings)
        dataset.prepare()
        assert len(dataset) == 1
        assert np.array_equal(dataset[0]["label_map"], _labels(number))


def test_folders_that_hold_something_else(make: Any, root: Path) -> None:
    with pytest.raises(UserError) as error:
        make(images="left/{name}", labels="{name}_labels.png", instances="things/{name}")
    there = "but, as one of them, images/0.bmp: set data.root to the folder that the pattern begins at, or data.source"
    assert error.value.lines == tuple(
        f"data.root={root}: data.source.{line}"
        for line in (
            f"images=left/{{name}}: no file is called left/*, {there}.images=<pattern>",
            f"labels={{name}}_labels.png: no file is called *_labels.png, {there}.labels=<pattern>",
            f"instances=things/{{name}}: no file is called things/*, {there}.instances=<pattern>, or "
            "data.source.instances=null if there are none",
        )
    )


def test_wrong_settings_are_named() -> None:
    for settings, words in (
        ({"images": "images/*"}, "data.source.images=images/*: wanted {name} once, and {split} at most once"),
        ({"labels": "{split}/{nam}"}, "data.source.labels={split}/{nam}: wanted {name} once"),
        ({"images": "{split}/{name}"}, "data.source.images, labels and instances: all have {split}, or none"),
        ({"num_classes": 256}, "data.num_classes=256 must be within 1 and 255"),
        ({"class_names": ["a"]}, "data.source.class_names has 1 entries: set data.num_classes=1, or one for each"),
        ({"class_names": ["a"] * 5}, "has an entry twice"),
        ({"ids": [0, 70000, 1, 2, 3]}, "must be within 0 and 65535, got [70000]"),
        ({"fit": "stretch"}, "data.source.fit=stretch must be one of resize, crop, pad, whole"),
    ):
        with pytest.raises(UserError, match=re.escape(words)):
            LabelFolder(**{"root": "x", "image_size": 8, "num_classes": CLASSES} | settings)


def test_fingerprints_follow_the_content_and_not_the_place(make: Any, root: Path, tmp_path: Path) -> None:
    original = make().fingerprint()
    root.rename(tmp_path / "elsewhere")
    assert make(root=tmp_path / "elsewhere").fingerprint() == original
    assert make(root=tmp_path / "elsewhere", dont_care=[4]).fingerprint() != original
    assert make(root=tmp_path / "elsewhere", things=[1]).fingerprint() != original
    _save(tmp_path / "elsewhere" / "labels" / "0.png", _labels(9))
    assert make(root=tmp_path / "elsewhere").fingerprint() != original


def test_a_prepared_set_travels_to_other_processes(make: Any) -> None:
    dataset = make(things=[1])
    there = pickle.loads(pickle.dumps(dataset))[1]
    assert all(torch.equal(there[kind], dataset[1][kind]) for kind in ("image", "label_map", "instance_map"))


def test_label_maps_as_a_domain_of_pictures(make: Any, root: Path, tmp_path: Path) -> None:
    settings = {"root": root, "image_size": (H, W), "cache_dir": tmp_path / "cache"}
    views = TwoViews(source=partial(LabelFolder, num_classes=CLASSES), a="label_map", **settings)
    views.prepare()
    assert torch.equal(views[1]["image"], painted_labels(make()[1]["label_map"]))
    assert torch.equal(views[1]["image_b"], make()[1]["image"])


def test_evaluation_pairs_and_batches(root: Path, tmp_path: Path) -> None:
    data = DataModule(
        source=partial(LabelFolder, num_classes=CLASSES, things=[1]),
        root=str(root),
        image_size=(H, W),
        num_classes=CLASSES,
        val_fraction=0.0,
        batch_size=2,
        augment=DomainCrops(image_size=(H, W), flip=True),
        cache_dir=tmp_path / "cache",
    )
    pairs = list(data.evaluation_pairs("train"))
    assert [pair["name"] for pair in pairs] == ["images/0.bmp", "images/deep/1.bmp", "images/deep/2.bmp"]
    for number, pair in enumerate(pairs):
        assert {kind: value.dtype for kind, value in pair.items() if kind != "name"} == {
            "image": torch.float32,
            "label_map": torch.int64,
            "instance_map": torch.int64,
        }
        assert np.array_equal(pair["label_map"][0], _labels(number))
        assert pair["image"].shape == (1, 3, H, W)
    with pytest.raises(UserError, match=r"data\.num_classes=4, LabelFolder has 5: set data\.num_classes=5"):
        DataModule(source=data.source, root=str(root), image_size=H, num_classes=4).dataset("train")
