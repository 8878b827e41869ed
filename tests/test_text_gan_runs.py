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


@pytest.mark.fault("resume", "kill -9 in a step")
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
    whole, small = (
        load_system(str(path), checkpoint="last", allow_targets=[])[0] for path in (run.path, tmp_path / "small")
    )
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


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Encoders that are not those of the loss."""
    folder = tmp_path_factory.mktemp("judge")
    settings = [*MODELS["image_text_encoder"], "data.image_size=32", "budget.images=8", "seed=7"]
    status, output = train(folder, *settings)
    assert status == 0, output
    return only_run(folder)


JUDGED = [
    *("metrics=text_to_image", "metrics.num_images=20", "metrics.batch_size=10", "metrics.negatives=5"),
    *("metrics.scenes.images=32", "metrics.features.image_size=32"),
]


def test_it_is_judged_by_other_encoders_and_by_its_captions(run: RunDirectory, judge: Path, tmp_path: Path) -> None:
    given = [f"run={run.path}", f"paths.cache_dir={tmp_path}", f"output={tmp_path}", "hardware=cpu", *JUDGED]
    status, output = command(["evaluate", *given, f"metrics.judge_run={judge}"], tmp_path)
    assert status == 0, output
    values = json.loads((tmp_path / "text_to_image_efficientnet_lite0_32px_n20.json").read_text())
    names = [name.removesuffix("_n20") for name in values if name.endswith("_n20")]
    assert names[:2] == ["fd_stage3_efficientnet_lite0_32px", "kid_stage3_efficientnet_lite0_32px"]
    assert names[6].startswith("r_precision_1of6_")
    assert names[7:9] == [f"{names[6]}_real", f"{names[6]}_mismatched"]
    assert names[9:12] == [f"caption_accuracy_learned32{of}" for of in ("", "_real", "_mismatched")]
    own = next(s.partition("=")[2] for s in with_encoders([TRAINED]))  # whose copy was in the loss
    status, output = command(["evaluate", *given, f"metrics.judge_run={own}"], tmp_path)
    assert status == 2
    assert f"metrics.judge_run={own} trained the encoders of the loss" in output


def test_without_a_judge_training_says_what_is_left_out(tmp_path: Path) -> None:
    settings = [*with_encoders(MODELS["staged_text_gan"]), *JUDGED, "budget.images=8", "evaluation.at_start=none"]
    settings.append("evaluation.every_images=8")
    status, output = train(tmp_path, *settings)
    assert status == 0, output
    told = " ".join(output.split())
    assert "metrics.judge_run is not set, R-precision is left out" in told
    assert "`freqgan train experiment=image_text_encoder/scenes" in told
    (judged,) = (row for row in RunDirectory(only_run(tmp_path)).metrics if "val/fd_stage3" in " ".join(row))
    assert "val/caption_accuracy_learned32_n20" in judged
    assert not any("r_precision" in name for name in judged)


def test_no_pair_judges_its_own_pupil(tmp_path: Path) -> None:
    settings = [*with_encoders(MODELS["staged_text_gan"]), *JUDGED]
    (own,) = (setting.partition("=")[2] for setting in settings if setting.startswith("model.encoders_run="))
    status, output = train(tmp_path, *settings, f"metrics.judge_run={own}")
    assert status == 2, output
    assert "who would judge their pupil" in output
    assert not [*tmp_path.rglob("run.json")]


def test_captions_are_drawn_with_stages_attention_and_unknown_words(run: RunDirectory, tmp_path: Path) -> None:
    (tmp_path / "said.txt").write_text("a red circle above a blue zebra\n\none shape\n")
    given = [f"run={run.path}", f"paths.cache_dir={tmp_path}", "hardware=cpu", "weights=raw"]
    drawn = tmp_path / "drawn"
    said = [f"captions={tmp_path / 'said.txt'}", "seeds=2", "seed=4", f"output={drawn}"]
    status, output = command(["sample", *given, *said], tmp_path)
    assert status == 0, output
    assert "unknown words, left out: zebra (caption 1)" in " ".join(output.split())
    assert {path.name for path in drawn.iterdir()} == {
        *(f"00000{number}_seed{seed}.png" for number in (0, 1) for seed in (4, 5)),
        "captions.jsonl",
    }
    assert len([*(tmp_path / "drawn_stages").iterdir()]) == 8
    assert len([*(tmp_path / "drawn_attention").iterdir()]) == 4
    assert drawn.with_suffix(".png").is_file()
    first = json.loads((drawn / "captions.jsonl").read_text().splitlines()[0])
    assert (first["caption"], first["unknown"]) == ("a red circle above a blue zebra", ["zebra"])


def test_what_cannot_be_drawn_of_captions_is_told_in_a_line(run: RunDirectory, judge: Path, tmp_path: Path) -> None:
    for place, settings, line in (
        (run.path, ["seeds=2"], "seeds=2 are for captions"),
        (judge, ["captions=a ring"], "captions are for models that read them"),
    ):
        status, output = command(["sample", f"run={place}", "hardware=cpu", *settings], tmp_path)
        assert status == 2, output
        assert line in output


def test_cells_of_the_grids_have_their_captions(run: RunDirectory) -> None:
    cells = json.loads((run.path / "samples" / "cells.json").read_text())
    ids = [f"{caption}, noise 1/{number}" for number, caption in enumerate(cells["captions"])]
    assert ids == cells["ids"]
