"""Whole runs of label-to-image synthesis: stopped in every stage and continued, judged, sampled, exported."""

import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from freqgan.callbacks import save_grid
from freqgan.runs import RunDirectory, read_checkpoint
from freqgan.runs.stored import load_system
from tests.forked import command, only_run, paths, signal_at, tensors
from tests.models import MODELS

SHORT = [
    *("data=scenes", "data.source.length=60", "data.image_size=16", "data.batch_size=4", "samples.count=4"),
    *("logger=none", "hardware=cpu", "hardware.threads=1", "budget.images=64", "checkpoint.every_images=12"),
    *("metrics=none", "evaluation.at_start=none", "log_every_steps=2"),
]
# 16 steps: the global generator for 8, the enhancer for 2, both for 6.
STEPS = {"the global generator": 5, "the enhancer": 8, "both": 12}
SLOW = {"the global generator", "both"}


def train(folder: Path, *extra: str, **how: Any) -> tuple[int, str]:
    return command(["train", *SHORT, *paths(folder), *MODELS["label_to_image"], *extra], folder, **how)


def final(run: Path) -> dict[str, Any]:
    return tensors(read_checkpoint(run / "checkpoints" / "last.ckpt"))


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("uninterrupted")
    status, output = train(folder, "model.features=2")
    assert status == 0, output
    return only_run(folder)


def test_stages_follow_each_other(uninterrupted: Path) -> None:
    phases = [row["train/phase"] for row in RunDirectory(uninterrupted).metrics if "train/phase" in row]
    assert phases == [0, 0, 0, 0, 1, 2, 2, 2]
    last = read_checkpoint(uninterrupted / "checkpoints" / "last.ckpt")
    assert int(last["state_dict"]["generator.trained"]) == 1


@pytest.mark.parametrize("stage", [pytest.param(s, marks=[pytest.mark.slow] if s in SLOW else []) for s in STEPS])
@pytest.mark.fault("resume", "kill -9 in a step")
def test_killed_in_any_stage_it_ends_where_it_would_have_ended(tmp_path: Path, uninterrupted: Path, stage: str) -> None:
    status, output = train(tmp_path, "model.features=2", before=signal_at(STEPS[stage]))
    assert status == -signal.SIGKILL, output
    status, output = train(tmp_path, "model.features=2", "resume=must")
    assert status == 0, output
    assert f"resumed at {STEPS[stage] * 4 // 12 * 12} images from" in output.replace("\n", " ")
    ours, theirs = final(only_run(tmp_path)), final(uninterrupted)
    assert ours.keys() == theirs.keys()
    assert [name for name in ours if ours[name] != theirs[name]] == []


def test_clusters_are_kept_in_the_run_and_its_export(uninterrupted: Path, tmp_path: Path) -> None:
    status, output = command(["export", f"run={uninterrupted}", f"output={tmp_path / 'small'}"], tmp_path)
    assert status == 0, output
    for run in (uninterrupted, tmp_path / "small"):
        system, _ = load_system(str(run), checkpoint="last", allow_targets=[])
        encoder = system.ema.module.encoder
        assert encoder.counts[0] == 3
        labels = torch.zeros(1, 16, 16, dtype=torch.int64)
        looks = [system.synthesize_labels(labels, looks={(0, 0): n}) for n in range(3)]
        assert not torch.equal(looks[0], looks[1])
    whole, _ = load_system(str(uninterrupted), checkpoint="last", allow_targets=[])
    small, _ = load_system(str(tmp_path / "small"), checkpoint="last", allow_targets=[])
    assert torch.equal(whole.synthesize_labels(labels), small.synthesize_labels(labels))


def test_its_pictures_are_there_and_samples_can_be_drawn(uninterrupted: Path, tmp_path: Path) -> None:
    names = {path.name for path in (uninterrupted / "samples").iterdir()}
    assert {f"{name}_000000064.png" for name in ("images", "input_result_target", "looks")} <= names
    arguments = [f"run={uninterrupted}", "n=2", f"output={tmp_path / 'drawn'}", "hardware=cpu", "hardware.threads=1"]
    status, output = command(["sample", *arguments], tmp_path)
    assert status == 0, output
    assert {path.name for path in (tmp_path / "drawn").iterdir()} == {"000000.png", "000001.png"}


def test_its_last_pictures_are_those_of_its_last_checkpoint(uninterrupted: Path, tmp_path: Path) -> None:
    system, content = load_system(str(uninterrupted), checkpoint="last", allow_targets=[])
    assert content["clock"]["images_seen"] == 64
    for name, pictures in system.pictures(4, seed=system.seed).items():
        save_grid(pictures, tmp_path / f"{name}.png")
        files = (uninterrupted / "samples" / f"{name}_000000064.png", tmp_path / f"{name}.png")
        np.testing.assert_allclose(*(np.asarray(Image.open(file)).astype(int) for file in files), atol=1, err_msg=name)


def test_another_run_s_global_generator_may_be_the_start(uninterrupted: Path, tmp_path: Path) -> None:
    load = f"{{run: {uninterrupted}, parts: {{generator.coarse: generator.coarse}}}}"
    phases = f"model.phases=[{{until: 0.5, frozen: [generator.coarse], load: {load}}}, {{fresh_optimizers: true}}]"
    status, output = train(tmp_path, "model.features=2", phases, "budget.images=8", "checkpoint.every_images=4")
    assert status == 0, output
    theirs = read_checkpoint(uninterrupted / "checkpoints" / "last.ckpt")["ema"]
    ours = read_checkpoint(only_run(tmp_path) / "checkpoints" / "images_4.ckpt")["state_dict"]
    for name in (n for n in ours if n.startswith("generator.coarse.")):
        assert torch.equal(ours[name], theirs[name.replace("generator.", "ema.module.", 1)])


def test_pairs_of_images_can_be_learnt_without_labels(tmp_path: Path) -> None:
    pairs = ["model.num_classes=null", "data.source.domain=pair", "budget.images=8"]
    status, output = train(tmp_path, *pairs, "metrics=translation", "metrics.features=null", "metrics.perceptual=null")
    assert status == 0, output
    run = RunDirectory(only_run(tmp_path))
    assert (run.path / "samples" / "input_result_target_000000008.png").is_file()
    assert any("val/psnr_y_crop0_ab" in row for row in run.metrics)


def test_data_without_labels_are_refused_in_one_line(tmp_path: Path) -> None:
    status, output = train(tmp_path, "data=openmoji", "data.num_classes=9")
    assert status == 2, output
    status, output = train(tmp_path, "model.num_classes=null")
    assert status == 2, output
    assert "data.source.domain=pair" in output.replace("\n", " ")
    assert "Traceback" not in output
