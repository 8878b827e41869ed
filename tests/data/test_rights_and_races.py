"""What this process may not read, and what others do to a folder between two looks at it: one line, and no waiting."""

import multiprocessing
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fsspec.core
import numpy as np
import pytest
from PIL import Image

from freqgan.data import CaptionedFolder, ImageFolder, LabelFolder, Shards
from freqgan.data import scanned_folder as scanned
from freqgan.data.decode import decode
from freqgan.data.folder_listing import list_images
from freqgan.errors import FreqganError, StorageError, UserError
from tests.data.test_tar_index import png, tar

NOBODY = 65534


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that everybody may enter, unlike those of pytest."""
    folder = Path(tempfile.mkdtemp())
    (folder / "a" / "deep").mkdir(parents=True)
    (folder / "cache").mkdir()
    for number, name in enumerate(("0.png", "deep/1.png", "2.png")):
        Image.fromarray(np.full((8, 8, 3), number, np.uint8)).save(folder / "a" / name)
    for path in (folder, folder / "cache"):
        path.chmod(0o777)
    yield folder
    shutil.rmtree(folder)


def _prepared(folder: Path, **settings: Any) -> ImageFolder:
    dataset = ImageFolder(root=folder / "a", image_size=8, cache_dir=folder / "cache", **settings)
    dataset.prepare()
    return dataset


def _as_nobody(act: Callable[[], Any]) -> str:
    """The line that ends it when it is done without root's rights; what it returns if nothing ends it."""

    def child(words: Any) -> None:
        if os.getuid() == 0:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
        try:
            words.send(str(act()))
        except FreqganError as error:
            words.send(str(error))

    Image.init()  # which imports the formats, from a place that nobody may not read; so does the next line
    fsspec.core.url_to_fs("/")
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=child, args=(there,))
    process.start()
    assert here.poll(30), "it waits"
    said: str = here.recv()
    process.join()
    return said


@pytest.mark.fault("data", "rights and races")
def test_a_file_that_may_not_be_read_is_named_or_skipped(place: Path) -> None:
    (place / "a" / "deep" / "1.png").chmod(0)
    said = _as_nobody(lambda: _prepared(place))
    assert said.splitlines()[0] == "deep/1.png cannot be read as an image: Permission denied"
    assert "set data.on_error=skip" in said
    assert "1.png" in _as_nobody(lambda: _prepared(place, on_error="skip").skipped)


@pytest.mark.parametrize(("folder", "mode"), [("a/deep", 0), ("a/deep", 0o444), ("a", 0), ("a", 0o444)])
@pytest.mark.fault("data", "rights and races")
def test_a_folder_that_may_not_be_entered_is_named(place: Path, folder: str, mode: int) -> None:
    (place / folder).chmod(mode)
    try:
        said = _as_nobody(lambda: _prepared(place))
    finally:
        (place / folder).chmod(0o755)
    assert str(place / "a") in said
    assert "Permission denied" in said or "may not be" in said or "cannot be read" in said, said


@pytest.mark.fault("data", "rights and races")
def test_a_cache_that_may_not_be_written_to_is_named(place: Path) -> None:
    (place / "cache").chmod(0o555)
    assert "set paths.cache_dir to a folder you can write" in _as_nobody(lambda: _prepared(place))


def _then(monkeypatch: pytest.MonkeyPatch, act: Callable[[], None]) -> None:
    """Somebody does something between the listing of a folder and its reading."""

    def listed(*arguments: Any, **settings: Any) -> Any:
        files = list_images(*arguments, **settings)
        act()
        return files

    monkeypatch.setattr(scanned, "list_images", listed)


