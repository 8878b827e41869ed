import os
import tarfile

import pytest
from PIL import Image

from freqgan.data import shard_writer
from freqgan.data.shard_writer import write_shards
from freqgan.errors import StorageError, UserError


def picture(path, red=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), (red, 0, 0)).save(path)


@pytest.fixture
def root(tmp_path):
    for i in range(6):
        picture(tmp_path / "in" / ("ab"[i % 2]) / f"{i}.png", i)
    return tmp_path / "in"


def names(shard):
    with tarfile.open(shard) as archive:
        return archive.getnames()


def test_files_go_in_as_they_are_with_what_lies_beside_them(root, tmp_path):
    (root / "a" / "2.txt").write_text("two")
    (root / "a" / "2.json").write_text("{}")
    (root / "a" / "2.cls").write_text("1")
    picture(root / "a" / "2.seg.png")
    (root / "a" / "9.txt").write_text("of no picture")
    ((shard,), skipped) = write_shards(root, tmp_path / "out", prefix="train")
    assert skipped == []
    assert shard.name == "train-000000.tar"
    beside = ["a/2.txt", "a/2.json", "a/2.cls", "a/2.seg.png"]
    assert names(shard) == ["a/0.png", "a/2.png", *beside, "a/4.png", "b/1.png", "b/3.png", "b/5.png"]
    with tarfile.open(shard) as archive:
        for member in archive:
            content = archive.extractfile(member)
            assert content is not None
            assert content.read() == (root / member.name).read_bytes()
            assert (member.mtime, member.uid, member.gid, member.uname) == (0, 0, 0, "")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [shard.name, f"{shard.name}.idx.json"]


def test_equal_folders_give_equal_shards(root, tmp_path):
    os.utime(root / "a" / "0.png", (1, 1))
    (first,), _ = write_shards(root, tmp_path / "one")
    os.utime(root / "a" / "0.png", (2, 2))
    (second,), _ = write_shards(root, tmp_path / "two")
    assert first.read_bytes() == second.read_bytes()


def test_a_shard_ends_with_the_picture_that_passes_its_size(root, tmp_path):
    shards, _ = write_shards(root, tmp_path / "out", shard_bytes=1025)
    assert [names(shard) for shard in shards] == [
        ["a/0.png", "a/2.png"],
        ["a/4.png", "b/1.png"],
        ["b/3.png", "b/5.png"],
    ]


def test_a_dot_in_a_name_would_cut_it_short(tmp_path):
    picture(tmp_path / "in" / "v1.0" / "photo.2020.png")
    (shard,), _ = write_shards(tmp_path / "in", tmp_path / "out")
    assert names(shard) == ["v1.0/photo_2020.png"]


@pytest.mark.parametrize("other", ["x.JPG", "x.bmp"])
def test_two_pictures_of_one_name_are_refused(tmp_path, other):
    for name in ("x.png", other):
        picture(tmp_path / "in" / name)
    with pytest.raises(UserError, match=r"x\.\w+ and x\.\w+ would be one sample: rename one of them"):
        write_shards(tmp_path / "in", tmp_path / "out")


def test_unreadable_pictures_stop_or_are_left_out(root, tmp_path):
    whole = (root / "a" / "2.png").read_bytes()
    (root / "a" / "2.png").write_bytes(whole[:-30])
    with pytest.raises(UserError, match=r"2\.png cannot be read as an image"):
        write_shards(root, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []
    (shard,), (error,) = write_shards(root, tmp_path / "out", on_error="skip")
    assert error.name.endswith("2.png")
    assert "a/2.png" not in names(shard)


def test_shards_that_are_there_are_kept(root, tmp_path):
    (shard,), _ = write_shards(root, tmp_path / "out")
    before = shard.read_bytes()
    with pytest.raises(UserError, match=r"has shard-000000\.tar already: choose another folder, or set prefix"):
        write_shards(root, tmp_path / "out")
    assert shard.read_bytes() == before
    write_shards(root, tmp_path / "out", prefix="more")


def test_a_shard_appears_whole_or_not_at_all(root, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shard_writer.os, "fsync", full)
    with pytest.raises(StorageError, match=r"shard-000000\.tar could not be written: .*No space left"):
        write_shards(root, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_strange_names(tmp_path):
    root = tmp_path / "in"
    root.mkdir()
    strange = [b"with space.png", b"new\nline.png", "ünï.png".encode(), b"\xff\xfe.png", b"n" * 200 + b".png"]
    for i, name in enumerate(strange):
        with open(os.path.join(os.fsencode(root), name), "wb") as file:
            Image.new("RGB", (8, 8), (i, 0, 0)).save(file, "PNG")
    (shard,), _ = write_shards(root, tmp_path / "out")
    assert sorted(os.fsencode(name) for name in names(shard)) == sorted(strange)
