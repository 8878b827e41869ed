"""Loading processes that are watched: one that is killed, stopped or hangs ends a run in one line, and never holds it.

A loader of torch waits for ever for a process that hangs, interrupts the training process at any line of a step when
one is killed, and leaves a stopped one behind. Here the training process looks after them where it waits for them, once
a second; they end with it, and signals that are meant for all of a run are heard by it alone.
"""

import atexit
import multiprocessing
import os
import signal
import threading
import weakref
from collections.abc import Iterable, Iterator
from functools import partial
from multiprocessing.process import BaseProcess
from typing import Any

from torch.utils.data import DataLoader

from freqgan.errors import FreqganError
from freqgan.lifetime import end_with_parent

_LOOK = 1  # seconds between two looks at processes that are waited for
_TORCH_WAITS = "DataLoader timed out"
_started: "weakref.WeakSet[BaseProcess]" = weakref.WeakSet()
_HEARD_BY_THE_RUN = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP)


class WatchedLoader(DataLoader[Any]):
    """A loader whose processes are given up after a time.

    Args:
        patience: seconds that a batch is waited for; time in which this process is stopped itself does not count.
        num_workers: loading processes; 0 loads in this one, where nobody watches.
        **settings: as for torch's loader.

    Raises:
        FreqganError: while iterating: a process has ended, or no batch has come.
    """

    def __init__(self, dataset: Any, *, patience: int, num_workers: int, **settings: Any) -> None:
        watched: dict[str, Any] = {}
        if num_workers:
            watched = {"timeout": _LOOK, "worker_init_fn": partial(_begin, os.getpid()), "persistent_workers": True}
        super().__init__(dataset, num_workers=num_workers, **watched, **settings)
        self.patience = patience

    def __iter__(self) -> Any:
        if not self.num_workers:
            return super().__iter__()
        others, handler = {*multiprocessing.active_children()}, signal.getsignal(signal.SIGCHLD)
        batches = super().__iter__()
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGCHLD, handler)  # torch's own raises at any line of a step
        processes = {*multiprocessing.active_children()} - others
        _started.update(processes)
        return self._watched(batches, processes)

    def _watched(self, batches: Iterator[Any], processes: set[BaseProcess]) -> Iterator[Any]:
        looks = 0
        while True:
            try:
                batch = next(batches)
            except RuntimeError as error:
                looks += 1
                reason = self._reason(processes, looks)
                if reason is None and str(error).startswith(_TORCH_WAITS):
                    continue
                if reason is None:
                    raise
                _end(processes)
                raise FreqganError(reason) from error
            looks = 0
            yield batch

    def _reason(self, processes: set[BaseProcess], looks: int) -> str | None:
        """Why there is nothing to wait for any more."""
        for process in processes:
            if process.exitcode is not None:
                signum = -process.exitcode
                how = f"was killed by {signal.Signals(signum).name}" if signum > 0 else f"ended with {process.exitcode}"
                fix = "if memory ran out, lower data.num_workers or data.batch_size"
                return f"loading process {process.pid} {how}: {fix}, and continue with resume=auto"
        if looks * _LOOK < self.patience:
            return None
        fix = "look at the disk or network of data.root, or raise data.worker_timeout, and continue with resume=auto"
        return f"no batch has come from the loading processes in data.worker_timeout={self.patience} seconds: {fix}"


def _begin(parent: int, worker: int) -> None:
    """A loading process lives as long as the training process, which alone answers to signals."""
    end_with_parent(parent=parent)
    for signum in _HEARD_BY_THE_RUN:
        signal.signal(signum, signal.SIG_IGN)


def _end(processes: Iterable[BaseProcess]) -> None:
    for process in processes:
        if process.is_alive():
            process.kill()
            process.join()


@atexit.register  # behind torch's own way, which is polite, and before Python's, which waits for ever
def _end_all() -> None:
    _end([*_started])
