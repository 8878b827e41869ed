"""Work done once per machine: directories built under a lock.

A directory appears under its final name only when it is complete. Processes that start together build it
once: the others wait for the lock, which the kernel drops when its holder dies. A directory in which a file has been
cut, changed or cleaned away since is built anew.
"""

import errno
import fcntl
import hashlib
import json
import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from freqgan.errors import StorageError, UserError

WHOLE = "whole.json"
"""What is in a directory; those that were built before there was such a file are taken as they are."""
_SMALL = 2**24  # bytes up to which a file is known by its content; to read larger ones at every start takes too long
_log = logging.getLogger(__name__)


def digest(*parts: object) -> str:
    """A short stable name for plain values: equal parts give equal names on every machine.

    >>> digest("openmoji", 32), digest("openmoji", "32")
    ('c7366f1edfdb9c6f', '1b10f4f4ef293439')
    """
    return hashlib.blake2b(json.dumps(parts).encode(), digest_size=8).hexdigest()


def build_once(directory: Path, build: Callable[[Path], None]) -> Path:
    """A directory that `build` fills the first time it is asked for.

    Args:
        directory: where it lives; nothing is done when it is there and whole.
        build: fills the empty directory it is given, which is then renamed to the final name.

    Raises:
        UserError: the cache directory cannot be written.
        StorageError: the disk is full or failing.
    """
    if _is_whole(directory):
        return directory
    building = directory.with_name(directory.name + ".part")
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        with open(directory.with_name(directory.name + ".lock"), "w") as lock:
            fcntl.lockf(lock, fcntl.LOCK_EX)
            if not _is_whole(directory):
                if directory.is_dir():
                    _log.warning("%s is damaged, and is built anew", directory)
                    shutil.rmtree(directory)
                # Under the lock, an unfinished directory can only be the remains of a killed process.
                shutil.rmtree(building, ignore_errors=True)
                building.mkdir()
                build(building)
                facts = {file.name: _known_by(file) for file in building.iterdir()}
                (building / WHOLE).write_text(json.dumps(facts))
                for file in building.iterdir():
                    with open(file, "rb") as written:
                        os.fsync(written.fileno())
                building.rename(directory)
    except OSError as error:
        raise _storage_error(directory, error) from error
    return directory


def _is_whole(directory: Path) -> bool:
    """Whether all files of a directory are there, as they were when it was built."""
    try:
        facts = json.loads((directory / WHOLE).read_bytes())
        return all(_known_by(directory / name) == known for name, known in facts.items())
    except OSError:
        return directory.is_dir() and not (directory / WHOLE).exists()
    except (ValueError, AttributeError):
        return False


def _known_by(file: Path) -> list[int | str]:
    """The size of a file and, of a small one, a hash of its content."""
    size = file.stat().st_size
    return [size, *([hashlib.blake2b(file.read_bytes(), digest_size=16).hexdigest()] if size <= _SMALL else [])]


def _storage_error(directory: Path, error: OSError) -> UserError | StorageError:
    reason = f"cannot write {directory.parent}: {error.strerror or error}"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST):
        return UserError(f"data.cache_dir {reason}: set paths.cache_dir to a folder you can write")
    return StorageError(reason)
