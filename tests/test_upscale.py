"""`freqgan upscale` from the command line to its files and exit status, with a system that needs no training."""

import os
import signal
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms

# Imported here so that no child has to.
from freqgan import upscale
from freqgan.config import application
from freqgan.data.decode import decode
from freqgan.runs import RunDirectory, write_checkpoint
from tests.forked import command
from tests.inference.stand_ins import Repeating, noise

TARGET = "tests.inference.stand_ins.Repeating"
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
IMPORTED = (application, upscale)
DATA = {"_target_": "freqgan.data.DataModule", "channels": 3}


def new_run(path: Path, *, target: str = TARGET, **weights: torch.Tensor) -> Path:
    """A run whose raw weight leaves pixels as they are, and whose averaged one halves them."""
    run = RunDirectory(path)
    (path / "checkpoints").mkdir(parents=True)
    run.write_config({"model": {"_target_": target}, "data": DATA, "seed": 1})
    content = {"state_dict": weights, "ema": {}, "clock": {"images_seen": 0}}
    write_checkpoint(path / "checkpoints" / "last.ckpt", content)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    new_run(tmp_path / "run", raw=torch.tensor(1.0), average=torch.tensor(0.5))
    return tmp_path


def run(folder: Path, *arguments: str, before: Callable[[], None] = lambda: None) -> tuple[int, str]:
    given = [
        f"run={folder / 'run'}",
        f"allow_targets=[{TARGET},torch.nn.Identity]",
        "hardware=cpu",
        "hardware.threads=1",
    ]
    places = [f"input={folder / 'photos'}", f"output={folder / 'large'}"]
    return command(["upscale", *given, *places, *arguments], folder, before=before)


