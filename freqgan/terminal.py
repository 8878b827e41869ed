"""What a command says: lines of its log on stderr while it works, and answers on stdout, dressed up for a terminal."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from freqgan.launcher import is_rank_zero

if TYPE_CHECKING:
    from rich.console import Console

WIDEST = 10_000  # columns, where nobody has to fold


@contextmanager
def log_to(handler: logging.Handler) -> Iterator[None]:
    """Sends the package's log to a handler for a while."""
    logger = logging.getLogger("freqgan")
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        handler.close()


class LogFile(logging.FileHandler):
    """A log on a disk that may be full: it says so once, and stops nothing."""

    def __init__(self, path: Path) -> None:
        """Takes a file that is opened with the first line."""
        super().__init__(path, delay=True)
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        self.told = False

    def emit(self, record: logging.LogRecord) -> None:
        """Writes a line; to open the file, which logging does here, may fail too."""
        try:
            super().emit(record)
        except OSError:
            self.handleError(record)

    def close(self) -> None:
        """Closes the file; what was still to be written may not fit."""
        try:
            super().close()
        except OSError:
            self._tell()

    def handleError(self, record: logging.LogRecord) -> None:
        """Called where a line could not be written."""
        self._tell()

    def _tell(self) -> None:
        if not self.told:
            self.told = True
            tell(f"{self.baseFilename} could not be written ({sys.exception()}): what is missing there is here alone\n")


class Once(logging.Filter):
    """Lets every line through once, however many jobs have it to say."""

    def __init__(self) -> None:
        super().__init__()
        self.said: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is new."""
        line = record.getMessage()
        new = line not in self.said
        self.said.add(line)
        return new


def tell(words: str) -> None:
    """Writes to stderr, which may lead to a disk that is full: the exit status has to tell then."""
    with suppress(OSError):
        sys.stderr.write(words)
        sys.stderr.flush()


def stderr_handler() -> logging.Handler:
    """Rich lines in a terminal, plain ones in a file or pipe; of several processes, all but one only warn."""
    handler = _handler()
    handler.setLevel(logging.INFO if is_rank_zero() else logging.WARNING)
    return handler


def _handler() -> logging.Handler:
    if not sys.stderr.isatty():
        plain = logging.StreamHandler()
        plain.setFormatter(logging.Formatter("%(asctime)s %(message)s", datefmt="%H:%M:%S"))
        return plain
    from rich.console import Console
    from rich.logging import RichHandler

    handler = RichHandler(console=Console(stderr=True), show_path=False, show_level=False)
    handler.setFormatter(logging.Formatter("%(message)s"))
    return handler


def table_console() -> "Console":
    """A console for what a verb answers: brackets are text, and what a program reads is not folded."""
    from rich.console import Console

    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console.width = WIDEST
    return console
