"""Signals: Ctrl-C, SIGTERM and SIGUSR1 end a run after a whole step and a checkpoint; a second one ends it at once."""

import signal
from types import FrameType
from typing import Any, final

import pytorch_lightning as pl

from freqgan.errors import InterruptedRunError
from freqgan.ops.global_batch import world_size
from freqgan.systems.parallel import greatest

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)


@final
class Interruption(pl.Callback):
    """Remembers a signal that comes within a step and acts on it after the step; between steps it acts at once.

    Of several processes, all act after the step in which one of them has received a signal.
    Its place is behind the row and the grid, which belong to the step, and before all that takes time between steps.
    """

    def __init__(self) -> None:
        self._inside = False
        self._received: int | None = None
        self._old: dict[signal.Signals, Any] = {}

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Takes over the signals, from Lightning too: it would end a run with exit status 0 and no checkpoint."""
        self._old = {signum: signal.signal(signum, self._handle) for signum in SIGNALS}

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
        for signum, handler in self._old.items():
            signal.signal(signum, handler)
        self._old = {}

    def _handle(self, signum: int, frame: FrameType | None) -> None:
        if self._received is not None:
            signal.signal(signum, signal.SIG_DFL)
            signal.raise_signal(signum)
        self._received = signum
        if not self._inside and world_size() == 1:
            self._stop(signum)

    def _stop(self, signum: int) -> None:
        raise InterruptedRunError(signum, f"interrupted by {signal.Signals(signum).name} after a whole step")