def deep_colours(path: Path) -> None:
    """A PNG of 5 by 3 pixels with 16 bits in each colour."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    rows = b"".join(b"\0" + struct.pack(">HHH", 0x1234, 0xABCD, 0xFF00) * 5 for _ in range(3))
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 5, 3, 16, 2, 0, 0, 0))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def photos(folder: Path) -> Path:
    """What people have in their folders."""
    root = folder / "photos"
    (root / "trip").mkdir(parents=True)
    exif = Image.Exif()
    exif[274] = 6
    noise(90, 70).save(root / "photo.png", icc_profile=PROFILE)
    noise(1, 1).save(root / "one.bmp")
    noise(30, 20, "I;16").save(root / "deep.tif")
    deep_colours(root / "deep_colours.png")
    noise(30, 20, "RGBA").save(root / "trip" / "shape.png")
    noise(64, 32).save(root / "turned.jpg", exif=exif, quality=95)
    noise(30, 20).convert("P").save(root / "trip" / "drawing.gif", save_all=True, append_images=[noise(30, 20, "L")])
    (root / "torn.jpg").write_bytes((root / "turned.jpg").read_bytes()[:-500])
    (root / "text.png").write_text("no picture")
    (root / "notes.txt").write_text("none either")
    return root


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def doubled(path: Path) -> np.ndarray:
    return np.asarray(decode(path, alpha=True)).repeat(2, 0).repeat(2, 1)


def test_a_folder_of_all_kinds(folder: Path) -> None:
    root, large = photos(folder), folder / "large"
    status, output = run(folder, "weights=raw")
    assert status == 1, output
    assert f"pictures ×2 in {large}: 7 written\n" in output
    assert "deep_colours.png: 16-bit colour is read at 8 bits" in output
    assert "drawing.gif: only the first of its pages or frames is read" in output
    assert "text.png cannot be read as an image: not one of PNG, " in output
    assert "torn.jpg cannot be read as an image: image file is truncated" in output
    assert output.endswith("freqgan: 2 of 9 pictures failed: text.png, torn.jpg\n")
    good = ("photo.png", "one.bmp", "deep.tif", "deep_colours.png", "turned.jpg", "trip/shape.png", "trip/drawing.gif")
    assert files(large) == {str(Path(name).with_suffix(".png")) for name in good}
    for name in good:
        restored = np.asarray(decode((large / name).with_suffix(".png"), alpha=True))
        expected = doubled(root / name)
        assert (restored.shape, restored.dtype) == (expected.shape, expected.dtype)
        if name == "trip/shape.png":
            seen = expected[..., 3] > 0
            assert np.array_equal(restored[..., :3][seen], expected[..., :3][seen])
        else:
            assert np.array_equal(restored, expected), name
    with Image.open(large / "photo.png") as photo, Image.open(large / "turned.png") as turned:
        assert photo.info["icc_profile"] == PROFILE
        assert turned.size == (64, 128)


def test_formats_are_kept_and_quality_is_theirs(folder: Path) -> None:
    photos(folder)
    status, output = run(folder, "format=keep", "quality=30", "tile=20")
    assert status == 1, output
    large = folder / "large"
    kept = {"photo.png", "one.bmp", "deep.tif", "deep_colours.png", "turned.jpg", "trip/shape.png"}
    assert files(large) == {*kept, "trip/drawing.png"}
    with Image.open(large / "deep.tif") as deep, Image.open(large / "turned.jpg") as turned:
        assert (deep.mode, deep.format, turned.format) == ("I;16", "TIFF", "JPEG")
        assert max(turned.quantization[0]) > 100  # 30 is coarse


def test_what_is_there_stays_unless_it_is_to_be_overwritten(folder: Path) -> None:
    large = folder / "large"
    for path in (folder / "photos", large):
        path.mkdir()
    for name in ("a", "b"):
        Image.new("RGB", (4, 4), (200, 100, 0)).save(folder / "photos" / f"{name}.png")
    Image.new("RGB", (1, 1), "red").save(large / "a.png")
    status, output = run(folder, "weights=raw")
    assert status == 0, output
    assert f"pictures ×2 in {large}: 1 written, 1 there already (overwrite=true makes them again)\n" in output
    assert decode(large / "a.png").getpixel((0, 0)) == (255, 0, 0)
    assert decode(large / "b.png").getpixel((7, 7)) == (200, 100, 0)
    status, output = run(folder, "overwrite=true")
    assert f"pictures ×2 in {large}: 2 written\n" in output
    assert [decode(large / f"{name}.png").getpixel((7, 7)) for name in "ab"] == [(100, 50, 0)] * 2


def at_the_photo(signum: int) -> Callable[[], None]:
    """A fault: this process gets a signal while it works on photo.png, the only picture of that width."""

    def before() -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores Ctrl-C
        original = Repeating.restore

        def restore(self, low, *, weights="ema"):
            if low.shape[-1] == 90:
                os.kill(os.getpid(), signum)
            return original(self, low, weights=weights)

        Repeating.restore = restore

    return before


def test_a_folder_that_was_killed_goes_on(folder: Path) -> None:
    photos(folder)
    status, output = run(folder, before=at_the_photo(signal.SIGKILL))
    assert status == -signal.SIGKILL, output
    written = {path: path.stat().st_mtime_ns for path in (folder / "large").iterdir()}
    assert files(folder / "large") == {"deep.png", "deep_colours.png", "one.png"}
    status, output = run(folder)
    assert status == 1
    assert ": 4 written, 3 there already (" in output
    assert {path: path.stat().st_mtime_ns for path in written} == written


def test_ctrl_c_leaves_whole_pictures(folder: Path) -> None:
    photos(folder)
    status, output = run(folder, before=at_the_photo(signal.SIGINT))
    assert status == 130, output
    assert files(folder / "large") == {"deep.png", "deep_colours.png", "one.png"}


def test_a_file_of_too_many_pixels_is_refused(folder: Path) -> None:
    noise(100, 100).save(folder / "a.webp")
    status, output = run(folder, f"input={folder / 'a.webp'}", "max_pixels=9999")
    assert status == 1
    assert "a.webp cannot be read as an image: 100x100 pixels, more than max_pixels=9999" in output
    assert files(folder / "large") == set()


def test_broken_weights_end_it(tmp_path: Path) -> None:
    new_run(tmp_path / "run", raw=torch.tensor(1.0), average=torch.tensor(float("nan")))
    photos(tmp_path)
    status, output = run(tmp_path)
    assert status == 65
    assert "last.ckpt holds numbers that are not finite, first in average: choose another" in output
    assert files(tmp_path / "large") == set()


def test_a_full_disk_ends_it(folder: Path) -> None:
    photos(folder)

    def full() -> None:
        def fsync(_: int) -> None:
            raise OSError(28, "No space left on device")

        os.fsync = fsync

    status, output = run(folder, before=full)
    assert status == 74
    assert "could not be written ([Errno 28] No space left on device): free some space" in output
    assert files(folder / "large") == set()


def test_a_run_of_another_kind_is_one_line(tmp_path: Path) -> None:
    new_run(tmp_path / "run", target="torch.nn.Identity")
    photos(tmp_path)
    status, output = run(tmp_path)
    assert status == 2
    assert "is one of Identity, which enlarges no pictures: use a run of model=branch_sr" in output
    assert output.count("\n") == 1
    assert not (tmp_path / "large").exists()
