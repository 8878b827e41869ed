"""`freqgan translate` from the command line to its files and exit status, with a system that needs no training.

What it shares with `freqgan upscale` is tested there: what is killed goes on, a full disk, broken weights.
"""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

# Imported here so that no child has to.
from freqgan import translate
from freqgan.config import application
from freqgan.data.decode import decode
from freqgan.runs import RunDirectory, write_checkpoint
from tests import test_upscale
from tests.forked import command
from tests.inference.stand_ins import noise
from tests.test_upscale import PROFILE, files, photos

TARGET = "tests.inference.stand_ins.Inverting"
IMPORTED = (application, translate)
DATA = {"_target_": "freqgan.data.DataModule", "channels": 3}


def new_run(path: Path, **model: object) -> None:
    """A run whose raw weight leaves red as it is, and whose averaged one halves it."""
    run = RunDirectory(path)
    (path / "checkpoints").mkdir(parents=True)
    run.write_config(
        {
            "model": {"_target_": TARGET} | model,
            "data": DATA,
            "seed": 1,
        }
    )
    weights = {"raw": torch.tensor(1.0), "average": torch.tensor(0.5)}
    content = {"state_dict": weights, "ema": {}, "clock": {"images_seen": 0}}
    write_checkpoint(path / "checkpoints" / "last.ckpt", content)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    new_run(tmp_path / "run")
    return tmp_path


def run(folder: Path, *arguments: str) -> tuple[int, str]:
    given = [
        f"run={folder / 'run'}",
        f"allow_targets=[{TARGET},torch.nn.Identity]",
        "hardware=cpu",
        "hardware.threads=1",
    ]
    places = [f"input={folder / 'photos'}", f"output={folder / 'made'}"]
    return command(["translate", *given, *places, *arguments], folder)


def test_a_folder_of_all_kinds(folder: Path) -> None:
    root, made = photos(folder), folder / "made"
    noise(30, 20, "L").save(root / "grey.png")
    status, output = run(folder, "direction=ab")
    assert status == 1, output
    assert f"pictures in {made}: 8 written\n" in output
    assert "deep.tif: its 16-bit grey has become 8-bit colour: set grey=keep" in output
    assert output.endswith("freqgan: 2 of 10 pictures failed: text.png, torn.jpg\n")
    for name in ("photo.png", "one.bmp", "deep_colours.png", "turned.jpg", "trip/shape.png", "trip/drawing.gif"):
        source = decode(root / name, alpha=True)
        result = decode((made / name).with_suffix(".png"), alpha=True)
        assert (result.mode, result.size) == (source.mode, source.size)
        colours, expected = np.asarray(result)[..., :3], 255 - np.asarray(source)[..., :3]
        seen = np.asarray(source)[..., 3] > 0 if source.mode == "RGBA" else np.full(colours.shape[:2], True)
        assert np.array_equal(colours[seen], expected[seen]), name
        if source.mode == "RGBA":
            assert np.array_equal(np.asarray(result)[..., 3], np.asarray(source)[..., 3])
    with Image.open(made / "photo.png") as photo:
        assert photo.info["icc_profile"] == PROFILE
    for name in ("grey", "deep"):
        assert decode(made / f"{name}.png").mode == "RGB"


def test_grey_is_kept_where_it_is_asked_for(folder: Path) -> None:
    root = folder / "photos"
    root.mkdir()
    noise(30, 20, "L").save(root / "grey.png")
    noise(30, 20, "I;16").save(root / "deep.tif")
    status, output = run(folder, "grey=keep", "format=keep", "direction=ab")
    assert status == 0, output
    grey, deep = (np.asarray(decode(folder / "made" / name)) for name in ("grey.png", "deep.tif"))
    assert np.array_equal(grey, 255 - np.asarray(decode(root / "grey.png")))
    assert deep.dtype == np.uint16
    assert np.abs(deep.astype(int) - (65535 - np.asarray(decode(root / "deep.tif")).astype(int))).max() <= 1


def test_drawings_without_ground_are_put_on_white_where_it_is_asked_for(folder: Path) -> None:
    (folder / "photos").mkdir()
    drawing = Image.new("RGBA", (8, 6))
    drawing.putpixel((2, 3), (0, 0, 0, 255))
    drawing.save(folder / "photos" / "line.png")
    for chosen, mode, ground in (("keep", "RGBA", (255, 255, 255, 0)), ("white", "RGB", (0, 0, 0))):
        status, output = run(folder, f"transparency={chosen}", "overwrite=true", "weights=raw", "direction=ab")
        assert status == 0, output
        result = decode(folder / "made" / "line.png", alpha=True)
        assert (result.mode, result.getpixel((7, 5))) == (mode, ground)
        assert result.getpixel((2, 3))[:3] == (255, 255, 255)


def test_direction_and_weights_are_those_that_are_asked_for(folder: Path) -> None:
    (folder / "photos").mkdir()
    Image.new("RGB", (5, 7), (200, 100, 50)).save(folder / "photos" / "a.png")
    for arguments, expected in (
        ((), (55, 155, 205)),  # the first direction
        (("direction=ba", "overwrite=true"), (100, 0, 0)),
        (("direction=ba", "overwrite=true", "weights=raw"), (200, 0, 0)),
    ):
        status, output = run(folder, *arguments)
        assert status == 0, output
        assert decode(folder / "made" / "a.png").getpixel((4, 6)) == expected
    status, output = run(folder)
    assert ": 0 written, 1 there already (overwrite=true makes them again)" in output


def test_what_sees_whole_pictures_is_not_cut(tmp_path: Path) -> None:
    new_run(tmp_path / "run", halo=None)
    (tmp_path / "photos").mkdir()
    noise(70, 90).save(tmp_path / "photos" / "small.png")
    noise(900, 700).save(tmp_path / "photos" / "large.png")
    status, output = run(tmp_path, "tile=64")
    assert (status, output.count("\n")) == (2, 1)
    assert "tile=64: this network looks at all of a picture for each of its pixels: set tile=null" in output
    status, output = run(tmp_path, "memory_mib=1")
    assert status == 1, output
    assert "large.png: memory_mib=1 is too little for 900x700 pixels, which this network sees at once: set" in output
    assert files(tmp_path / "made") == {"small.png"}
    status, output = run(tmp_path)
    assert status == 0, output
    assert ": 1 written, 1 there already" in output


def test_a_direction_that_was_not_learnt_and_a_run_of_another_kind_are_one_line(tmp_path: Path) -> None:
    new_run(tmp_path / "run", directions=["ba"])
    photos(tmp_path)
    status, output = run(tmp_path, "direction=ab")
    assert (status, output) == (2, "freqgan: direction=ab: this model translates ba\n")
    test_upscale.new_run(tmp_path / "other", target="torch.nn.Identity")
    status, output = run(tmp_path, f"run={tmp_path / 'other'}")
    assert (status, output.count("\n")) == (2, 1)
    assert "is one of Identity, which translates no pictures: use a run of model=pix2pix, " in output
    assert not (tmp_path / "made").exists()
