import errno
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from freqgan.errors import InterruptedRunError, StorageError, UserError
from freqgan.runs import RunDirectory
from freqgan.sweeps import Ledger, Row, driver
from tests.sweeps.stand_ins import Listed, Outcome, Scripts, made


@pytest.fixture(autouse=True)
def _without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "TICK", 0)
    monkeypatch.setattr(driver, "WATCHED_EVERY", 0)


def ends_with(*statuses: int | None, **by_job: int | None) -> Outcome:
    """Every job's polls: these, or one of its own behind a first look."""

    def outcome(job: str) -> Iterator[int | None]:
        name = job.replace("=", "_")
        return iter((None, by_job[name]) if name in by_job else statuses)

    return outcome


def states(rows: list[Row]) -> dict[int, str]:
    return {row.number: row.state for row in rows}


def test_jobs_fill_the_slots_and_no_more(tmp_path: Path) -> None:
    most: list[int] = []

    def outcome(job: str) -> Iterator[int | None]:
        for _ in range(3):
            most.append(len(sweep.running))
            yield None
        yield 0

    engine = Scripts(outcome, slots=2)
    sweep = made(tmp_path, Listed(*"abcde"), engine)
    assert states(sweep.run()) == dict.fromkeys(range(1, 6), "finished")
    assert max(most) == 2
    assert [job for job, _ in engine.started] == list("abcde")
    assert {slot for _, slot in engine.started} == {0, 1}
    assert engine.closed


@pytest.mark.parametrize(
    ("status", "state", "line"),
    [
        (0, "finished", ""),
        (1, "failed", "it ended with status 1"),
        (2, "refused", "it ended with status 2"),
        (3, "failed", "it ended with status 3"),
        (65, "diverged", "it ended with status 65"),
        (74, "failed", "it ended with status 74"),
        (124, "timed_out", "stopped after sweep.minutes=5"),
        (130, "interrupted", "it ended with status 130"),
        (143, "interrupted", "it ended with status 143"),
        (200, "failed", "it ended with status 200"),
        (-9, "killed", "killed by SIGKILL"),
        (-11, "killed", "killed by SIGSEGV"),
        (-40, "killed", "killed by signal 40"),
    ],
)
def test_a_status_is_a_state(tmp_path: Path, status: int, state: str, line: str) -> None:
    search = Listed("a")
    (row,) = made(tmp_path, search, Scripts(ends_with(None, status)), minutes=5.0).run()
    assert (row.state, row.exit_status, row.line, row.attempt) == (state, status, line, 1)
    assert search.told == ([] if state == "interrupted" else [(1, state)])
    assert [r.state for r in Ledger(tmp_path / "ledger.jsonl").rows()] == ["waiting", "running", state]


