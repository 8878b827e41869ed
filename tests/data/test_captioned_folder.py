import json
from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image

from freqgan.data import CaptionedFolder, DataModule, ImageFolder
from freqgan.errors import UserError


def picture(path, seed, size=(12, 12)):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (*size[::-1], 3), np.uint8)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def root(tmp_path):
    for i in range(12):
        picture(tmp_path / "photos" / ("nested" if i % 2 else "") / f"{i:02}.png", i)
    return tmp_path / "photos"


@pytest.fixture
def folder(tmp_path):
    def make(root, **settings):
        dataset = CaptionedFolder(**({"image_size": 8, "cache_dir": tmp_path / "cache"} | settings), root=root)
        dataset.prepare()
        return dataset

    return make


def names(root):
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*.png"))


def write_texts(root):
    for name in names(root):
        (root / name).with_suffix(".txt").write_text(f"caption of {name}\n\n  another   one\n", encoding="utf-8")


def write_lines(root, **others):
    said = {name: [f"caption of {name}", "another one"] for name in names(root)} | others
    lines = [json.dumps({"image": name, "captions": captions}) for name, captions in said.items()]
    (root / "captions.jsonl").write_text("\n".join(lines), encoding="utf-8")


@pytest.mark.parametrize("write", [write_texts, write_lines])
def test_captions_of_each_image(folder, root, tmp_path, write):
    write(root)
    dataset = folder(root)
    plain = ImageFolder(root=root, image_size=8, cache_dir=tmp_path / "cache")
    plain.prepare()
    assert len(dataset) == len(plain) == 12
    for index in range(12):
        sample = dataset[index]
        assert sample["caption"] == dataset.captions(index) == [f"caption of {sample['name']}", "another one"]
        assert torch.equal(sample["image"], plain[index]["image"])
        assert "class" not in sample


def test_both_ways_have_one_fingerprint_and_words_change_it(folder, root):
    write_texts(root)
    by_texts = folder(root).fingerprint()
    write_lines(root)
    assert folder(root).fingerprint() == by_texts
    write_lines(root, **{"00.png": ["something else"]})
    assert folder(root).fingerprint() != by_texts


def test_lines_of_one_image_come_together(folder, root):
    write_lines(root)
    with open(root / "captions.jsonl", "a", encoding="utf-8") as file:
        file.write('\n\n{"image": "./00.png", "caption": " a third\\tone"}\n')
    assert folder(root).captions(0) == ["caption of 00.png", "another one", "a third one"]


def test_images_without_captions(folder, root, caplog):
    write_lines(root, **{"02.png": [" "], "nested/03.png": [], "elsewhere.png": ["nothing"]})
    with pytest.raises(UserError) as error:
        folder(root)
    assert error.value.lines[:2] == (
        "02.png has no caption: wanted 02.txt or a line of captions.jsonl",
        "nested/03.png has no caption: wanted nested/03.txt or a line of captions.jsonl",
    )
    assert "2 images without a caption among 12: add them, or set data.on_error=skip" in error.value.lines[2]
    dataset = folder(root, on_error="skip")
    assert [skipped.name for skipped in dataset.skipped] == ["02.png", "nested/03.png"]
    assert [dataset[i]["name"] for i in range(3)] == ["00.png", "04.png", "04.png"]
    assert "captions of 1 images that are not there" in caplog.text


def test_no_caption_at_all_is_never_skipped(folder, root):
    with pytest.raises(UserError, match="12 images without a caption among 12"):
        folder(root, on_error="skip")


@pytest.mark.parametrize(
    "line", ["{", "[" * 100_000, "[1]", '{"image": "00.png"}', '{"captions": ["a"]}', '{"image": 3, "caption": "a"}']
)
def test_lines_that_cannot_be_read(folder, root, line):
    (root / "captions.jsonl").write_text(f"\n{line}\n")
    with pytest.raises(UserError, match=r"captions\.jsonl, line 2 .*wanted \{\"image\""):
        folder(root)


def test_other_encodings(folder, root):
    write_texts(root)
    (root / "00.txt").write_bytes("\ufeffein grüner Kreis".encode())
    assert folder(root).captions(0) == ["ein grüner Kreis"]
    (root / "00.txt").write_bytes("ein grüner Kreis".encode("latin-1"))
    with pytest.raises(UserError, match=r"00\.txt is not UTF-8 \(byte 6\)"):
        folder(root)


