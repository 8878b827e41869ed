from pathlib import Path
from typing import Any

from freqgan.runs import RunDirectory
from freqgan.runs.prerequisites import missing_runs


def lines(place: Any) -> list[str]:
    return list(missing_runs({"model": {"encoders_run": place}}))


def test_models_without_encoders_need_no_run() -> None:
    assert list(missing_runs({"model": {}})) == []


def test_the_command_that_trains_encoders_is_named(tmp_path: Path) -> None:
    (line,) = lines(None)
    assert "`freqgan train experiment=image_text_encoder/scenes`" in line
    (line,) = lines(str(tmp_path / "image_text_encoder_openmoji"))
    assert "`freqgan train experiment=image_text_encoder/openmoji`" in line
    (line,) = lines(str(tmp_path / "mine"))
    assert f"model.encoders_run={tmp_path / 'mine'} holds no finished run" in line


def test_a_run_and_a_folder_of_runs_will_do(tmp_path: Path) -> None:
    run = RunDirectory.at(tmp_path / "2026-01-01_00-00-00")
    run.write_record(status="failed")
    assert lines(str(run.path)) == []  # named by the user, whatever became of it
    assert len(lines(str(tmp_path))) == 1
    run.write_record(status="finished")
    assert lines(str(tmp_path)) == []
