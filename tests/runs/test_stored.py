"""Protocols with the judge that their config names by its run."""

from pathlib import Path
from typing import Any

import pytest

from freqgan.errors import UserError
from freqgan.metrics import NoEvaluation
from freqgan.runs import RunDirectory
from freqgan.runs.stored import load_protocol

METRICS = {"_target_": "freqgan.metrics.NoEvaluation"}


def finished(folder: Path, model: str) -> str:
    run = RunDirectory.at(folder / "2026-01-01_00-00-00")
    run.write_record(status="finished")
    run.write_config({"model": {"_target_": model}})
    return str(run.path)


def test_without_a_judge_it_is_built_as_it_is() -> None:
    assert isinstance(load_protocol({"metrics": METRICS}, {}), NoEvaluation)
    assert isinstance(load_protocol({"metrics": None}, {}), NoEvaluation)


def test_what_is_left_out_is_told(caplog: pytest.LogCaptureFixture) -> None:
    features = {"_target_": "freqgan.features.EfficientNetLite0"}
    metrics = {"_target_": "freqgan.metrics.TextToImageProtocol", "features": features, "judge_run": None}
    protocol = load_protocol({"metrics": metrics, "n": 7}, {"encoders_run": "outputs/mine"})
    assert "R-precision is left out" in caplog.text
    assert (protocol.num_images, protocol.judges) == (7, [])


def test_a_judge_is_a_run_of_encoders_that_are_not_the_models(tmp_path: Path) -> None:
    gan = finished(tmp_path / "gan", "freqgan.systems.StagedTextGAN")
    for metrics, model, line in (
        ({"judge_run": str(tmp_path / "none")}, {}, "holds no finished run"),
        ({"judge_run": gan}, {"encoders_run": gan}, "who would judge their pupil"),
        ({"judge_run": gan}, {}, "trained freqgan.systems.StagedTextGAN: name a run of model=image_text_encoder"),
    ):
        settings: dict[str, Any] = {"metrics": METRICS | metrics}
        with pytest.raises(UserError, match=line):
            load_protocol(settings, model)


def test_a_judge_of_label_maps_is_a_run_of_a_segmenter(tmp_path: Path) -> None:
    gan = finished(tmp_path / "gan", "freqgan.systems.LabelToImage")
    features = {"_target_": "freqgan.features.EfficientNetLite0"}
    metrics = {"_target_": "freqgan.metrics.LabelToImageProtocol", "features": features}
    for place, line in (
        (gan, "trained freqgan.systems.LabelToImage: name a run of model=segmenter"),
        (str(tmp_path / "none"), "holds no finished run: train a segmenter"),
    ):
        with pytest.raises(UserError, match=line):
            load_protocol({"metrics": metrics | {"judge_run": place}}, {})