def test_coco(folder, tmp_path):
    root = tmp_path / "coco" / "train2014"
    for i in range(3):
        picture(root / f"COCO_{i}.png", i)
    facts = {
        "images": [{"id": 70 + i, "file_name": f"COCO_{i}.png"} for i in range(3)],
        "annotations": [{"image_id": 70 + i % 3, "caption": f"number {i}\n"} for i in range(6)],
    }
    with pytest.raises(UserError, match=r"holds no captions_\*\.json"):
        folder(root, layout="coco")
    notes = tmp_path / "coco" / "annotations" / "captions_train2014.json"
    notes.parent.mkdir()
    notes.write_text(json.dumps(facts))
    for place in (root, root.parent):
        dataset = folder(place, layout="coco")
        assert [dataset.captions(i) for i in range(3)] == [[f"number {i}", f"number {i + 3}"] for i in range(3)]
    for text in ('{"images": []}', "[" * 100_000):
        notes.write_text(text)
        with pytest.raises(UserError, match="has not the form of COCO's captions"):
            folder(root, layout="coco")


@pytest.fixture
def cub(tmp_path):
    root = tmp_path / "CUB_200_2011"
    paths = [f"{i:03}.Bird_{i}/{n}.png" for i in range(1, 9) for n in range(2)]
    for number, path in enumerate(paths):
        picture(root / "images" / path, number, size=(30, 20))
        text = (root / "text" / path).with_suffix(".txt")
        text.parent.mkdir(parents=True, exist_ok=True)
        text.write_text(f"bird {number}\nit has wings\n")
    (root / "images.txt").write_text("".join(f"{n} {path}\n" for n, path in enumerate(paths, 1)))
    (root / "bounding_boxes.txt").write_text("".join(f"{n} 10.0 6.0 8.0 4.0\n" for n in range(1, 17)))
    return root


def test_cub(folder, cub):
    dataset = folder(cub, layout="cub", image_size=12)
    assert len(dataset) == 16
    sample = dataset[5]
    assert sample["caption"] == ["bird 5", "it has wings"]
    assert sample["class"] == 2
    # Half a side is 0.75 · 8 = 6, about (14, 8): nothing to resize.
    pixels = np.asarray(Image.open(cub / sample["name"]))[2:14, 8:20]
    assert np.array_equal(sample["image"].numpy(), pixels.transpose(2, 0, 1))


def test_species_of_cub_are_kept_apart(folder, cub):
    sides = {split: folder(cub, layout="cub", split=split, val_fraction=0.4) for split in ("train", "val")}
    classes = {split: [side[i]["class"] for i in range(len(side))] for split, side in sides.items()}
    assert set(classes["train"]) | set(classes["val"]) == set(range(8))
    assert not set(classes["train"]) & set(classes["val"])
    assert len(classes["train"]) + len(classes["val"]) == 16


def test_classes_are_known_without_the_images(cub, root, tmp_path, monkeypatch):
    def data(folder, layout):
        source = partial(CaptionedFolder, layout=layout)
        settings = {"image_size": 12, "val_fraction": 0.4, "batch_size": 1, "cache_dir": tmp_path / "cache"}
        return DataModule(source=source, root=str(folder), **settings)

    write_texts(root)
    birds = data(cub, "cub")
    expected = [birds.sample("train", index)["class"] for index in range(len(birds.dataset("train")))]
    monkeypatch.setattr(CaptionedFolder, "__getitem__", None)
    assert birds.classes("train") == expected
    assert data(root, "folder").classes("train") is None


def test_what_is_no_cub(folder, cub, root):
    with pytest.raises(UserError, match="is no CUB_200_2011 with captions"):
        folder(root, layout="cub")
    (cub / "bounding_boxes.txt").write_text("1 2 3\n")
    with pytest.raises(UserError, match="has not the form of CUB_200_2011"):
        folder(cub, layout="cub")
    with pytest.raises(UserError, match=r"data\.source\.layout=flickr must be one of folder, coco, cub"):
        folder(root, layout="flickr")
