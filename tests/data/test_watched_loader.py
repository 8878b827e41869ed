"""Loading processes that are killed, stopped or hang: one line in time, and nobody is left."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from freqgan.data.base import ImageDataset, Sample
from freqgan.data.datamodule import DataModule
from freqgan.errors import FreqganError
from tests.forked import only_run, train

PATIENCE = 4  # a busy machine needs more than a second for a batch of nothing
LATE = PATIENCE + 20  # machines are busy


class Slow(ImageDataset):
    """Takes its time, or for ever at one index."""

    def __init__(self, *, seconds: float = 0.0, hangs_at: int = -1, **settings: Any) -> None:
        super().__init__(**settings)
        self.seconds, self.hangs_at = seconds, hangs_at

    def prepare(self) -> None:
        """Nothing to do."""

    def __len__(self) -> int:
        return 1000

    def __getitem__(self, index: int) -> Sample:
        time.sleep(3600 if index == self.hangs_at else self.seconds)
        return {"image": torch.zeros(3, 8, 8, dtype=torch.uint8)}

    def content(self) -> str:
        """All are alike."""
        return "slow"


def _batches(*, num_workers: int = 2, worker_timeout: int = PATIENCE, **source: Any) -> Iterator[Any]:
    given = {"image_size": 8, "batch_size": 2, "num_workers": num_workers, "worker_timeout": worker_timeout}
    return iter(DataModule(source=partial(Slow, **source), **given).train_dataloader())


def _take(batches: Iterator[Any], number: int) -> None:
    for _ in range(number):
        next(batches)


@pytest.fixture
def workers() -> Iterator[Callable[[], list[int]]]:
    """The ids of the loading processes that a test has started."""
    others = {*multiprocessing.active_children()}
    yield lambda: sorted(p.pid for p in {*multiprocessing.active_children()} - others if p.pid is not None)
    for process in {*multiprocessing.active_children()} - others:
        process.kill()
        process.join()


def _until(true: Callable[[], bool], seconds: float = LATE) -> bool:
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.05)
    return true()


def _ended(pid: int) -> bool:
    """Whether a process is no more, or waits to be buried."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGBUS, signal.SIGSEGV])
@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.fault("data", "loading process killed or stopped")
def test_a_killed_one_ends_the_run_in_one_line(workers: Any, signum: int, which: int) -> None:
    batches = _batches(worker_timeout=600)
    next(batches)
    os.kill(workers()[which], signum)
    start = time.monotonic()
    with pytest.raises(
        FreqganError, match=r"loading process \d+ (was killed by|ended) .*lower data\.num_workers"
    ) as error:
        _take(batches, 20)
    assert error.value.exit_status == 1
    assert "\n" not in str(error.value)
    assert time.monotonic() - start < LATE
    assert workers() == []


@pytest.mark.parametrize("stopped", ["one", "all"])
@pytest.mark.fault("data", "loading process killed or stopped")
def test_a_stopped_one_ends_the_run_in_time(workers: Any, stopped: str) -> None:
    batches = _batches()
    next(batches)
    for pid in workers()[: 1 if stopped == "one" else 2]:
        os.kill(pid, signal.SIGSTOP)
    start = time.monotonic()
    with pytest.raises(
        FreqganError, match=rf"no batch has come .* in data\.worker_timeout={PATIENCE} seconds: look at"
    ):
        _take(batches, 20)
    assert time.monotonic() - start < LATE
    assert workers() == []


@pytest.mark.fault("data", "loading process killed or stopped")
def test_one_that_hangs_ends_the_run_in_time(workers: Any) -> None:
    batches = _batches(hangs_at=3)
    start = time.monotonic()
    with pytest.raises(FreqganError, match="no batch has come"):
        _take(batches, 1000)
    assert time.monotonic() - start < LATE
    assert workers() == []


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP])
@pytest.mark.fault("data", "loading process killed or stopped")
def test_what_the_scheduler_says_to_all_is_for_the_training_process(workers: Any, signum: int) -> None:
    batches = _batches(num_workers=1)
    next(batches)
    (pid,) = workers()
    os.kill(pid, signum)
    for _ in range(6):
        next(batches)
    assert workers() == [pid]


