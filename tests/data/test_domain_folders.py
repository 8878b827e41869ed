"""Two folders with pairs, two without, and pairs side by side."""

import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from freqgan.data import PairedFolders, SideBySide, UnpairedFolders
from freqgan.data.scanned_folder import ScannedFolder
from freqgan.errors import UserError
from freqgan.ops.palette import label_colors

NAMES = ["0.png", "deep/1.png", "deep/2.png"]


def _pixels(seed: int, height: int = 12, width: int = 18) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def _save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def _chw(pixels: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(pixels.transpose(2, 0, 1).copy())


@pytest.fixture
def roots(tmp_path: Path) -> dict[str, Path]:
    """Pictures 0, 1, 2 of A and 10, 11, 12 of B, by the same names in another format."""
    for number, name in enumerate(NAMES):
        _save(tmp_path / "a" / name, _pixels(number))
        _save(tmp_path / "b" / Path(name).with_suffix(".bmp"), _pixels(10 + number))
    return {"root": tmp_path / "a", "root_b": tmp_path / "b"}


@pytest.fixture
def make(tmp_path: Path, roots: dict[str, Path]) -> Any:
    def make(kind: Any = PairedFolders, **settings: Any) -> Any:
        dataset = kind(**({"image_size": (12, 18), "cache_dir": tmp_path / "cache", **roots} | settings))
        dataset.prepare()
        return dataset

    return make


@pytest.mark.parametrize("limit", [4.0, 0.0])
@pytest.mark.parametrize("fit", ["resize", "crop", "pad", "whole"])
def test_pairs_by_name(make: Any, fit: str, limit: float) -> None:
    dataset = make(fit=fit, cache_limit_gib=limit)
    assert dataset.paired
    assert dataset.lengths == (3, 3)
    assert dataset.any_size == (fit == "whole")
    for index, name in enumerate(NAMES):
        sample = dataset[index]
        assert sample["name"] == name
        assert torch.equal(sample["image"], _chw(_pixels(index)))
        assert torch.equal(sample["image_b"], _chw(_pixels(10 + index)))
        assert {**dataset.domain_a(index), **dataset.domain_b(index)}.keys() == {"image", "name", "image_b", "name_b"}


def test_a_domain_is_read_without_the_other(make: Any, roots: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    read = []
    pixels = ScannedFolder.pixels

    def noted(folder: ScannedFolder, row: int) -> np.ndarray:
        read.append(folder.root)
        return pixels(folder, row)

    monkeypatch.setattr(ScannedFolder, "pixels", noted)
    for kind in (PairedFolders, UnpairedFolders):
        dataset = make(kind, cache_limit_gib=0.0)
        dataset.domain_a(0)
        dataset.domain_b(1)
        assert read == [roots["root"], roots["root_b"]]
        read.clear()


def test_names_that_do_not_pair_up_are_listed(
    make: Any, roots: dict[str, Path], caplog: pytest.LogCaptureFixture
) -> None:
    (roots["root_b"] / "0.bmp").unlink()
    _save(roots["root_b"] / "deep" / "1.jpg", _pixels(0))
    _save(roots["root_b"] / "left over.png", _pixels(0))
    with pytest.raises(UserError) as error:
        make()
    assert error.value.lines == (
        "0.png: no file of B is called 0.*",
        "deep/1.png: 2 files of B are called deep/1.*",
        "left over.png of B belongs to no file of A",
        f"2 of 3 files in data.root={roots['root']} and 1 in data.root_b={roots['root_b']} are in no pair that can be "
        "used: repair or rename them, or set data.on_error=skip",
    )
    dataset = make(on_error="skip")
    assert [dataset[index]["name"] for index in range(3)] == ["deep/2.png"] * 3
    assert torch.equal(dataset[0]["image_b"], _chw(_pixels(12)))
    assert [str(error) for error in dataset.skipped] == list(error.value.lines[:2])
    assert caplog.messages == [f"data.root_b={roots['root_b']}: 1 files belong to no file of A: left over.png"]
    (roots["root_b"] / "deep" / "2.bmp").unlink()
    with pytest.raises(UserError, match=r"has 3 unusable among 3 images, none is left: repair them$"):
        make(on_error="skip")


def test_two_files_of_a_with_one_partner_are_listed(make: Any, roots: dict[str, Path]) -> None:
    _save(roots["root"] / "0.bmp", _pixels(0))
    with pytest.raises(UserError, match=r"0\.bmp: 2 files of A are called 0\.\*"):
        make()


def test_endings(make: Any, tmp_path: Path) -> None:
    for number in range(2):
        _save(tmp_path / "photos" / f"{number}_photo.png", _pixels(number))
        _save(tmp_path / "maps" / f"{number}_labels.png", _pixels(number + 10))
    roots = {"root": tmp_path / "photos", "root_b": tmp_path / "maps"}
    dataset = make(**roots, endings=("_photo", "_labels"))
    assert torch.equal(dataset[1]["image_b"], _chw(_pixels(11)))
    _save(tmp_path / "maps" / "0_instances.png", _pixels(20))
    assert torch.equal(make(**roots, endings=("_photo", "_labels"))[0]["image_b"], _chw(_pixels(10)))
    with pytest.raises(UserError) as error:
        make(**roots, endings=("_photo", "_instances"))
    assert error.value.lines[0] == "1_photo.png: no file of B is called 1_instances.*"
    with pytest.raises(UserError, match=r"photos holds no image called \*_picture\.\*: set data\.source\.endings"):
        make(**roots, endings=("_picture", "_labels"))


def test_one_folder_may_hold_both_domains(make: Any, tmp_path: Path) -> None:
    for number in range(2):
        for place, ending in enumerate(("_photo", "_labels", "_instances")):
            _save(tmp_path / "both" / f"{number}{ending}.png", _pixels(10 * place + number))
    settings: Any = {"root": tmp_path / "both", "root_b": tmp_path / "both", "endings": ("_photo", "_labels")}
    dataset = make(**settings)
    assert dataset.lengths == (2, 2)
    assert torch.equal(dataset[1]["image"], _chw(_pixels(1)))
    assert torch.equal(dataset[1]["image_b"], _chw(_pixels(11)))
    (tmp_path / "both" / "1_photo.png").rename(tmp_path / "both" / "1_foto.png")
    with pytest.raises(UserError, match=r"1_labels\.png of B belongs to no file of A"):
        make(**settings)


@pytest.mark.parametrize("domain", ["a", "b"])
@pytest.mark.fault("data", "damaged picture in a data set")
def test_unreadable_files_of_either_domain(make: Any, roots: dict[str, Path], domain: str) -> None:
    file = roots["root"] / "0.png" if domain == "a" else roots["root_b"] / "0.bmp"
    file.write_bytes(b"no image")
    with pytest.raises(
        UserError, match=r"0\.png( cannot be read as an image|: its partner cannot be read): not one of"
    ):
        make()
    dataset = make(on_error="skip")
    assert [dataset[index]["name"] for index in range(3)] == ["deep/1.png", "deep/1.png", "deep/2.png"]
    unpaired = make(UnpairedFolders, on_error="skip")
    assert unpaired.lengths == (3, 3)
    assert (len(unpaired.skipped), len(unpaired.skipped_b)) == ((1, 0) if domain == "a" else (0, 1))


@pytest.mark.fault("data", "damaged picture in a data set")
def test_all_that_is_in_no_pair_is_listed_at_once(make: Any, roots: dict[str, Path]) -> None:
    (roots["root"] / "0.png").write_bytes(b"no image")
    (roots["root_b"] / "deep" / "1.bmp").write_bytes(b"no image")
    (roots["root_b"] / "deep" / "2.bmp").unlink()
    with pytest.raises(UserError) as error:
        make()
    words = "deep/2.png: no file|deep/1.png: its partner cannot be read|0.png cannot be read as an image|3 of 3 files"
    for line, beginning in zip(error.value.lines, words.split("|"), strict=True):
        assert line.startswith(beginning)


def test_sizes_that_differ(make: Any, roots: dict[str, Path], caplog: pytest.LogCaptureFixture) -> None:
    _save(roots["root_b"] / "0.bmp", _pixels(10, 6, 9))  # half the size, the same shape
    _save(roots["root_b"] / "deep" / "1.bmp", _pixels(11, 12, 12))
    with pytest.raises(UserError) as error:
        make(fit="whole")
    assert error.value.lines[:2] == (
        "0.png: it has 18x12 pixels, its partner 9x6: set data.source.fit=resize",
        "deep/1.png: it has 18x12 pixels, its partner 12x12: set data.source.fit=resize",
    )
    for fit in ("crop", "pad"):
        with pytest.raises(UserError, match=r"12x12, which is another shape: set data\.source\.fit=resize") as error:
            make(fit=fit)
        assert len(error.value.lines) == 2
    assert make(fit="resize")[1]["image_b"].shape == (3, 12, 18)
    assert "1 pictures have another shape than their partners" in caplog.text


def test_a_side_that_was_rounded_is_no_other_shape(make: Any, roots: dict[str, Path]) -> None:
    _save(roots["root"] / "0.png", _pixels(0, 101, 150))
    _save(roots["root_b"] / "0.bmp", _pixels(0, 25, 37))
    assert len(make(fit="crop")) == 3


def test_grey_and_deep_files(make: Any, roots: dict[str, Path], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    deep = np.random.default_rng(0).integers(0, 65536, (12, 18)).astype(np.uint16)
    Image.fromarray(deep).save(roots["root"] / "0.png")
    Image.fromarray(_pixels(10)).convert("L").save(roots["root_b"] / "0.bmp")
    _save(roots["root_b"] / "deep" / "1.bmp", _pixels(11, 24, 36))
    sample = make()[0]
    said = [record.getMessage() for record in caplog.records if "pixels," in record.getMessage()]
    assert said == [
        f"data.root={roots['root']}: 3 images of 18x12 pixels, 1 of them without colour, 16 bits",
        f"data.root_b={roots['root_b']}: 3 images of 18x12 to 36x24 pixels, 1 of them without colour, 8 bits",
    ]
    assert torch.equal(sample["image"], torch.from_numpy(deep.astype(np.float32) / 65535).expand(3, 12, 18))
    assert (sample["image_b"].dtype, sample["image_b"].shape) == (torch.uint8, (3, 12, 18))
    grey = make(channels=1)[1]
    assert grey["image"].shape == grey["image_b"].shape == (1, 12, 18)


def test_label_maps_become_colours(make: Any, roots: dict[str, Path]) -> None:
    labels = {number: np.random.default_rng(number).integers(0, 9, (12, 18)).astype(np.uint8) for number in range(3)}
    for number, name in enumerate(NAMES):
        Image.fromarray(labels[number]).save(roots["root"] / name)
    for fit in ("resize", "whole"):
        sample = make(labels="a", fit=fit)[1]
        assert torch.equal(sample["image"], _chw(label_colors(9).numpy()[labels[1]]))
        assert torch.equal(sample["image_b"], _chw(_pixels(11)))
    small = make(labels="a", image_size=5)[0]["image"]
    assert {*map(tuple, small.flatten(1).T.tolist())} <= {*map(tuple, label_colors(9).tolist())}


def test_pairs_are_on_one_side_and_stay_there(make: Any, tmp_path: Path, roots: dict[str, Path]) -> None:
    for number in range(40):
        _save(roots["root"] / f"x{number}.png", _pixels(number, 4, 6))
        _save(roots["root_b"] / f"x{number}.png", _pixels(100 + number, 4, 6))
    parts = {split: make(split=split, val_fraction=0.3) for split in ("train", "val")}
    names = {split: [part.domain_a(index)["name"] for index in range(len(part))] for split, part in parts.items()}
    assert len(names["val"]) > 5
    assert sorted(names["train"] + names["val"]) == sorted([*NAMES, *(f"x{number}.png" for number in range(40))])
    for part in parts.values():
        for index in range(len(part)):
            stems = [Path(part.domain_a(index)["name"]).stem, Path(part.domain_b(index)["name_b"]).stem]
            assert stems[0] == stems[1]
    (roots["root"] / "0.png").unlink()
    (roots["root_b"] / "0.bmp").unlink()
    fewer = make(split="val", val_fraction=0.3)
    assert [fewer.domain_a(index)["name"] for index in range(len(fewer))] == [n for n in names["val"] if n != "0.png"]


def test_unpaired_folders_have_their_own_lengths(make: Any, roots: dict[str, Path]) -> None:
    _save(roots["root_b"] / "more.png", _pixels(20, 30, 30))
    dataset = make(UnpairedFolders, fit="crop")
    assert dataset.lengths == (3, 4)
    assert len(dataset) == 3
    assert dataset.domain_b(3)["name_b"] == "more.png"
    with pytest.raises(UserError, match=r"data\.source=UnpairedFolders has no pairs: choose model=cyclegan"):
        dataset[0]


@pytest.mark.parametrize("fit", ["resize", "crop", "pad", "whole"])
@pytest.mark.parametrize("left", ["a", "b"])
@pytest.mark.parametrize("limit", [4.0, 0.0])
def test_side_by_side_in_both_directions(make: Any, tmp_path: Path, fit: str, left: str, limit: float) -> None:
    for number in range(3):
        _save(tmp_path / "ab" / f"{number}.png", np.concatenate([_pixels(number), _pixels(10 + number)], 1))
    roots = {"root": tmp_path / "ab", "root_b": None}
    dataset = make(SideBySide, fit=fit, left=left, cache_limit_gib=limit, **roots)
    names = ("image", "image_b") if left == "a" else ("image_b", "image")
    for index in range(3):
        assert torch.equal(dataset[index][names[0]], _chw(_pixels(index)))
        assert torch.equal(dataset[index][names[1]], _chw(_pixels(10 + index)))
    other = make(SideBySide, fit=fit, left="b" if left == "a" else "a", **roots)
    assert other.fingerprint() != dataset.fingerprint()


def test_a_file_of_odd_width_has_no_halves(make: Any, tmp_path: Path) -> None:
    _save(tmp_path / "ab" / "0.png", _pixels(0, 8, 15))
    _save(tmp_path / "ab" / "1.png", _pixels(0, 8, 16))
    words = r"0\.png cannot be read as an image: its width of 15 pixels is odd"
    with pytest.raises(UserError, match=words):
        make(SideBySide, root=tmp_path / "ab", root_b=None)
    assert len(make(SideBySide, root=tmp_path / "ab", root_b=None, on_error="skip").skipped) == 1


def test_a_larger_load_size_is_for_crops(make: Any) -> None:
    dataset = make(image_size=8, load_size=(9, 10))
    assert dataset.any_size
    assert dataset[0]["image"].shape == dataset[0]["image_b"].shape == (3, 9, 10)
    assert not make(image_size=8).any_size
    with pytest.raises(UserError, match=r"load_size=\(7, 10\) is less than data\.image_size=\[8, 8\]"):
        make(image_size=8, load_size=(7, 10))


@pytest.mark.parametrize("kind", [PairedFolders, UnpairedFolders])
def test_fingerprints_follow_the_content_and_not_the_place(make: Any, tmp_path: Path, kind: Any) -> None:
    original = make(kind).fingerprint()
    (tmp_path / "b").rename(tmp_path / "elsewhere")
    assert make(kind, root_b=tmp_path / "elsewhere").fingerprint() == original
    assert make(kind, root_b=tmp_path / "elsewhere", fit="crop").fingerprint() != original
    _save(tmp_path / "elsewhere" / "0.bmp", _pixels(99))
    assert make(kind, root_b=tmp_path / "elsewhere").fingerprint() != original


def test_a_prepared_set_travels_to_other_processes(make: Any) -> None:
    dataset = make()
    there = pickle.loads(pickle.dumps(dataset))
    assert torch.equal(there[1]["image_b"], dataset[1]["image_b"])


def test_wrong_settings_are_named() -> None:
    with pytest.raises(UserError, match=r"data\.root_b is empty, wanted the folder of domain B"):
        PairedFolders(root="x", image_size=8)
    with pytest.raises(UserError, match=r"data\.root_b=y is not read by SideBySide: choose data=paired_folders"):
        SideBySide(root="x", root_b="y", image_size=8)
    for settings, words in (
        ({"fit": "stretch"}, "data.source.fit=stretch must be one of resize, crop, pad, whole"),
        ({"labels": "c"}, "data.source.labels=c must be a, b or null"),
        ({"fit": "whole", "load_size": 9}, "data.source.load_size=9 is for images that are fitted"),
        ({"image_size": (4, 5, 6)}, "data.image_size=[4, 5, 6] must be at least 1, or [height, width] of such"),
        ({"image_size": (4, 0)}, "data.image_size=[4, 0] must be at least 1"),
    ):
        with pytest.raises(UserError, match=re.escape(words)):
            PairedFolders(**{"root": "x", "root_b": "y", "image_size": 8} | settings)
    with pytest.raises(UserError, match=r"data\.source\.left=c must be a or b"):
        SideBySide(root="x", image_size=8, left="c")