RACES: dict[str, tuple[Callable[[Path], Any], str]] = {
    "removed": (lambda path: None, "No such file"),
    "now a pipe": (os.mkfifo, "it is a pipe, wanted a file"),
    "now a folder": (Path.mkdir, "Is a directory"),
    "now a link to itself": (lambda path: path.symlink_to(path.name), "symbolic links"),
    "now a device": (lambda path: path.symlink_to("/dev/zero"), "it is a device"),
    "now empty": (lambda path: path.write_bytes(b""), "header is broken"),
    "now another picture": (lambda path: Image.new("RGB", (8, 8)).save(path), ""),
}


@pytest.mark.parametrize("race", RACES)
@pytest.mark.fault("data", "rights and races")
def test_what_changes_behind_the_listing_is_seen_by_the_reading(
    place: Path, race: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, reason = RACES[race]
    path = place / "a" / "2.png"

    def act() -> None:
        path.unlink()
        make(path)

    _then(monkeypatch, act)
    if reason:
        with pytest.raises(UserError, match=rf"2\.png cannot be read as an image: .*{reason}"):
            _prepared(place)
    else:
        dataset = _prepared(place, cache_limit_gib=0.0)
        assert dataset[1]["image"].max() == 0  # what was read is what is named and used
        monkeypatch.undo()
        assert _prepared(place).content() == dataset.content()


@pytest.mark.fault("data", "rights and races")
def test_a_folder_that_vanishes_while_it_is_listed_is_named(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    walk = Path.stat

    def raced(path: Path, **options: Any) -> Any:
        if path.name == "deep":
            shutil.rmtree(path, ignore_errors=True)
        return walk(path, **options)

    monkeypatch.setattr(Path, "stat", raced)
    with pytest.raises(UserError, match=r"data\.root: folder .*/deep cannot be read \(No such file or directory\)"):
        list_images(place / "a")


@pytest.mark.fault("data", "rights and races")
def test_folders_deeper_than_python_recurses_are_walked(place: Path) -> None:
    here = os.getcwd()
    try:
        os.chdir(place / "a")
        for _ in range(1200):
            os.mkdir("d")
            os.chdir("d")
        Image.new("RGB", (8, 8)).save("x.png")
    finally:
        os.chdir(here)
    assert len(list_images(place / "a")) == 4
    subprocess.run(["rm", "-rf", place / "a" / "d"], check=True)  # Python's own way recurses


@pytest.mark.parametrize("name", ["captions.jsonl", "annotations/captions_x.json", "colors.txt", "x.tar", "x.png"])
@pytest.mark.fault("data", "rights and races")
def test_a_pipe_in_the_place_of_another_file_is_not_waited_for(place: Path, name: str) -> None:
    (place / "a" / name).parent.mkdir(exist_ok=True)
    os.mkfifo(place / "a" / name)
    given = {"root": place / "a", "image_size": 8, "cache_dir": place / "cache"}
    sources: dict[str, Callable[[], Any]] = {
        "captions.jsonl": lambda: CaptionedFolder(**given).prepare(),
        "annotations/captions_x.json": lambda: CaptionedFolder(**given, layout="coco").prepare(),
        "colors.txt": lambda: LabelFolder(
            **given, images="{name}.png", labels="deep/{name}.png", palette="colors.txt", num_classes=2
        ).prepare(),
        "x.tar": lambda: Shards(**given | {"root": place / "a" / "x.tar"}).prepare(),
        "x.png": lambda: decode(place / "a" / "x.png"),
    }
    said = _as_nobody(sources[name])
    assert "pipe" in said or "caption" in said or "wanted a file" in said, said


@pytest.mark.fault("data", "file changed while training")
def test_a_shard_that_is_written_to_is_a_storage_error(place: Path) -> None:
    path = place / "x.tar"
    path.write_bytes(tar(("a.png", png(1)), ("b.png", png(2))))
    dataset = Shards(root=path, image_size=8, cache_dir=place / "cache")
    dataset.prepare()
    assert len(dataset[0]["image"]) == 3
    status = path.stat()
    path.write_bytes(path.read_bytes())
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 10**9))
    with pytest.raises(StorageError, match=r"x\.tar has been written to since it was indexed"):
        dataset[0]
