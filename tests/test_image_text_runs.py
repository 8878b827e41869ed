"""A run of the image-text encoder on scenes: trained, judged again, looked at, and read as a part of another model."""

import json
from pathlib import Path

import pytest

from freqgan import config
from freqgan.runs import RunDirectory, read_checkpoint
from freqgan.systems.pair_loading import read_pair
from tests.forked import command, only_run, train
from tests.models import MODELS

SETTINGS = [*MODELS["image_text_encoder"], "metrics=retrieval", "data.val_fraction=0.3", "budget.images=32"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    folder = tmp_path_factory.mktemp("runs")
    status, output = train(folder, *SETTINGS)
    assert status == 0, output
    return RunDirectory(only_run(folder))


def test_the_best_checkpoint_is_the_one_that_retrieves_best(run: RunDirectory) -> None:
    judged = {row["images_seen"]: row["val/retrieval_r1"] for row in run.metrics if "val/retrieval_r1" in row}
    best = read_checkpoint(run.path / "checkpoints" / "best.ckpt")["clock"]["images_seen"]
    assert judged[best] == max(judged.values())
    assert {"images_000000032.png", "true_then_nearest_000000032.png"} <= {
        p.name for p in (run.path / "samples").iterdir()
    }
    assert not any("val/diversity" in row for row in run.metrics)


def test_it_is_judged_again(run: RunDirectory, tmp_path: Path) -> None:
    given = [f"run={run.path}", f"paths.cache_dir={tmp_path}", f"output={tmp_path}", "hardware=cpu"]
    status, output = command(["evaluate", *given, "hardware.threads=1"], tmp_path)
    assert status == 0, output
    values = json.loads((tmp_path / "retrieval.json").read_text())
    last = [row for row in run.metrics if "val/retrieval_r1" in row][-1]
    for name in ("retrieval_r1", "retrieval_r5_image_to_text", "retrieval_r10_text_to_image"):
        assert values[name] == pytest.approx(last[f"val/{name}"])
    status, output = command(["evaluate", *given, "metrics=generation_small"], tmp_path)
    assert status == 2
    assert "set metrics=retrieval" in output


def test_samples_are_what_its_captions_find(run: RunDirectory, tmp_path: Path) -> None:
    status, output = command(["sample", f"run={run.path}", f"output={tmp_path / 'found'}", "hardware=cpu"], tmp_path)
    assert status == 0, output
    assert "4 results for examples of the validation images in" in output


def test_another_model_reads_the_pair(run: RunDirectory) -> None:
    pair = config.build(run.config["model"]["encoders"])
    assert read_pair(pair, run.path).name == "best.ckpt"
    text = pair.eval().encode_text(["a red circle above a zebra"])
    assert text.tokens == [["a", "red", "circle", "above", "a"]]
    assert text.unknown == [["zebra"]]


def test_mistakes_are_told_before_a_step(tmp_path: Path) -> None:
    status, output = train(tmp_path, *SETTINGS, "data.augment.caption=all")
    assert status == 2
    assert "set data.augment.caption=one" in output.replace("\n", " ")
    status, output = train(tmp_path, *SETTINGS, "model.encoders.text.dim=6")
    assert status == 2
    assert "sentences have 6 numbers, words 6, images 8" in output
