"""How far a folder of pictures is: a bar in a terminal, lines in a file."""

import logging
import sys
import time
from types import TracebackType
from typing import final

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

log = logging.getLogger(__name__)


@final
class PictureProgress:
    """Counts pictures, the one in work by its share that is done.

    Args:
        total: number of pictures.
        seconds_between_lines: how often a line is written where there is no terminal.
    """

    def __init__(self, total: int, *, seconds_between_lines: float = 15.0) -> None:
        self.seconds_between_lines = seconds_between_lines
        self._bar = Progress(
            TextColumn("{task.completed:.1f}/{task.total:.0f} pictures"),
            BarColumn(),
            TaskProgressColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            disable=not sys.stderr.isatty(),
        )
        self._task = self._bar.add_task("", total=total)
        self._line_at = time.monotonic()

    def __enter__(self) -> "PictureProgress":
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._bar.stop()

    def advance(self, share: float) -> None:
        """So much more of a picture is done."""
        self._bar.advance(self._task, share)
        self._tell()

    def reach(self, done: int) -> None:
        """So many pictures are done."""
        self._bar.update(self._task, completed=done)
        self._tell()

    def _tell(self) -> None:
        if self._bar.disable and time.monotonic() - self._line_at >= self.seconds_between_lines:
            self._line_at = time.monotonic()
            task = self._bar.tasks[0]
            log.info("%.1f/%.0f pictures", task.completed, task.total)
