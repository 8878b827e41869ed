"""A whole run of the three-stage GAN on scenes: refused without encoders, trained, killed, continued, drawn from."""

import json
import shutil
import signal
from pathlib import Path

import pytest
import torch
from PIL import Image

from freqgan.runs import RunDirectory, read_checkpoint
from freqgan.runs.stored import load_system
from tests.forked import command, only_run, paths, signal_at, tensors, train
from tests.models import MODELS, TRAINED, with_encoders

BUDGET = ["budget.images=32", "checkpoint.every_images=12", "samples.every_images=1000", "log_every_steps=3"]
CAPTIONS = 8


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def run(folder: Path) -> RunDirectory:
    """Killed, and continued without the encoders' run."""
    settings = with_encoders(MODELS["staged_text_gan"])
    (pair,) = (setting for setting in settings if setting.startswith("model.encoders_run="))
    encoders = folder / "encoders"
    shutil.copytree(pair.partition("=")[2], encoders)
    settings = [*(s for s in settings if s != pair), f"model.encoders_run={encoders}"]
    status, output = train(folder, *BUDGET, *settings, before=signal_at(5))
    assert status == -signal.SIGKILL, output
    shutil.rmtree(encoders)
    status, output = train(folder, *BUDGET, *settings, "resume=must")
    assert status == 0, output
    assert "resumed at 12 images from" in output.replace("\n", " ")
    return RunDirectory(only_run(folder))


def test_it_ends_where_an_uninterrupted_run_ends(run: RunDirectory, tmp_path: Path) -> None:
    status, output = train(tmp_path, *BUDGET, *with_encoders(MODELS["staged_text_gan"]))
    assert status == 0, output
    ours, theirs = (
        tensors(read_checkpoint(path / "checkpoints" / "last.ckpt")) for path in (run.path, only_run(tmp_path))
    )
    assert [name for name in ours | theirs if ours.get(name) != theirs.get(name)] == []
    assert any(name.startswith("/state_dict/encoders.pair.image.") for name in ours)
    assert not any("encoders" in name for name in ours if name.startswith(("/optimizer_states", "/ema")))


def test_grids_show_captions_and_all_stages(run: RunDirectory) -> None:
    names = {path.name for path in (run.path / "samples").iterdir()}
    assert {"images_000000032.png", "stages_000000032.png", "cells.json"} <= names
    cells = json.loads((run.path / "samples" / "cells.json").read_text())
    assert all(cell.endswith(f", noise 1/{number}") for number, cell in enumerate(cells["ids"]))
    with Image.open(run.path / "samples" / "stages_000000032.png") as picture:
        assert picture.width > picture.height


def test_an_export_draws_the_same_pictures(run: RunDirectory, tmp_path: Path) -> None:
    status, output = command(["export", f"run={run.path}", f"output={tmp_path / 'small'}"], tmp_path)
    assert status == 0, output
    exported = read_checkpoint(tmp_path / "small" / "checkpoints" / "last.ckpt")["state_dict"]
    assert {name.split(".")[0] for name in exported} == {"generator", "encoders", "prompts"}
    whole, small = (load_system(str(path), checkpoint="last", allow=[])[0] for path in (run.path, tmp_path / "small"))
    assert torch.equal(whole.sample(0, 4, seed=3), small.sample(0, 4, seed=3))
    assert whole.sample_ids(CAPTIONS, seed=3) == small.sample_ids(CAPTIONS, seed=3)


def test_samples_are_drawn_from_the_kept_captions(run: RunDirectory, tmp_path: Path) -> None:
    given = [f"run={run.path}", f"paths.cache_dir={tmp_path}", f"output={tmp_path / 'drawn'}", "hardware=cpu", "n=5"]
    status, output = command(["sample", *given], tmp_path)
    assert status == 0, output
    assert len([*(tmp_path / "drawn").glob("*.png")]) == 5
    status, output = command(["sample", *given, "target=shared"], tmp_path)
    assert status == 2
    assert "target is for models that draw by chance" in output


def test_training_needs_the_encoders_that_checking_speaks_of(tmp_path: Path) -> None:
    given = ["experiment=staged_text_gan/scenes", *paths(tmp_path), "logger=none"]
    status, output = command(["check", *given], tmp_path)
    assert status == 0, output
    told = " ".join(output.split())
    place = f"model.encoders_run={tmp_path / 'image_text_encoder_scenes'} holds no finished run"
    assert f"note: {place}: train them, `freqgan train experiment=image_text_encoder/scenes`" in told
    status, output = command(["train", *given], tmp_path)
    assert status == 2
    assert output.startswith(f"freqgan: {place}")
    assert output.count("\n") == 1
    assert not [*tmp_path.rglob("run.json")]


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        (["data.augment.caption=all"], "set data.augment.caption=one"),
        (["data.batch_size=1", "budget.images=1"], "no others to be told from: set it to at least 2"),
        (["model.d1.realism=false"], "model.d1 has nothing to judge"),
        (["model.d3.condition=words"], "model.d3.condition=words"),
        (["model.terms.generator.words_2=1.0"], "words_2 names no term"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_mistakes_are_told_in_a_line(settings: list[str], line: str, tmp_path: Path) -> None:
    status, output = train(tmp_path, *(s for s in MODELS["staged_text_gan"] if s != TRAINED), *settings)
    assert status == 2, output
    assert line in " ".join(output.split())


def test_encoders_of_other_settings_are_refused(tmp_path: Path) -> None:
    other = ["model.encoders.image.channels=8"]
    status, output = train(tmp_path, *with_encoders(MODELS["staged_text_gan"]), *other, *BUDGET)
    assert status == 2, output
    assert "does not fit model.encoders of this model" in " ".join(output.split())