def test_the_line_is_what_this_attempt_said(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "a.log"
    log.parent.mkdir()
    log.write_text("freqgan: of an earlier time\n")

    def outcome(job: str) -> Iterator[int | None]:
        with log.open("a") as file:
            file.write("12:00:00 working\nfreqgan: the reason\nfreqgan:   more of it\n12:00:01 bye\n")
        yield 1

    (row,) = made(tmp_path, Listed("a"), Scripts(outcome)).run()
    assert row.line == "the reason"


def test_results_stand_and_the_rest_runs_again(tmp_path: Path) -> None:
    codes = {"a": 0, "b": 1, "c": 65, "d": -9, "e": 143, "f": 124}
    first = Scripts(ends_with(**codes))
    made(tmp_path, Listed(*codes, "bad"), first, minutes=1.0).run()
    second = Scripts(ends_with(0), slots=3)
    search = Listed(*codes, "bad")
    rows = made(tmp_path, search, second).run()
    assert [job for job, _ in second.started] == ["b", "d", "e", "f"]
    assert [row.state for row in rows] == ["finished", "finished", "diverged", *["finished"] * 3, "refused"]
    assert [row.attempt for row in rows] == [1, 2, 1, 2, 2, 2, 0]
    assert sorted(search.told) == [(number, row.state) for number, row in enumerate(rows, 1)]
    third = Scripts(ends_with(0))
    assert [row.state for row in made(tmp_path, Listed(*codes, "bad"), third, retry="all").run()][2] == "finished"
    assert third.started == [("c", 0)]


def test_a_refused_job_is_asked_again_when_its_config_is_another_one(tmp_path: Path) -> None:
    made(tmp_path, Listed("bad"), Scripts(ends_with(0))).run()
    for known, runs in (("bad", False), ("another", True)):
        sweep = made(tmp_path, Listed("bad"), Scripts(ends_with(0)))
        sweep.examiner.poll = lambda seconds, known=known: driver.Examined(  # type: ignore[method-assign]
            "whole", f"config_{known}", settings={"group": "mine"}
        )
        (row,) = sweep.run()
        assert (row.state == "finished") == runs
        assert isinstance(sweep.engine, Scripts)
        assert bool(sweep.engine.started) == runs


def test_a_job_that_could_not_be_examined_has_failed_and_is_tried_again(tmp_path: Path) -> None:
    sweep = made(tmp_path, Listed("bad", "a"), Scripts(ends_with(0)))
    sweep.examiner.status = 1  # type: ignore[attr-defined]
    assert states(sweep.run()) == {1: "failed", 2: "finished"}
    engine = Scripts(ends_with(0))
    sweep = made(tmp_path, Listed("bad", "a"), engine)
    well = driver.Examined("bad", "config_bad", settings={"group": None})
    examined = sweep.examiner.poll
    sweep.examiner.poll = (  # type: ignore[method-assign]
        lambda seconds: well if sweep.examiner.chosen == "bad" else examined(seconds)  # type: ignore[attr-defined]
    )
    assert states(sweep.run()) == {1: "finished", 2: "finished"}
    assert engine.started == [("bad", 0)]


def test_a_run_directory_that_is_gone_is_made_again(tmp_path: Path) -> None:
    made(tmp_path, Listed("a", "b"), Scripts(ends_with(a=0, b=65))).run()
    for name in "ab":
        (tmp_path / name / "run.json").unlink()
        (tmp_path / name).rmdir()
    engine = Scripts(ends_with(0))
    made(tmp_path, Listed("a", "b"), engine).run()
    assert [job for job, _ in engine.started] == ["a", "b"]


def test_two_ways_to_say_one_run_are_one_run(tmp_path: Path) -> None:
    engine = Scripts(ends_with(None, 0), slots=3)
    sweep = made(tmp_path, Listed("hardware=cpu", "hardware=auto", "hardware=cpu"), engine)
    sweep.examiner.keys = dict.fromkeys(("hardware=cpu", "hardware=auto"), "one")  # type: ignore[attr-defined]
    rows = sweep.run()
    assert states(rows) == {1: "finished", 2: "refused", 3: "finished"}
    assert rows[1].line.startswith("the same run as job 1: ")
    assert rows[1].key != rows[0].key == rows[2].key


def test_what_is_refused_again_is_not_written_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(2):
        sweep = made(tmp_path, Listed("hardware=cpu", "hardware=auto", "bad"), Scripts(ends_with(0)))
        sweep.examiner.keys = dict.fromkeys(("hardware=cpu", "hardware=auto"), "one")  # type: ignore[attr-defined]
        assert states(sweep.run()) == {1: "finished", 2: "refused", 3: "refused"}
        monkeypatch.setattr(time, "strftime", lambda text: "2100-01-31T12:00:00+0000")
    assert len(Ledger(tmp_path / "ledger.jsonl").rows()) == 5


def test_a_directory_that_is_held_is_waited_for(tmp_path: Path) -> None:
    holder = os.fork()
    if holder == 0:
        with RunDirectory.at(tmp_path / "a").lock():
            (tmp_path / "held").touch()
            time.sleep(0.5)
        os._exit(0)
    while not (tmp_path / "held").exists():
        time.sleep(0.01)
    engine = Scripts(ends_with(0))
    rows = made(tmp_path, Listed("a", "b"), engine).run()
    os.waitpid(holder, 0)
    assert [job for job, _ in engine.started] == ["b", "a"]
    assert states(rows) == {1: "finished", 2: "finished"}


def test_two_drivers_do_not_work_at_once(tmp_path: Path) -> None:
    holder = os.fork()
    if holder == 0:
        with RunDirectory(tmp_path).lock():
            (tmp_path / "held").touch()
            time.sleep(5)
        os._exit(0)
    while not (tmp_path / "held").exists():
        time.sleep(0.01)
    try:
        with pytest.raises(UserError, match="is being worked on by another sweep: wait for it, or stop it"):
            made(tmp_path, Listed("a"), Scripts(ends_with(0))).run()
    finally:
        os.kill(holder, signal.SIGKILL)
        os.waitpid(holder, 0)


@pytest.fixture
def _in_a_terminal() -> Iterator[None]:
    """These tests may themselves run under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("_in_a_terminal")
@pytest.mark.parametrize(("signum", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 143)])
def test_the_first_signal_stops_the_jobs_and_the_second_kills_them(tmp_path: Path, signum: int, status: int) -> None:
    def outcome(job: str) -> Iterator[int | None]:
        os.kill(os.getpid(), signum)
        yield None
        yield from [None] * 5
        os.kill(os.getpid(), signum)
        yield None
        yield None
        yield 143 if job == "a" else -9

    engine = Scripts(outcome, slots=2)
    search = Listed(*"abc")
    sweep = made(tmp_path, search, engine)
    before = signal.getsignal(signum)
    with pytest.raises(InterruptedRunError, match="3 jobs left: the same command goes on") as caught:
        sweep.run()
    assert caught.value.exit_status == status
    assert signal.getsignal(signum) is before
    assert engine.handles["a"].asked[0] == "stop"
    assert engine.handles["a"].asked[-1] == "kill"
    assert all(row.state in ("interrupted", "waiting") for row in sweep.rows.values())
    assert search.told == []
    assert "c" not in engine.handles


def test_a_sweep_under_nohup_does_not_hear_its_terminal_close(tmp_path: Path) -> None:
    def outcome(job: str) -> Iterator[int | None]:
        os.kill(os.getpid(), signal.SIGHUP)
        yield None
        yield 0

    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert states(made(tmp_path, Listed("a"), Scripts(outcome, slots=1)).run()) == {1: "finished"}
    finally:
        signal.signal(signal.SIGHUP, before)


def test_what_the_search_gives_up_is_pruned(tmp_path: Path) -> None:
    search = Listed("a", "b")
    search.unwanted = {1}

    def outcome(job: str) -> Iterator[int | None]:
        yield None
        while job == "a" and not engine.handles["a"].asked:
            yield None
        yield 143 if job == "a" else 0

    engine = Scripts(outcome)
    rows = made(tmp_path, search, engine).run()
    assert [(row.state, row.line) for row in rows] == [("pruned", ""), ("finished", "")]
    assert engine.handles["a"].asked == ["stop"]
    assert search.told == [(1, "pruned"), (2, "finished")]
    engine = Scripts(ends_with(0))
    assert states(made(tmp_path, search, engine).run()) == {1: "pruned", 2: "finished"}
    assert engine.started == []


def test_what_the_search_says_of_a_result_is_in_the_ledger(tmp_path: Path) -> None:
    search = Listed("a")
    search.complaint = "it has no metric"
    assert [row.line for row in made(tmp_path, search, Scripts(ends_with(0))).run()] == ["it has no metric"]
    assert Ledger(tmp_path / "ledger.jsonl").rows()[-1].line == "it has no metric"
    assert len(search.told) == 1


def test_an_error_of_the_sweep_itself_leaves_no_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Scripts(ends_with(*[None] * 50), slots=2)
    sweep = made(tmp_path, Listed("a", "b"), engine)

    def full(path: Path, row: Any, *, sync: bool) -> None:
        if row["key"] == "b":
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("freqgan.sweeps.ledger.append_row", full)
    with pytest.raises(StorageError, match="No space left on device"):
        sweep.run()
    assert engine.handles["a"].asked == ["kill"]
    assert engine.closed
    assert "b" not in engine.handles
