"""Every experiment runs for two steps, on scenes, and ends with its files."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from freqgan.runs import RunDirectory, read_checkpoint
from freqgan.vocabulary import shipped_conf
from tests.forked import command

EXPERIMENTS = sorted(
    str(path.relative_to(shipped_conf() / "experiment").with_suffix(""))
    for path in (shipped_conf() / "experiment").rglob("*.yaml")
)
SCENES = ["data=scenes", "data.source.length=64"]
TWO_STEPS = [
    *("data.batch_size=4", "budget.images=8", "budget.minutes=null"),
    *("samples.count=4", "logger=none", "metrics=none", "hardware=cpu", "hardware.threads=1"),
]
SETTINGS = {
    # Gigabytes of weights, which every checkpoint would hold, and large images.
    **{f"staged_text_gan/{data}": ["data.image_size=64", "model.discriminator.channels=8"] for data in ("cub", "coco")},
    # Pairs, in place of those of its own data.
    "pix2pix/openmoji_line_to_color": ["data.source.domain=pair"],
    # Streets of 48 pixels, in place of 192.
    "label_to_image/camvid_pix2pix": ["model.generator.coarse.halvings=5"],
    # Scenes are not cut out of maps.
    "label_to_image/earth": ["data.image_size=64", "~data.source.stride"],
    "label_to_image/earth_night": [
        *("data.image_size=64", "~data.source.stride", "data.source.domain=pair", "model.num_classes=null")
    ],
}
STREETS = {"segmenter/camvid", "label_to_image/camvid", "label_to_image/camvid_pix2pix"}


def test_there_are_experiments() -> None:
    assert "frequency_gan/openmoji" in EXPERIMENTS


def header(experiment: str, word: str) -> list[str]:
    """The words behind one of those that a delta's header begins lines with."""
    lines = (shipped_conf() / "experiment" / f"{experiment}.yaml").read_text().splitlines()
    text = " ".join(line.removeprefix("# ").strip() for line in lines if line.startswith("# "))
    found = re.search(rf"\b{word}: (.*?)(?= [A-Z][a-z]+: |$)", text)
    return found[1].split() if found else []


def streets(folder: Path) -> list[str]:
    """Settings of a data set as CamVid's, of noise, in place of scenes."""
    for number, part in enumerate(("train", "val") * 4):
        random = np.random.default_rng(number)
        for kind, pixels in (
            ("images", random.integers(256, size=(48, 64, 3))),
            ("labels", random.integers(12, size=(48, 64))),
        ):
            (folder / part / kind).mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels.astype(np.uint8)).save(folder / part / kind / f"{number}.png")
    return ["data=camvid", f"data.root={folder}", "data.image_size=[48,64]"]


def two_steps(arguments: list[str], folder: Path, data: Sequence[str] = SCENES) -> RunDirectory:
    """A run of two steps in a folder of its own, with its runs in `folder`."""
    paths = [f"paths.output_dir={folder}", f"paths.cache_dir={folder / 'cache'}"]
    before = {*folder.rglob("run.json")}
    status, output = command(["train", *arguments, *data, *TWO_STEPS, *paths], folder)
    assert status == 0, output
    (record,) = {*folder.rglob("run.json")} - before
    return RunDirectory(record.parent)


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_two_steps(experiment: str, tmp_path: Path) -> None:
    """Where it builds on encoders, theirs come first, by the command in its header."""
    if encoders := header(experiment, "Encoders"):
        assert encoders[:2] == ["freqgan", "train"]
        two_steps([word for word in encoders[2:] if not word.startswith(("data=", "data.root="))], tmp_path)
    data = streets(tmp_path / "streets") if experiment in STREETS else SCENES
    run = two_steps([f"experiment={experiment}", *SETTINGS.get(experiment, [])], tmp_path, data)
    assert run.state() == "finished"
    assert read_checkpoint(run.path / "checkpoints" / "last.ckpt")["clock"]["images_seen"] == 8
    assert (run.path / "samples" / "images_000000008.png").is_file()
    assert run.metrics[-1]["images_seen"] == 8


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_a_delta_is_short_and_says_what_it_is_for(experiment: str) -> None:
    lines = (shipped_conf() / "experiment" / f"{experiment}.yaml").read_text().splitlines()
    assert len(lines) <= 25
    assert lines[0] == "# @package _global_"
    for start in ("# Question:", "# Reference:", "# Command:", "# Cost:"):
        assert any(line.startswith(start) for line in lines), start
