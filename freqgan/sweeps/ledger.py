"""The ledger of a sweep: what became of every job, appended row by row and never changed; a job's last row counts."""

import time
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, final, get_args

from freqgan.runs.files import storage
from freqgan.runs.rows import append_row, read_rows

State = Literal[
    "waiting", "running", "finished", "interrupted", "diverged", "refused", "failed", "killed", "timed_out", "pruned"
]
OPEN: tuple[State, ...] = ("waiting", "running", "interrupted")  # the job goes on when the sweep does
WELL: tuple[State, ...] = ("finished", "pruned", "waiting")  # not counted as failed
STANDING: tuple[State, ...] = ("pruned", "diverged", "refused")  # results; repeated only with sweep.retry=all


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


STATES = get_args(State)
NAMES = {field.name for field in fields(Row)}
NEEDED = {field.name for field in fields(Row) if field.default is field.default_factory is MISSING}


@final
class Ledger:
    """Reads and appends rows.

    Args:
        path: `ledger.jsonl` in the sweep's folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def rows(self) -> list[Row]:
        """All rows, the oldest first."""
        whole = [row for row in read_rows(self.path) if row.keys() >= NEEDED]
        known = [{name: row[name] for name in row.keys() & NAMES} for row in whole if _is_row(row)]
        return [Row(**row | {"overrides": tuple(row["overrides"])}) for row in known]

    def last(self) -> dict[tuple[str, ...], Row]:
        """The last row of every job, by its overrides: its key changes with its data, its number with the sweep."""
        return {row.overrides: row for row in self.rows()}

    def write(self, row: Row) -> None:
        """Appends a row; it is on the disk when this returns."""
        with storage(self.path):
            append_row(self.path, vars(row), sync=True)


def _is_row(row: Mapping[str, Any]) -> bool:
    """Whether what is needed is of its kind: a sweep may be somebody else's."""
    texts = isinstance(row["overrides"], list) and all(isinstance(text, str) for text in row["overrides"])
    return texts and isinstance(row["key"], str) and isinstance(row["number"], int) and row["state"] in STATES