@pytest.mark.fault("data", "loading process killed or stopped")
def test_a_step_is_not_interrupted_by_the_end_of_one(workers: Any) -> None:
    batches = _batches()
    next(batches)
    os.kill(workers()[0], signal.SIGKILL)
    end = time.monotonic() + 0.5
    while time.monotonic() < end:  # a step, in which torch's own watch would raise
        torch.ones(10).sum()
    with pytest.raises(FreqganError, match="SIGKILL"):
        _take(batches, 20)


@pytest.mark.slow
@pytest.mark.fault("data", "loading process killed or stopped")
def test_slow_batches_are_waited_for(workers: Any) -> None:
    batches = _batches(num_workers=1, worker_timeout=20, seconds=0.8)
    assert len([next(batches) for _ in range(2)]) == 2


def _child(report: Any, ending: Callable[[], None], **source: Any) -> None:
    batches = _batches(**source)
    next(batches)
    report.send([process.pid for process in multiprocessing.active_children()])
    for _ in range(4):
        next(batches)
    ending()
    report.send("done")


def _started(ending: Callable[[], None] = lambda: None, **source: Any) -> tuple[Any, Any, list[int]]:
    """A process that loads, its words, and its loading processes."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=_child, args=(there, ending), kwargs=source)
    process.start()
    assert here.poll(LATE)
    return process, here, here.recv()


@pytest.mark.fault("data", "loading process killed or stopped")
def test_nobody_outlives_a_killed_training_process(workers: Any) -> None:
    process, _, pids = _started(lambda: time.sleep(600), seconds=0.2)
    os.kill(pids[0], signal.SIGSTOP)
    process.kill()
    process.join()
    assert _until(lambda: all(map(_ended, pids))), "a loading process is left"


@pytest.mark.slow
@pytest.mark.fault("data", "loading process killed or stopped")
def test_time_in_which_all_are_stopped_does_not_count(workers: Any) -> None:
    process, words, pids = _started(seconds=0.2)
    for pid in (process.pid, *pids):
        os.kill(pid, signal.SIGSTOP)
    time.sleep(PATIENCE + 1.5)
    for pid in (*pids, process.pid):
        os.kill(pid, signal.SIGCONT)
    assert words.poll(LATE)
    assert words.recv() == "done"
    process.join(LATE)
    assert process.exitcode == 0


OVER = """
import multiprocessing, os, signal
from tests.data.test_watched_loader import _batches
batches = _batches()
next(batches)
os.kill(multiprocessing.active_children()[0].pid, signal.SIGSTOP)
"""


@pytest.mark.slow  # torch waits twice for five seconds
@pytest.mark.fault("data", "loading process killed or stopped")
def test_a_run_that_is_over_does_not_wait_for_a_stopped_one() -> None:
    place = Path(__file__).parents[2]
    ended = subprocess.run([sys.executable, "-c", OVER], cwd=place, timeout=120, capture_output=True, check=False)
    assert ended.returncode == 0, ended.stderr


def _killed_at(step: int) -> Callable[[], None]:
    """A fault: a loading process is killed in the middle of a step."""

    def before() -> None:
        from freqgan.systems import System

        original = System._update

        def update(self: Any, player: str, *rest: Any) -> None:
            if self.clock.steps == step and player == "generator":
                os.kill(multiprocessing.active_children()[0].pid or 0, signal.SIGKILL)
            original(self, player, *rest)  # type: ignore[arg-type]

        System._update = update  # type: ignore[method-assign]

    return before


@pytest.mark.fault("data", "loading process killed or stopped")
def test_a_run_ends_with_one_line_and_goes_on(tmp_path: Path) -> None:
    given = ["data.num_workers=1", "data.worker_timeout=5", "budget.images=48", "checkpoint.every_images=8"]
    status, output = train(tmp_path, *given, before=_killed_at(4))
    assert status == 1
    assert "Traceback" not in output
    assert output.count("was killed by SIGKILL: if memory ran out, lower data.num_workers") == 1
    status, output = train(tmp_path, *given, "resume=auto")
    assert status == 0, output
    assert only_run(tmp_path).is_dir()
