"""Checks under supervision: what raises, crashes or hangs becomes a row, and the others are still done.

They are done in a child process, so that what one has imported is there for the next; a new child takes over behind a
check that died.
"""

import multiprocessing
import os
import signal
import tempfile
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection

from freqgan.diagnosis.row import Check, Row, note

GRACE = 5.0  # seconds
PROCESSES = multiprocessing.get_context("fork")  # what the caller has imported need not be imported again


def examine(checks: Sequence[Check]) -> Iterator[tuple[Check, list[Row]]]:
    """Every check with its rows, as soon as they are known; one that needs what failed is not done."""
    failed: set[str] = set()
    child: _Child | None = None
    try:
        for number, check in enumerate(checks):
            if absent := failed.intersection(check.needs):
                name = min(absent, key=check.needs.index)
                rows = [note(check.name, f"not looked at, as it needs {name}", f"mend {name} first")]
            else:
                child = child or _Child(checks)
                try:
                    rows = child.rows(number)
                except _LostError as error:
                    child.end()
                    child = None
                    rows = [check.failed(str(error))]
            if any(row.status != "ok" for row in rows):
                failed.add(check.name)
            yield check, rows
    finally:
        if child:
            child.end()


class _LostError(Exception):
    """A child that crashed or hangs."""


class _Child:
    """A process that does checks by number; what libraries print goes to a file instead of among the rows."""

    def __init__(self, checks: Sequence[Check]) -> None:
        self.checks = checks
        self.words = tempfile.TemporaryFile()  # noqa: SIM115 - closed by end()
        self.pipe, far_end = PROCESSES.Pipe()
        self.process = PROCESSES.Process(target=_work, args=(checks, far_end, self.words.fileno()))
        self.process.start()
        far_end.close()

    def rows(self, number: int) -> list[Row]:
        """The rows of one check.

        Raises:
            _LostError: there will be none.
        """
        try:
            self.pipe.send(number)
            if not self.pipe.poll(self.checks[number].seconds):
                raise _LostError(f"no answer within {self.checks[number].seconds:g} s")
            rows: list[Row] = self.pipe.recv()
        except (EOFError, ConnectionError) as error:
            self.process.join()
            raise _LostError(self._death()) from error
        return rows

    def end(self) -> None:
        """Ends the process; one that waits for a dead network disk cannot be ended, and is left behind."""
        self.process.kill()
        self.process.join(GRACE)
        self.pipe.close()
        self.words.close()

    def _death(self) -> str:
        code = self.process.exitcode or 0
        how = f"died of {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"
        size = os.fstat(self.words.fileno()).st_size
        said = os.pread(self.words.fileno(), 2000, max(size - 2000, 0)).decode(errors="replace").split("\n")
        last = next((line.strip() for line in reversed(said) if line.strip()), "")
        return f"{how}: {_shortened(last)}" if last else how


def _work(checks: Sequence[Check], pipe: Connection, words: int) -> None:
    os.dup2(words, 1)
    os.dup2(words, 2)
    while True:
        pipe.send(rows_of(checks[pipe.recv()]))


def rows_of(check: Check) -> list[Row]:
    """The rows of one check in this process; an exception is a row."""
    rows: list[Row] = []
    try:
        rows.extend(check.look())
    except Exception as error:
        rows.append(check.failed(f"could not be looked at ({in_one_line(error)})"))
    return rows


def in_one_line(error: BaseException) -> str:
    """The type and the first line of an error, shortened.

    >>> in_one_line(OSError("libc10.so: cannot open\\nmore"))
    'OSError: libc10.so: cannot open'
    """
    first = next(iter(str(error).strip().splitlines()), "")
    return _shortened(f"{type(error).__name__}: {first}" if first else type(error).__name__)


def _shortened(text: str) -> str:
    return text if len(text) <= 160 else text[:157] + "..."
