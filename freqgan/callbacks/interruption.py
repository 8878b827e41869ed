"""Signals: they end a run after a whole step and a checkpoint; a second one ends it at once."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from types import FrameType
from typing import Any, final

import pytorch_lightning as pl

from freqgan.errors import InterruptedRunError
from freqgan.lifetime import when_safe
from freqgan.ops.global_batch import world_size
from freqgan.systems.parallel import greatest

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP)  # Ctrl-C, the scheduler's, a closed terminal


@final
class Interruption(pl.Callback):
    """Remembers a signal that comes within a step and acts on it after the step; between steps it acts at once.

    Of several processes, all act after the step in which one of them has received a signal; one that comes before the
    first step waits for it there.
    Its place is behind the row and the grid, which belong to the step, and before all that takes time between steps.
    """

    def __init__(self) -> None:
        self._inside = False
        self._received: int | None = None
        self._old: dict[signal.Signals, Any] = {}

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Signals count from here on: what comes before the first step may take minutes."""
        old = self._taken_over()
        try:
            yield
        finally:
            _give_back(old)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Takes over the signals, from Lightning too: it would end a run with exit status 0 and no checkpoint."""
        self._old = self._taken_over()

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """A step begins."""
        self._inside = True

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """A step is whole."""
        self._inside = False
        received = greatest(self._received or 0)
        if received:
            self._stop(received)

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Gives the signals back."""
        _give_back(self._old)
        self._old, self._inside = {}, False

    def _taken_over(self) -> dict[signal.Signals, Any]:
        # `nohup` has a process pass over the end of its terminal.
        heard = [signum for signum in SIGNALS if (signum, signal.getsignal(signum)) != (signal.SIGHUP, signal.SIG_IGN)]
        return {signum: signal.signal(signum, self._handle) for signum in heard}

    def _handle(self, signum: int, frame: FrameType | None) -> None:
        if self._received is not None:
            signal.signal(signum, signal.SIG_DFL)
            signal.raise_signal(signum)
        self._received = signum
        if not self._inside and world_size() == 1:
            when_safe(partial(self._stop, signum))

    def _stop(self, signum: int) -> None:
        when = "after a whole step" if self._old else "before the first step"
        raise InterruptedRunError(signum, f"interrupted by {signal.Signals(signum).name} {when}")


def _give_back(handlers: dict[signal.Signals, Any]) -> None:
    for signum, handler in handlers.items():
        signal.signal(signum, handler)
