"""A whole run of super-resolution on photographs of several sizes: trained, killed, continued, judged, looked at."""

import json
import signal
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from freqgan.runs import RunDirectory, read_checkpoint
from tests.forked import command, only_run, paths, signal_at
from tests.models import MODELS

SETTINGS = [
    *(
        *MODELS["warm_start"],
        "data=super_resolution",
        "data.image_size=32",
        "data.batch_size=4",
        "data.val_fraction=0.3",
    ),
    *("metrics.features=null", "budget.images=64", "checkpoint.every_images=16"),
    "evaluation.every_images=64",
    *("logger=none", "hardware=cpu", "hardware.threads=1", "samples.count=64"),
]
EXAMPLES = 4


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve pictures of soft noise, none of a size that 4 divides, some smaller than a crop."""
    folder = tmp_path_factory.mktemp("photos")
    random = np.random.default_rng(0)
    for number in range(12):
        coarse = Image.fromarray(random.integers(0, 256, (6, 7, 3), dtype=np.uint8))
        coarse.resize((29 + 5 * number, 31 + 3 * number), Image.Resampling.BICUBIC).save(folder / f"{number:02d}.png")
    return folder


@pytest.fixture(scope="module")
def run(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """Killed in the second phase, and continued."""
    folder = tmp_path_factory.mktemp("runs")
    settings = ["train", *SETTINGS, *paths(folder), f"data.root={photos}"]
    status, output = command(settings, folder, before=signal_at(10))
    assert status == -signal.SIGKILL, output
    status, output = command([*settings, "resume=must"], folder)
    assert status == 0, output
    assert "resumed at 32 images from" in output.replace("\n", " ")
    return RunDirectory(only_run(folder))


def test_it_ends_with_its_files_and_numbers(run: RunDirectory) -> None:
    assert run.state() == "finished"
    names = {path.name for path in (run.path / "samples").iterdir()}
    assert {"images_000000064.png", "input_result_target_000000064.png", "cells.json"} <= names
    assert len(json.loads((run.path / "samples" / "cells.json").read_text())["ids"]) <= EXAMPLES
    judged = [row for row in run.metrics if "val/psnr_y_crop4" in row]
    assert judged[-1]["images_seen"] == 64
    assert {"val/psnr_y_crop4_over_bicubic", "val/lr_consistency_psnr"} <= judged[-1].keys()
    assert not any("val/diversity" in row for row in run.metrics)
    state = read_checkpoint(run.path / "checkpoints" / "last.ckpt")
    assert state["phases_begun"] == 2
    assert any(name.startswith("discriminator.") for name in state["state_dict"])


def test_it_is_judged_again_on_the_validation_images(run: RunDirectory, tmp_path: Path) -> None:
    arguments = [f"run={run.path}", f"paths.cache_dir={tmp_path}", f"output={tmp_path}", "hardware=cpu"]
    status, output = command(["evaluate", *arguments, "hardware.threads=1"], tmp_path)
    assert status == 0, output
    (file,) = tmp_path.glob("restoration*.json")
    values = json.loads(file.read_text())
    assert values["split"] == "val"
    trained = [row for row in run.metrics if "val/psnr_y_crop4" in row][-1]
    assert values["psnr_y_crop4"] == pytest.approx(trained["val/psnr_y_crop4"], abs=1e-6)


def test_samples_are_its_results_for_the_examples(run: RunDirectory, tmp_path: Path) -> None:
    arguments = [f"run={run.path}", f"paths.cache_dir={tmp_path}", f"output={tmp_path / 'drawn'}", "hardware=cpu"]
    status, output = command(["sample", *arguments], tmp_path)
    assert status == 0, output
    pictures = sorted((tmp_path / "drawn").glob("*.png"))
    assert f"{len(pictures)} results for examples of the validation images in" in output
    assert 0 < len(pictures) <= EXAMPLES
    with Image.open(pictures[0]) as picture:
        assert picture.size == (32, 32)


def test_an_export_has_no_examples_to_show(run: RunDirectory, tmp_path: Path) -> None:
    status, output = command(["export", f"run={run.path}", f"output={tmp_path / 'small'}"], tmp_path)
    assert status == 0, output
    assert f" MiB, for `freqgan upscale run={tmp_path / 'small'}`" in output
    status, output = command(["sample", f"run={tmp_path / 'small'}", "hardware=cpu"], tmp_path)
    assert status == 2
    assert "keeps no examples, as an export does not: name the run it comes from" in output


def test_protocols_of_samples_are_refused(run: RunDirectory, tmp_path: Path) -> None:
    arguments = [f"run={run.path}", f"paths.cache_dir={tmp_path}", f"output={tmp_path}", "hardware=cpu"]
    status, output = command(["evaluate", *arguments, "metrics=generation_small"], tmp_path)
    assert status == 2
    assert "set metrics=restoration" in output
