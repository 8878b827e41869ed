from pathlib import Path
from typing import Any

import pytest

from freqgan.errors import UserError
from freqgan.runs import Choice, RunDirectory
from freqgan.runs.resume import choose_own


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return RunDirectory.at(tmp_path / "job")


@pytest.mark.parametrize("resume", [None, "auto"])
def test_a_directory_of_its_own_that_holds_no_run_begins_one(tmp_path: Path, resume: str | None) -> None:
    assert choose_own(tmp_path / "job", resume) == Choice()
    RunDirectory.at(tmp_path / "job")
    assert choose_own(tmp_path / "job", resume) == Choice()


def test_a_run_that_died_before_its_first_checkpoint_begins_again(run: RunDirectory) -> None:
    run.write_record(status="running")
    assert choose_own(run.path, "auto") == Choice()


def test_a_finished_run_needs_nothing_more(run: RunDirectory) -> None:
    run.write_record(status="finished")
    assert choose_own(run.path, "auto") == Choice(run=run, finished=True)
    assert choose_own(run.path, "must").finished


@pytest.mark.parametrize(
    ("resume", "record", "line"),
    [
        ("outputs/x", {}, "paths.run_dir={path} and resume=outputs/x name two runs: set resume=auto or leave one out"),
        (None, {"status": "killed"}, "paths.run_dir={path} holds a run already: continue it with resume=auto, or"),
        ("must", {}, "resume=must found no whole checkpoint in paths.run_dir={path}: use resume=auto to start one"),
        ("must", {"status": "killed"}, "resume=must found no whole checkpoint in paths.run_dir={path}: use"),
    ],
)
def test_what_cannot_be_meant_is_one_line(
    run: RunDirectory, resume: str | None, record: dict[str, Any], line: str
) -> None:
    if record:
        run.write_record(**record)
    with pytest.raises(UserError) as caught:
        choose_own(run.path, resume)
    assert str(caught.value).startswith(line.format(path=run.path))


def test_a_directory_that_is_in_use_is_refused(run: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RunDirectory, "held", lambda self: True)
    with pytest.raises(UserError, match="is in use by another process: wait for it, or name another one"):
        choose_own(run.path, "auto")
