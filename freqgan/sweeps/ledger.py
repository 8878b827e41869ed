"""The ledger of a sweep: what became of every job, appended row by row and never changed; a job's last row counts."""

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, final

from freqgan.runs.files import storage
from freqgan.runs.rows import append_row, read_rows

State = Literal[
    "waiting", "running", "finished", "interrupted", "diverged", "refused", "failed", "killed", "timed_out", "pruned"
]
RESULTS: tuple[State, ...] = ("finished", "pruned", "diverged", "refused")  # not run again
WELL: tuple[State, ...] = ("finished", "pruned", "waiting")  # not counted as failed


@final
@dataclass(frozen=True)
class Row:
    """A job's state.

    Attributes:
        key: names the job and its run directory.
        number: of the job in the order of the sweep, from 1.
        overrides: what was swept, as on the command line.
        state: as far as the sweep knows.
        exit_status: of the job's process; negative for a signal.
        line: what a failure said.
        attempt: how often it was started.
        seconds: from start to end, of this attempt.
        time: when the row was written.
    """

    key: str
    number: int
    overrides: tuple[str, ...]
    state: State
    exit_status: int | None = None
    line: str = ""
    attempt: int = 0
    seconds: float | None = None
    time: str = field(default_factory=lambda: time.strftime("%Y-%m-%dT%H:%M:%S%z"))


@final
class Ledger:
    """Reads and appends rows.

    Args:
        path: `ledger.jsonl` in the sweep's folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def rows(self) -> dict[tuple[str, ...], Row]:
        """The last row of every job, by its overrides: its key changes with its data."""
        known = Row.__dataclass_fields__
        found = {}
        for row in read_rows(self.path):
            plain = {name: value for name, value in row.items() if name in known}
            found[tuple(row["overrides"])] = Row(**plain | {"overrides": tuple(row["overrides"])})
        return found

    def write(self, row: Row) -> None:
        """Appends a row; it is on the disk when this returns."""
        with storage(self.path):
            append_row(self.path, vars(row), sync=True)
