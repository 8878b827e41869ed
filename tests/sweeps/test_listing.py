"""`freqgan runs` on directories as runs and sweeps leave them."""

import json
from pathlib import Path
from typing import Any

import pytest

from freqgan import cli
from freqgan.runs import RunDirectory
from freqgan.sweeps.ledger import Ledger, Row, State
from freqgan.sweeps.listing import state_of


@pytest.fixture(autouse=True)
def _empty_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def a_run(path: str, started: str = "2026-01-01T00:00:00+0000", **facts: Any) -> RunDirectory:
    run = RunDirectory.at(Path("outputs", path))
    run.write_record(**({"status": "finished", "started": started, "images_seen": 100, "seconds": 30.0} | facts))
    return run


def a_sweep(path: str, *states: State) -> Path:
    folder = Path("outputs", path)
    folder.mkdir(parents=True)
    for number, state in enumerate(states, 1):
        row = Row(f"key{number}", number, (f"seed={number}",), "waiting", time="2026-01-01T00:00:00+0000")
        for now in dict.fromkeys(("waiting", state)):
            Ledger(folder / "ledger.jsonl").write(Row(**vars(row) | {"state": now}))
    return folder


def listed(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[list[str]]:
    """The cells of each row."""
    assert cli.main(["runs", *arguments]) == 0
    lines = capsys.readouterr().out.splitlines()
    return [[cell.strip() for cell in line.split("│")[1:-1]] for line in lines if "│" in line]


def test_the_jobs_of_a_sweep_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    a_sweep("a/grid", "finished", "finished", "diverged", "refused")
    for number in (1, 2, 3):
        a_run(f"a/grid/key{number}")
    a_run("a/2026-01-02_00-00-00", "2026-01-02T00:00:00+0000")
    assert listed(capsys) == [
        ["outputs/a/2026-01-02_00-00-00", "finished", "100", "0.5", ""],
        ["outputs/a/grid", "4 jobs: 2 finished, 1 diverged, 1 refused", "300", "1.5", ""],
    ]


def test_what_a_dead_sweep_left_running_is_killed(capsys: pytest.CaptureFixture[str]) -> None:
    folder = a_sweep("a/grid", "running", "running", "running", "waiting")
    a_run("a/grid/key1", status="running")
    row, run = Row("key2", 2, (), "running"), a_run("a/grid/key2", status="running")
    with run.lock():
        assert state_of(row, folder) == "running"
    assert state_of(row, folder) == "killed"
    assert listed(capsys)[0][1] == "4 jobs: 3 killed, 1 waiting"


def test_a_job_that_is_just_starting_runs_as_long_as_its_sweep(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    a_sweep("a/grid", "running")
    monkeypatch.setattr(RunDirectory, "held", lambda self: self.path.name == "grid")
    assert listed(capsys)[0][1] == "1 job: 1 running"


def test_runs_are_sorted_by_their_start_in_any_time_zone(capsys: pytest.CaptureFixture[str]) -> None:
    a_run("a/first", "2026-01-01T09:00:00+0900")
    a_run("a/third", "2026-01-01T00:20:00-0100")
    a_run("b/second", "2026-01-01T00:30:00+0000")
    a_sweep("b/grid", "refused")  # at midnight as well, found later
    a_run("c/now", started="torn")  # then the time of the directory counts
    names = [Path(row[0]).name for row in listed(capsys)]
    assert names[:3] == ["now", "third", "second"]
    assert set(names[3:]) == {"first", "grid"}


def test_the_newest_are_listed_unless_all_are_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(35):
        a_run(f"a/{number}", f"2026-01-01T00:00:{number:02d}+0000")
    assert [row[0] for row in listed(capsys, "n=2")] == ["outputs/a/34", "outputs/a/33"]
    assert len(listed(capsys, "n=all")) == 35
    assert cli.main(["runs"]) == 0
    assert capsys.readouterr().out.endswith("the newest 30 of 35: `freqgan runs n=all` lists all\n")
    assert cli.main(["runs", "n=0"]) == 2


def test_the_last_metric_is_that_of_the_newest_evaluation(capsys: pytest.CaptureFixture[str]) -> None:
    run = a_run("a/one")
    rows = [
        {"val/fd": 3.0},
        {"train/loss": 1.0},
        {"images_seen": 5, "val/fd": 2.0, "val/kid": 1.0},
        {"train/loss": 2.0},
    ]
    (run.path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows) + '{"val/fd"')
    assert listed(capsys)[0][4] == "fd 2"


def test_what_is_measured_between_evaluations_is_not_the_last_metric(capsys: pytest.CaptureFixture[str]) -> None:
    run = a_run("a/one")
    rows = [{"images_seen": 5, "val/fd": 2.0}, {"images_seen": 9, "val/diversity": 0.5}]
    (run.path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert listed(capsys)[0][4] == "fd 2"


def test_a_run_that_was_stopped_ended_early(capsys: pytest.CaptureFixture[str]) -> None:
    a_run("a/one", stopped="fd did not improve on 2 in 3 evaluations")
    a_run("a/two", stopped=None)
    a_run("a/three", stopped="fd did not improve on 2 in 3 evaluations", status="interrupted")
    assert sorted(row[1] for row in listed(capsys)) == ["finished", "finished early", "interrupted"]


def test_what_lies_in_a_run_is_not_searched(capsys: pytest.CaptureFixture[str]) -> None:
    a_run("a/one")
    a_run("a/one/samples/inner")
    a_sweep("a/grid", "waiting")
    a_run("a/grid/stale")
    assert {row[0]: row[1] for row in listed(capsys)} == {
        "outputs/a/one": "finished",
        "outputs/a/grid": "1 job: 1 waiting",
    }


def test_a_narrow_terminal_has_two_lines_for_each(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    a_sweep("a/grid", "finished")
    a_run("b/[bold]")
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "50")
    assert cli.main(["runs"]) == 0
    assert sorted(capsys.readouterr().out.splitlines()) == [
        "  1 job: 1 finished; 0 images; 0.0 minutes",
        "  finished; 100 images; 0.5 minutes",
        "outputs/a/grid",
        "outputs/b/[bold]",
    ]
    monkeypatch.setenv("COLUMNS", "120")
    assert len(listed(capsys)) == 2


def test_nothing_there_says_how_to_begin(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["runs"]) == 0
    assert capsys.readouterr().out == "no runs under outputs: start one with `freqgan train`\n"
