"""Progress in images, with speed, time left and the losses that matter: a bar in a terminal, lines in a file."""

import logging
import sys
import time
from typing import Any, final

import pytorch_lightning as pl
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from freqgan.limits import NonNegative
from freqgan.systems import System

log = logging.getLogger(__name__)


@final
class ProgressBar(pl.Callback):
    """One line that says where a run is.

    Args:
        seconds_between_lines: how often a line is written where there is no terminal.
    """

    def __init__(self, *, seconds_between_lines: NonNegative = 15.0) -> None:
        self.seconds_between_lines = seconds_between_lines
        self._bar: Progress | None = None
        self._task = TaskID(0)
        self._line_at = 0.0
        self._begun = (0, 0.0)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Opens the bar."""
        assert isinstance(pl_module, System)
        self._begun = (pl_module.clock.images_seen, time.monotonic())
        if trainer.is_global_zero and sys.stderr.isatty():
            columns = (TextColumn("training"), BarColumn(), TextColumn("{task.fields[words]}"))
            self._bar = Progress(*columns, console=Console(stderr=True))
            self._task = self._bar.add_task("training", total=pl_module.clock.end, words="")
            self._bar.start()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Moves the bar, or writes a line when one is due."""
        assert isinstance(pl_module, System)
        clock = pl_module.clock
        now = time.monotonic()
        if now - self._line_at < (0.2 if self._bar else self.seconds_between_lines) and not clock.finished:
            return
        self._line_at = now
        speed = (clock.images_seen - self._begun[0]) / max(now - self._begun[1], 1e-9)
        words = describe(clock.images_seen, clock.end, speed, outputs)
        if self._bar is not None:
            self._bar.update(self._task, completed=clock.images_seen, total=clock.end, words=words)
        elif trainer.is_global_zero:
            log.info("%s", words)

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Closes the bar."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def describe(images: int, end: int | None, speed: float, terms: Any) -> str:
    """Images, speed, time left, and each player's summed terms.

    >>> describe(50, 100, 10.0, {"generator/LL1/adversarial": 1.0, "generator/HL1/adversarial": 0.5})
    '50/100 images · 10 images/s · 0:05 left · generator 1.50'
    """
    seconds = max((end or 0) - images, 0) / max(speed, 1e-9)
    left = f"{int(seconds // 60)}:{int(seconds % 60):02d} left" if end else "measuring"
    totals: dict[str, float] = {}
    for name, value in terms.items():
        player = name.split("/", 1)[0]
        if player in ("discriminator", "generator"):  # what is noted beside the terms has no sum
            totals[player] = totals.get(player, 0.0) + float(value)
    losses = " · ".join(f"{player} {value:.2f}" for player, value in totals.items())
    return f"{images}/{end or '?'} images · {speed:.0f} images/s · {left} · {losses}"
