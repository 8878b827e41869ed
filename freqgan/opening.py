"""Opening what should be a file of the user's: nothing that would wait for ever, and nothing without an end."""

import hashlib
import os
import stat
from io import BufferedReader
from pathlib import Path

Stamp = tuple[int, int]
"""Size in bytes, and time of the last change of content or rights, in nanoseconds."""

_KINDS = {stat.S_IFIFO: "pipe", stat.S_IFSOCK: "socket", stat.S_IFCHR: "device", stat.S_IFBLK: "device"}


def open_file(path: str | Path, *, most_bytes: int | None = None) -> BufferedReader:
    """A file for reading.

    Args:
        path: of the file; links are followed.
        most_bytes: a larger file is refused.

    Raises:
        OSError: it cannot be opened, is larger, or is no file: reading a pipe waits until somebody writes to it.
    """
    file = open(path, "rb", opener=_at_once)  # noqa: SIM115
    status = os.fstat(file.fileno())
    if not stat.S_ISREG(status.st_mode):
        file.close()
        raise OSError(f"it is a {_KINDS.get(stat.S_IFMT(status.st_mode), 'thing')}, wanted a file")
    if most_bytes is not None and status.st_size > most_bytes:
        file.close()
        raise OSError(f"it has {status.st_size} bytes, more than max_pixels allows for")
    return file


def _at_once(path: str, flags: int) -> int:
    # So a pipe opens without anybody to write to it; to files it means nothing.
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)


def stamp_of(status: os.stat_result) -> Stamp:
    """What tells, without reading a file, that it is probably the same; copying a file's times does not deceive it."""
    return status.st_size, max(status.st_mtime_ns, status.st_ctime_ns)


def content_of(file: BufferedReader) -> str:
    """A hash of a file's bytes, which is then at its beginning again."""
    file.seek(0)
    content = hashlib.file_digest(file, "blake2b").hexdigest()
    file.seek(0)
    return content


def most_bytes_of(max_pixels: int) -> int:
    """More than any image of so many pixels has: four samples of 32 bits, and 64 MiB of all that is no pixel."""
    return 16 * max_pixels + 2**26
