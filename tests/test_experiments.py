"""Every experiment runs for two steps, on scenes, and ends with its files."""

from pathlib import Path

import pytest

from freqgan.runs import RunDirectory, read_checkpoint
from freqgan.vocabulary import shipped_conf
from tests.forked import command

EXPERIMENTS = sorted(
    str(path.relative_to(shipped_conf() / "experiment").with_suffix(""))
    for path in (shipped_conf() / "experiment").rglob("*.yaml")
)
TWO_STEPS = [
    *("data=scenes", "data.source.length=64", "data.batch_size=4", "budget.images=8", "budget.minutes=null"),
    *("samples.count=4", "logger=none", "metrics=none", "hardware=cpu", "hardware.threads=1"),
]


def test_there_are_experiments() -> None:
    assert "frequency_gan/openmoji" in EXPERIMENTS


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_two_steps(experiment: str, tmp_path: Path) -> None:
    paths = [f"paths.output_dir={tmp_path}", f"paths.cache_dir={tmp_path / 'cache'}"]
    status, output = command(["train", f"experiment={experiment}", *TWO_STEPS, *paths], tmp_path)
    assert status == 0, output
    (run,) = (RunDirectory(path.parent) for path in tmp_path.rglob("run.json"))
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
