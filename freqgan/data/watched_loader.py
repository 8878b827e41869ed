"""Loading processes that are watched: one that is killed, stopped or hangs ends a run in one line, and never holds it.

A loader of torch waits for ever for a process that hangs, and even with a limit for one that is stopped while a tensor
is fetched from it; when one is killed, it interrupts the training process at any line of a step; and it leaves stopped
ones behind. Here the training process looks after them once a second while it waits for them; they end with it, and
signals that are meant for all of a run are heard by it alone.
"""

import atexit
import multiprocessing
import os
import signal
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count
from multiprocessing.process import BaseProcess
from typing import Any

from torch.utils.data import DataLoader

from freqgan.errors import FreqganError
from freqgan.lifetime import end_with_parent

_LOOK = 1  # seconds between two looks at processes that are waited for
_DYING = 2  # seconds that a process may take to end after it has closed its connections
_started: "weakref.WeakSet[BaseProcess]" = weakref.WeakSet()
_HEARD_BY_THE_RUN = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP)


class WatchedLoader(DataLoader[Any]):
    """A loader whose processes are given up after a time.

    Args:
        patience: seconds that a batch is waited for; time in which this process is stopped itself does not count.
        num_workers: loading processes; 0 loads in this one, where nobody watches, as in any thread but the main one.
        **settings: as for torch's loader.

    Raises:
        FreqganError: while iterating: a process has ended, or no batch has come.
    """

    def __init__(self, dataset: Any, *, patience: int, num_workers: int, **settings: Any) -> None:
        begin = partial(_begin, os.getpid()) if num_workers else None
        persistent = num_workers > 0
        super().__init__(
            dataset, num_workers=num_workers, worker_init_fn=begin, persistent_workers=persistent, **settings
        )
        self.patience = patience

    def __iter__(self) -> Any:
        if not self.num_workers or threading.current_thread() is not threading.main_thread():
            return super().__iter__()
        others, handler = {*multiprocessing.active_children()}, signal.getsignal(signal.SIGCHLD)
        batches = super().__iter__()
        signal.signal(signal.SIGCHLD, handler)  # torch's own raises at any line of a step
        processes = {*multiprocessing.active_children()} - others
        _started.update(processes)
        return self._watched(batches, [*processes])

    def _watched(self, batches: Iterator[Any], processes: list[BaseProcess]) -> Iterator[Any]:
        while True:
            try:
                with _each_second(partial(self._look, processes, count(1))):
                    batch = next(batches)
            except Exception as error:
                ended = _dying(processes) if isinstance(error, OSError | EOFError | RuntimeError) else None
                _end(processes)
                if ended is None:
                    raise
                raise ended from error
            yield batch

    def _look(self, processes: list[BaseProcess], looks: Iterator[int]) -> None:
        """Ends the waiting if there is nothing to wait for any more."""
        if ended := _ended(processes):
            raise ended
        if next(looks) * _LOOK >= self.patience:
            fix = "look at the disk or network of data.root or raise data.worker_timeout, and continue with resume=auto"
            got = f"no batch has come from the loading processes in data.worker_timeout={self.patience} seconds"
            raise FreqganError(f"{got}: {fix}")


@contextmanager
def _each_second(look: Callable[[], None]) -> Iterator[None]:
    """What the block waits for, whatever it is, is interrupted once a second."""
    old = signal.signal(signal.SIGALRM, lambda signum, frame: look())
    signal.setitimer(signal.ITIMER_REAL, _LOOK, _LOOK)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)


def _ended(processes: Iterable[BaseProcess]) -> FreqganError | None:
    for process in processes:
        if process.exitcode is not None:
            signum = -process.exitcode
            how = f"was killed by {signal.Signals(signum).name}" if signum > 0 else f"ended with {process.exitcode}"
            fix = "if memory ran out, lower data.num_workers or data.batch_size"
            return FreqganError(f"loading process {process.pid} {how}: {fix}, and continue with resume=auto")
    return None


def _dying(processes: Iterable[BaseProcess]) -> FreqganError | None:
    """As `_ended`; a process's connections end a moment before it does."""
    late = time.monotonic() + _DYING
    while not (ended := _ended(processes)) and time.monotonic() < late:
        time.sleep(0.02)
    return ended


def _begin(parent: int, worker: int) -> None:
    """A loading process lives as long as the training process, which alone answers to signals."""
    end_with_parent(parent=parent)
    for signum in _HEARD_BY_THE_RUN:
        signal.signal(signum, signal.SIG_IGN)


def _end(processes: Iterable[BaseProcess]) -> None:
    for process in processes:
        if process.is_alive():
            process.kill()
            process.join(_DYING)


@atexit.register  # behind torch's own way, which is polite, and before Python's, which waits for ever
def _end_all() -> None:
    _end([*_started])
