import logging
import os
import pickle
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from freqgan.data import ImageFolder
from freqgan.data.folder_listing import list_images
from freqgan.errors import UserError


def picture(seed, size=(20, 12), mode="RGB"):
    rng = np.random.default_rng(seed)
    return Image.fromarray(rng.integers(0, 256, (*size[::-1], 3), np.uint8)).convert(mode)


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "photos"
    (folder / "nested" / "deeper").mkdir(parents=True)
    for i in range(12):
        picture(i).save(folder / ("nested/deeper" if i % 2 else "") / f"{i:02}.png")
    return folder


@pytest.fixture
def folder(tmp_path):
    def make(root, **settings):
        dataset = ImageFolder(**({"image_size": 8, "cache_dir": tmp_path / "cache"} | settings), root=root)
        dataset.prepare()
        return dataset

    return make


def all_images(dataset):
    return torch.stack([dataset[i]["image"] for i in range(len(dataset))])


@pytest.mark.parametrize(("size", "box"), [((20, 8), (6, 0)), ((8, 20), (0, 6)), ((8, 8), (0, 0))])
def test_centre_crop(folder, tmp_path, size, box):
    picture(0, size=size).save(tmp_path / "x.png")
    expected = np.asarray(picture(0, size=size))[box[1] : box[1] + 8, box[0] : box[0] + 8].transpose(2, 0, 1)
    assert np.array_equal(folder(tmp_path)[0]["image"], expected)


def test_resizing_is_antialiased_and_keeps_the_average(folder, tmp_path):
    Image.fromarray((np.indices((64, 128)).sum(0) % 2 * 255).astype(np.uint8)).save(tmp_path / "x.png")
    grey = folder(tmp_path)[0]["image"].float()
    assert grey.sub(127.5).abs().max() < 4  # without antialiasing 0 or 255


def test_channels(folder, root):
    assert folder(root)[0]["image"].shape == (3, 8, 8)
    luma = folder(root, channels=1, image_size=12)[0]["image"]
    square = np.asarray(picture(0).crop((4, 0, 16, 12)), np.float64)
    expected = square @ np.array((0.299, 0.587, 0.114))
    assert luma.shape == (1, 12, 12)
    assert np.abs(luma[0].numpy() - expected).max() <= 1


def test_every_mode_in_one_folder(folder, tmp_path):
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA"):
        picture(0, mode=mode).save(tmp_path / f"{mode}.png")
    for mode in ("L", "RGB", "CMYK"):
        picture(0, mode=mode).save(tmp_path / f"{mode}.jpg")
    images = all_images(folder(tmp_path, channels=3))
    assert images.shape == (9, 3, 8, 8)
    assert images.dtype == torch.uint8


def test_sixteen_bit_keeps_its_depth_and_carries_the_others_exactly(folder, tmp_path):
    deep = np.random.default_rng(0).integers(0, 65536, (8, 8)).astype(np.uint16)
    Image.fromarray(deep).save(tmp_path / "a.png")
    shallow = picture(1, size=(8, 8))
    shallow.save(tmp_path / "b.png")
    for limit in (4.0, 0.0):  # cached, and decoded at every access
        dataset = folder(tmp_path, cache_limit_gib=limit)
        first, second = dataset[0]["image"], dataset[1]["image"]
        assert first.dtype == second.dtype == torch.float32
        assert torch.equal(first, torch.from_numpy(deep.astype(np.float32) / 65535).expand(3, 8, 8))
        expected = np.asarray(shallow).transpose(2, 0, 1).astype(np.float32)
        assert np.abs(second.numpy() * 255 - expected).max() < 1e-4


def test_deep_colour_is_noticed(folder, tmp_path, caplog, monkeypatch):
    picture(0).save(tmp_path / "x.png")
    header = type("H", (), {"depth": 8, "loses_depth": True})
    monkeypatch.setattr("freqgan.data.folder_scan.read_header", lambda *_, **__: header)
    folder(tmp_path)
    assert "1 images have 16-bit colour, read at 8 bits" in caplog.text


def test_large_sets_are_decoded_at_every_access_and_look_the_same(folder, root, tmp_path):
    cached, direct = folder(root), folder(root, cache_limit_gib=0.0)
    assert torch.equal(all_images(cached), all_images(direct))
    assert cached.fingerprint() == direct.fingerprint()
    assert len(list((tmp_path / "cache").rglob("pixels.npy"))) == 1


def test_the_second_start_reads_no_image(folder, root, monkeypatch):
    before = all_images(folder(root))

    def never(*_, **__):
        raise AssertionError("an image was read again")

    monkeypatch.setattr("freqgan.data.scanned_folder.scan_folder", never)
    assert torch.equal(all_images(folder(root)), before)


def test_a_changed_file_is_noticed(folder, root):
    before = folder(root)
    picture(99).save(root / "00.png")
    after = folder(root)
    assert not torch.equal(before[0]["image"], after[0]["image"])
    assert before.fingerprint() != after.fingerprint()


def test_fingerprint_follows_the_content_and_not_the_place(folder, root, tmp_path):
    original = folder(root).fingerprint()
    copy = tmp_path / "elsewhere"
    shutil.copytree(root, copy)
    assert folder(copy).fingerprint() == original
    (copy / "00.png").rename(copy / "renamed.png")
    assert folder(copy).fingerprint() != original
    others = ({"image_size": 16}, {"channels": 1}, {"split": "train"}, {"split": "val"})
    assert len({folder(root, **other).fingerprint() for other in others} | {original}) == 5


