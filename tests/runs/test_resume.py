import inspect
import multiprocessing
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import torch

from freqgan.data import DataModule
from freqgan.errors import UserError
from freqgan.runs import Choice, RunDirectory, settle, write_checkpoint
from freqgan.runs.resume import choose_own, compared


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


@pytest.mark.fault("checkpoint", "every checkpoint damaged")
@pytest.mark.parametrize("resume", ["auto", "must"])
def test_a_run_without_a_whole_checkpoint_is_not_written_over(run: RunDirectory, resume: str) -> None:
    run.write_record(status="killed")
    for name in ("images_0.ckpt", "images_8.ckpt", "last.ckpt"):
        (run.path / "checkpoints" / name).write_bytes(b"\0" * 100)
    with pytest.raises(UserError, match="holds damaged checkpoints alone: move it away, or name another one"):
        choose_own(run.path, resume)


@pytest.mark.fault("checkpoint", "record that is lost")
@pytest.mark.parametrize("content", [None, b"\0" * 200])
def test_checkpoints_without_a_record_are_a_run_all_the_same(run: RunDirectory, content: bytes | None) -> None:
    path = run.path / "checkpoints" / "images_8.ckpt"
    write_checkpoint(path, {"state_dict": {"w": torch.zeros(3)}, "ema": {}, "clock": {"images_seen": 8}})
    if content is not None:
        (run.path / "run.json").write_bytes(content)
    for resume in ("auto", "must"):
        assert choose_own(run.path, resume) == Choice(run=run, checkpoint=path, images_seen=8)
    with pytest.raises(UserError, match="holds a run already"):
        choose_own(run.path, None)


@pytest.mark.fault("foreign", "link out of a run")
@pytest.mark.parametrize("resume", [None, "auto"])
def test_what_could_not_be_continued_is_not_begun(run: RunDirectory, tmp_path: Path, resume: str | None) -> None:
    (tmp_path / "other_disk").mkdir()
    (run.path / "checkpoints").rmdir()
    (run.path / "checkpoints").symlink_to(tmp_path / "other_disk")
    with pytest.raises(UserError, match="checkpoints leads out of the run: put in its place what it leads to, or keep"):
        choose_own(run.path, resume)


class SlowData:
    """Data during whose preparation another process begins.

    Args:
        begin: what that does.
    """

    def __init__(self, begin: Callable[[], object]) -> None:
        self.setup = self.fingerprint = lambda *_: ""
        self.prepare_data = begin


def settings_of(run: RunDirectory, lr: float) -> dict[str, Any]:
    paths = {"output_dir": str(run.path.parent), "run_dir": str(run.path)}
    return {"name": "x", "paths": paths, "resume": "auto", "resume_override": [], "optim": {"lr": lr}}


@pytest.mark.fault("logging", "second process in one run directory")
def test_who_comes_second_does_not_change_the_config_of_the_first(run: RunDirectory) -> None:
    pool, theirs = multiprocessing.get_context("fork").Pool(1), settings_of(run, 1.0)
    with pool, ExitStack() as stack:
        pool.apply(hold, (run, theirs))
        with pytest.raises(UserError, match="in use by another process"):
            settle(settings_of(run, 2.0), SlowData(lambda: None))
        stack.enter_context(pytest.MonkeyPatch.context()).setattr("freqgan.runs.resume.choose_own", lambda *_: Choice())
        with pytest.raises(UserError, match="in use by another process"):  # it came between asking and writing
            settle(settings_of(run, 2.0), SlowData(lambda: None))
    assert run.config == theirs


@pytest.mark.fault("logging", "second process in one run directory")
def test_a_run_that_came_and_went_while_data_were_prepared_stays(run: RunDirectory) -> None:
    def come_and_go() -> None:
        run.write_config({"theirs": True})
        run.write_record(status="finished")

    with pytest.raises(UserError, match="holds a run that another process has begun meanwhile"):
        settle(settings_of(run, 2.0), SlowData(come_and_go))
    assert run.config == {"theirs": True}


_held = ExitStack()


def hold(run: RunDirectory, config: dict[str, Any]) -> None:
    """Another process begins a run, and holds it as long as it lives."""
    _held.enter_context(run.lock())
    run.write_config(config)


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


@pytest.mark.parametrize("name", [name for name in inspect.signature(DataModule).parameters if "root" in name])
def test_data_of_either_domain_and_size_may_lie_elsewhere(name: str) -> None:
    here, there, other = ({"data": {name: place, "seed": seed}} for place, seed in (("a", 1), ("b", 1), ("a", 2)))
    assert compared(here) == compared(there) != compared(other)
