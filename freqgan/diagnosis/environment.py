"""The process's surroundings: open files, clock, character set."""

import os
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from freqgan.diagnosis.row import Row, note, ok
from freqgan.diagnosis.storage import existing

FEW_FILES = 1024
DAY = 86400.0
SKEW = 2.0  # seconds; file systems round times by less


def open_files() -> Iterator[Row]:
    """The soft limit: loader workers pass every tensor through a file descriptor."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < FEW_FILES:
        fact = f"at most {soft}: loader workers may fail with 'Too many open files'"
        possible = FEW_FILES if hard == resource.RLIM_INFINITY else min(hard, FEW_FILES)
        more = f"ulimit -n {possible}, or " if possible > soft else ""
        yield note("open files", fact, f"{more}set data.num_workers=0")
    else:
        yield ok("open files", "no limit" if soft == resource.RLIM_INFINITY else f"at most {soft}")


def clock(output_dir: str) -> Iterator[Row]:
    """The system's time against the age of this program, and against the clock of the disk that runs go to."""
    now, installed = time.time(), Path(__file__).stat().st_mtime
    shown = time.strftime("%Y-%m-%d %H:%M %Z", time.localtime(now))
    remedy = "set the clock (timedatectl set-ntp true)"
    if now < installed - DAY:
        yield note("clock", f"{shown}, before this program was installed: runs are sorted by time", remedy)
        return
    try:
        with tempfile.NamedTemporaryFile(prefix=".freqgan_doctor_", dir=existing(output_dir)) as file:
            skew = os.fstat(file.fileno()).st_mtime - time.time()
    except OSError:  # has a row of its own
        skew = 0.0
    if abs(skew) > SKEW:
        side = "ahead of" if skew > 0 else "behind"
        yield note("clock", f"{shown}; the disk of paths.output_dir is {abs(skew):.0f} s {side} it", remedy)
    else:
        yield ok("clock", shown)


def character_set() -> Iterator[Row]:
    """UTF-8 in the terminal and for file names: captions, tables and names of files hold more than ASCII."""
    said = {
        "output": getattr(sys.stdout, "encoding", None) or "none",
        "file names": sys.getfilesystemencoding(),
        "files": "utf-8" if sys.flags.utf8_mode else _locale_encoding(),
    }
    other = {what: name for what, name in said.items() if name.lower().replace("-", "").replace("_", "") != "utf8"}
    if other:
        fact = ", ".join(f"{what} in {name}" for what, name in other.items())
        remedy = "export LC_ALL=C.UTF-8 PYTHONUTF8=1"
        yield note("character set", f"{fact}: text other than English may be garbled", remedy)
    else:
        yield ok("character set", "UTF-8")


def _locale_encoding() -> str:
    import locale

    return locale.getencoding()