def test_split_is_stable_when_files_are_added(folder, root):
    def names(split):
        dataset = folder(root, split=split, val_fraction=0.4)
        return {dataset._folder.names[row] for row in dataset._rows}

    before = {split: names(split) for split in ("train", "val", "all")}
    assert before["train"]
    assert before["val"]
    assert before["train"] | before["val"] == before["all"]
    for i in range(20):
        picture(i).save(root / f"0{i}_new.png")
    for split, old in before.items():
        assert old < names(split)


@pytest.mark.fault("data", "strange names and links")
def test_strange_names_links_and_hidden_files(folder, tmp_path):
    root = tmp_path / "strange"
    (root / "sub").mkdir(parents=True)
    names = [b"with space.png", b"new\nline.PNG", "ünï.png".encode(), b"\xff\xfe.png"]
    for i, name in enumerate(names):
        with open(os.path.join(os.fsencode(root), name), "wb") as file:
            picture(i).save(file, "PNG")
    picture(9).save(root / ".hidden.png")
    (root / "notes.txt").write_text("not an image")
    os.mkfifo(root / "pipe.png")
    (root / "sub" / "up").symlink_to(root)
    (root / "loop").symlink_to("loop")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    picture(5).save(elsewhere / "linked.png")
    (root / "link").symlink_to(elsewhere)
    found = [os.fsencode(name) for name, *_ in list_images(root)]
    assert sorted(found) == sorted([*names, b"link/linked.png", b"pipe.png"])
    dataset = folder(root, on_error="skip")
    assert len(dataset) == 6
    assert [str(error) for error in dataset.skipped] == [
        "pipe.png cannot be read as an image: it is a pipe, wanted a file"
    ]


@pytest.fixture
def damaged(root):
    (root / "03_text.png").write_text("hello")
    (root / "05_empty.jpg").write_bytes(b"")
    whole = (root / "00.png").read_bytes()
    (root / "zz_cut.png").write_bytes(whole[: len(whole) // 2])
    (root / "04_gone.png").symlink_to(root / "nowhere.png")
    return root


@pytest.mark.fault("data", "damaged picture in a data set")
def test_unreadable_files_are_reported_by_name(folder, damaged):
    with pytest.raises(UserError) as error:
        folder(damaged)
    reported = [line.split(" cannot be read")[0] for line in error.value.lines[:-1]]
    assert reported == ["03_text.png", "04_gone.png", "05_empty.jpg", "zz_cut.png"]
    assert "4 unreadable among 16 images" in error.value.lines[-1]
    assert "data.on_error=skip" in error.value.lines[-1]


@pytest.mark.parametrize("limit", [4.0, 0.0])
@pytest.mark.fault("data", "damaged picture in a data set")
def test_skip_takes_the_next_good_file_by_index(folder, damaged, limit):
    dataset = folder(damaged, on_error="skip", cache_limit_gib=limit)
    names = [name for name, *_ in list_images(damaged)]
    bad = {"03_text.png", "04_gone.png", "05_empty.jpg", "zz_cut.png"}
    assert [error.name for error in dataset.skipped] == sorted(bad)
    expected = []
    for start in range(len(names)):
        following = names[start:] + names
        expected.append(next(name for name in following if name not in bad))
    assert len(dataset) == 16
    for index, name in enumerate(expected):
        with Image.open(damaged / name) as image:
            square = image.resize((8, 8), Image.Resampling.BICUBIC, box=(4, 0, 16, 12))
            assert torch.equal(dataset[index]["image"], torch.from_numpy(np.array(square).transpose(2, 0, 1))), name


def test_larger_images_than_allowed_are_unreadable(folder, root):
    picture(0, size=(30, 30)).save(root / "large.png")
    assert [error.name for error in folder(root, max_pixels=899, on_error="skip").skipped] == ["large.png"]
    assert not folder(root, max_pixels=900).skipped


@pytest.mark.parametrize("limit", [4.0, 0.0])
def test_a_prepared_set_travels_to_other_processes(folder, root, limit):
    dataset = folder(root, cache_limit_gib=limit)
    packed = pickle.dumps(dataset)
    assert len(packed) < 2500
    assert torch.equal(all_images(pickle.loads(packed)), all_images(dataset))


@pytest.mark.fault("data", "damaged picture in a data set")
def test_a_folder_of_unreadable_files_is_an_error_even_with_skip(folder, tmp_path):
    (tmp_path / "x.png").write_bytes(b"x")
    with pytest.raises(UserError, match="1 unreadable among 1"):
        folder(tmp_path, on_error="skip")


def test_missing_empty_and_misspelt_folders(folder, root, tmp_path):
    with pytest.raises(UserError, match=r"did you mean .*/photos\?"):
        folder(tmp_path / "fotos")
    with pytest.raises(UserError, match=r"did you mean .*/photos\?"):
        folder(tmp_path / "foto" / "train")
    with pytest.raises(UserError, match="is a file, wanted a folder"):
        folder(root / "00.png")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="holds no image"):
        folder(tmp_path / "empty")


def test_constructing_reads_nothing_and_collects_all_mistakes():
    ImageFolder(root="/nowhere", image_size=8)
    with pytest.raises(UserError) as error:
        ImageFolder(root=None, image_size=0, channels=4, split="test", on_error="ignore")
    keys = (
        "image_size=0",
        "channels=4",
        "split=test",
        "on_error=ignore",
        "root is empty",
    )
    assert [key for key in keys if any(f"data.{key}" in line for line in error.value.lines)] == list(keys)


def test_the_log_says_that_the_folder_is_read_once(folder, root, caplog):
    with caplog.at_level(logging.INFO, "freqgan"):
        folder(root)
        folder(root)
    assert caplog.text.count("reading 12 images") == 1
