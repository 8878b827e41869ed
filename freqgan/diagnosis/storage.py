"""Disks: free space, and whether files can be written and directories held as runs do it."""

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from freqgan.diagnosis.row import Row, broken, note, ok
from freqgan.diagnosis.supervision import PROCESSES
from freqgan.errors import FreqganError

GIB = 2**30
LITTLE, NOTHING = 5 * GIB, GIB // 4  # a default run leaves about 0.2
FEW_FILES = 1000


def space(name: str, folder: str) -> Iterator[Row]:
    """Free space and files of the disk that a folder of `paths` is on or will be on; it need not be there."""
    yield _space(f"{name} space", existing(folder), f"paths.{name}", worst=broken)


def temporary_space() -> Iterator[Row]:
    """The same of the folder for temporary files, which loggers and loader workers use."""
    yield _space("temporary space", Path(tempfile.gettempdir()), "TMPDIR", worst=note)


def _space(name: str, place: Path, setting: str, *, worst: Callable[[str, str, str], Row]) -> Row:
    facts = os.statvfs(place)
    free = facts.f_bavail * facts.f_frsize
    size = f"{free / GIB:.1f} GiB" if free >= GIB else f"{free / 2**20:.0f} MiB"
    fact, remedy = f"{size} free at {place}", f"free some, or set {setting} to a folder on another disk"
    if free < NOTHING:
        return worst(name, fact, remedy)
    if facts.f_files and facts.f_favail < FEW_FILES:
        return worst(name, f"{fact}, but room for {facts.f_favail} more files only", remedy)
    if free < LITTLE:
        return note(name, f"{fact}; a default run leaves 0.2, large models and sweeps more", remedy)
    return ok(name, fact)


def writable(name: str, folder: str) -> Iterator[Row]:
    """Writes, flushes, renames and locks in a folder of the doctor's own, as a run does."""
    from freqgan.runs.files import write_whole

    remedy = f"set paths.{name} to a folder on a local disk that you can write to"
    try:
        place = existing(folder)
        with tempfile.TemporaryDirectory(prefix=".freqgan_doctor_", dir=place) as probe:
            write_whole(Path(probe) / "file", lambda file: file.write(b"whole"))
            lack = lacking_lock(Path(probe))
    except (OSError, FreqganError) as error:
        cause = error.__cause__ or error
        yield broken(name, f"{folder} cannot be written to ({getattr(cause, 'strerror', None) or cause})", remedy)
        return
    if lack:
        yield broken(name, f"{place} cannot keep two programs out of one run: {lack}", remedy)
    else:
        yield ok(name, f"{Path(folder).expanduser().absolute()} can be written to and locked")


def lacking_lock(folder: Path) -> str:
    """Why a run directory here could not be held against another process; empty if it can."""
    from freqgan.runs.directory import RunDirectory

    run = RunDirectory(folder)

    def other() -> None:
        os._exit(0 if run.held() else 1)

    try:
        with run.lock():
            process = PROCESSES.Process(target=other)
            process.start()
            process.join()
    except FreqganError as error:
        return f"locking fails ({error.__cause__ or error})"
    return "" if process.exitcode == 0 else "a lock is given to two processes"


def existing(folder: str) -> Path:
    """The part of a path that is there; a file on the way is an `OSError`."""
    path = Path(folder).expanduser().absolute()
    there = next(one for one in (path, *path.parents) if one.exists())
    if not there.is_dir():
        raise NotADirectoryError(f"{there} is a file")
    return there
