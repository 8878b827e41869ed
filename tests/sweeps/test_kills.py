"""A sweep that is stopped at any moment is finished by the same command: no job twice, none lost, none left behind."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from freqgan.runs import read_checkpoint
from tests.forked import tensors
from tests.sweeps.running import FAULT, driver, last, ledger, run_of, sweep
from tests.sweeps.test_processes import gone

SLOW = [FAULT, "callbacks.fault.kind=slow", "budget.images=64", "seed=1,2"]  # 16 steps of a tenth of a second


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parents[2])
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """The last checkpoint of the job with seed 1."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parents[2])
        folder = tmp_path_factory.mktemp("whole")
        assert sweep(folder, *SLOW[:-1], "seed=1") == 0
    (row,) = last(folder).values()
    return tensors(read_checkpoint(run_of(folder, row).checkpoints()[0]))


def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 100
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def steps(folder: Path) -> bool:
    """Whether a job is in the middle of its training."""
    return any(row.state == "running" and len(run_of(folder, row).checkpoints()) > 2 for row in last(folder).values())


def assert_finished(folder: Path, uninterrupted: dict[str, object]) -> None:
    rows = last(folder)
    assert {name: row.state for name, row in rows.items()} == {"seed=1": "finished", "seed=2": "finished"}
    assert [row.state for row in ledger(folder)].count("finished") == 2
    assert tensors(read_checkpoint(run_of(folder, rows["seed=1"]).checkpoints()[0])) == uninterrupted


@pytest.mark.parametrize(
    ("signals", "status"),
    [
        pytest.param((signal.SIGTERM,), 143, id="SIGTERM", marks=pytest.mark.slow),
        pytest.param((signal.SIGINT,), 130, id="Ctrl-C", marks=pytest.mark.slow),
        pytest.param((signal.SIGINT, signal.SIGTERM), 130, id="Ctrl-C and SIGTERM", marks=pytest.mark.slow),
    ],
)
@pytest.mark.fault("sweep", "driver killed or signalled")
def test_signals_end_a_sweep_that_the_same_command_finishes(
    tmp_path: Path,
    signals: tuple[int, ...],
    status: int,
    uninterrupted: dict[str, object],
    capfd: pytest.CaptureFixture[str],
) -> None:
    def send() -> None:
        until(lambda: steps(tmp_path))
        for signum in signals:  # without a pause, in which the job could end by itself
            os.kill(os.getpid(), signum)

    sender = threading.Thread(target=send)
    sender.start()
    assert sweep(tmp_path, *SLOW) == status
    sender.join()
    (row,) = (row for row in last(tmp_path).values() if row.attempt)
    assert (row.state, row.exit_status) == ("interrupted", 143 if len(signals) == 1 else -signal.SIGKILL)
    assert run_of(tmp_path, row).state() == ("interrupted" if len(signals) == 1 else "killed")
    assert "2 jobs left: the same command goes on" in capfd.readouterr().err
    assert sweep(tmp_path, *SLOW) == 0
    assert {row.attempt for row in last(tmp_path).values()} == {1, 2}
    assert "resumed at " in (tmp_path / "tiny" / "it" / "logs" / f"{row.key}.log").read_text()
    assert_finished(tmp_path, uninterrupted)


def killed(process: subprocess.Popen[str], folder: Path) -> None:
    """Kills a driver; all that it started ends by itself."""
    process.kill()
    process.communicate(timeout=90)  # ends with the last process that holds the sweep's output
    runs = [run_of(folder, row) for row in last(folder).values()]
    assert all(gone(int(run.record["pid"])) for run in runs if run.record)


MOMENTS: dict[str, Callable[[Path], object]] = {
    "before there is a ledger": lambda folder: (folder / "tiny" / "it" / ".lock").exists(),
    "examining": lambda folder: ledger(folder),
    "starting": lambda folder: any(row.state == "running" for row in ledger(folder)),
    "between jobs": lambda folder: any(row.state == "finished" for row in ledger(folder)),
    "the second job": lambda folder: len({row.number for row in ledger(folder) if row.state == "running"}) == 2,
}


@pytest.mark.fault("sweep", "driver killed or signalled")
def test_a_driver_that_is_killed_leaves_nothing_but_work_to_go_on_with(
    tmp_path: Path, uninterrupted: dict[str, object]
) -> None:
    process = driver(tmp_path, *SLOW)
    until(lambda: steps(tmp_path))
    killed(process, tmp_path)
    (row,) = (row for row in last(tmp_path).values() if row.attempt)
    run = run_of(tmp_path, row)
    assert (row.state, run.state()) == ("running", "interrupted")  # the job has heard, and saved
    assert 0 < run.record["images_seen"] < 64
    with (tmp_path / "tiny" / "it" / "ledger.jsonl").open("a") as file:
        file.write('{"key": "torn')
    assert sweep(tmp_path, *SLOW) == 0
    assert_finished(tmp_path, uninterrupted)


@pytest.mark.slow
@pytest.mark.parametrize("start", ["fork", "fresh"])
@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.fault("sweep", "driver killed or signalled")
def test_a_driver_may_be_killed_at_any_moment(
    tmp_path: Path, moment: str, start: str, uninterrupted: dict[str, object]
) -> None:
    process = driver(tmp_path, *SLOW, f"sweep.engine.start={start}")
    until(lambda: MOMENTS[moment](tmp_path))
    killed(process, tmp_path)
    assert sweep(tmp_path, *SLOW) == 0
    assert_finished(tmp_path, uninterrupted)


@pytest.mark.slow
@pytest.mark.fault("sweep", "driver killed or signalled")
def test_a_second_driver_is_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    process = driver(tmp_path, *SLOW)
    until(lambda: steps(tmp_path))
    before = ledger(tmp_path)
    assert sweep(tmp_path, *SLOW) == 2
    line = capfd.readouterr().err
    assert line.endswith("is being worked on by another sweep: wait for it, or stop it\n")
    assert line.count("\n") == 1
    assert ledger(tmp_path)[: len(before)] == before
    assert process.communicate(timeout=90)[0].count("finished in") == 2
    assert process.returncode == 0


@pytest.mark.slow
@pytest.mark.fault("sweep", "driver killed or signalled")
def test_signals_to_the_whole_group_let_jobs_save(tmp_path: Path, uninterrupted: dict[str, object]) -> None:
    """As a terminal and timeout(1) send them."""
    process = driver(tmp_path, *SLOW, start_new_session=True)
    until(lambda: steps(tmp_path))
    os.killpg(process.pid, signal.SIGTERM)
    output, _ = process.communicate(timeout=90)
    assert process.returncode == 143, output
    assert "Traceback" not in output
    assert [row.exit_status for row in last(tmp_path).values() if row.attempt] == [143]
    assert sweep(tmp_path, *SLOW) == 0
    assert_finished(tmp_path, uninterrupted)
