from pathlib import Path
from typing import Any

from freqgan.runs import RunDirectory
from freqgan.runs.prerequisites import missing_judge, missing_runs, no_judge, same_encoders


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


def finished(folder: Path) -> Path:
    run = RunDirectory.at(folder / "2026-01-01_00-00-00")
    run.write_record(status="finished")
    return run.path


def test_encoders_that_are_to_judge_have_to_be_there(tmp_path: Path) -> None:
    (line,) = missing_runs({"model": {}, "metrics": {"judge_run": str(tmp_path)}})
    assert line.startswith(f"metrics.judge_run={tmp_path} holds no finished run: train some, as `freqgan train ")
    finished(tmp_path)
    assert list(missing_judge({"judge_run": str(tmp_path)})) == list(missing_judge({})) == []


def test_no_encoders_judge_their_own_pupil(tmp_path: Path) -> None:
    run, other = finished(tmp_path / "image_text_encoder_scenes"), finished(tmp_path / "judge")
    for judge in (run, run.parent):
        (line,) = same_encoders({"judge_run": str(judge)}, {"encoders_run": str(run.parent)})
        assert "who would judge their pupil" in line
        command = "experiment=image_text_encoder/scenes name=image_text_encoder_scenes_judge seed=2"
        assert f"`freqgan train {command}`" in line
    assert list(same_encoders({"judge_run": str(other)}, {"encoders_run": str(run)})) == []
    missing = str(tmp_path / "missing")
    assert len(list(same_encoders({"judge_run": missing}, {"encoders_run": missing}))) == 1
    assert list(same_encoders({"judge_run": None}, {"encoders_run": str(run)})) == []


def test_what_is_left_out_for_want_of_a_judge_is_told_with_the_command() -> None:
    model = {"encoders_run": "outputs/image_text_encoder_openmoji"}
    (line,) = no_judge({"judge_run": None}, model)
    assert "R-precision is left out" in line
    assert "experiment=image_text_encoder/openmoji name=image_text_encoder_openmoji_judge seed=2" in line
    (line,) = no_judge({"judge_run": None}, {"encoders_run": "outputs/mine"})
    assert "does for scenes" in line
    for metrics, other in (({"judge_run": "x"}, model), ({}, model), ({"judge_run": None}, {})):
        assert list(no_judge(metrics, other)) == []


def test_a_segmenter_that_is_to_judge_has_to_be_there(tmp_path: Path) -> None:
    def metrics(place: Path | None) -> dict[str, Any]:
        return {"_target_": "freqgan.metrics.LabelToImageProtocol", "judge_run": place and str(place)}

    (line,) = missing_runs({"model": {}, "metrics": metrics(tmp_path / "segmenter_camvid")})
    assert "`freqgan train experiment=segmenter/camvid data.root=<CamVid>`" in line
    assert "null for no mean IoU" in line
    (line,) = missing_judge(metrics(tmp_path / "mine"))
    assert "as `freqgan train experiment=segmenter/scenes` does for scenes" in line
    finished(tmp_path / "segmenter_camvid")
    assert list(missing_judge(metrics(tmp_path / "segmenter_camvid"))) == []
    (line,) = no_judge(metrics(None), {})
    assert "mean IoU and accuracies are left out" in line
    assert list(no_judge(metrics(tmp_path), {})) == []
