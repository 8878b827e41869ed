"""Work done once per machine: directories built under a lock.

A directory appears under its final name only when it is complete. Processes that start together build it
once: the others wait for the lock, which the kernel drops when its holder dies.
"""

import errno
import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from freqgan.errors import StorageError, UserError


def digest(*parts: object) -> str:
    """A short stable name for plain values: equal parts give equal names on every machine.

    >>> digest("openmoji", 32), digest("openmoji", "32")
    ('c7366f1edfdb9c6f', '1b10f4f4ef293439')
    """
    return hashlib.blake2b(json.dumps(parts).encode(), digest_size=8).hexdigest()


def build_once(directory: Path, build: Callable[[Path], None]) -> Path:
    """A directory that `build` fills the first time it is asked for.

    Args:
        directory: where it lives; nothing is done when it is there.
        build: fills the empty directory it is given, which is then renamed to the final name.

    Raises:
        UserError: the cache directory cannot be written.
        StorageError: the disk is full or failing.
    """
    if directory.is_dir():
        return directory
    building = directory.with_name(directory.name + ".part")
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        with open(directory.with_name(directory.name + ".lock"), "w") as lock:
            fcntl.lockf(lock, fcntl.LOCK_EX)
            if not directory.is_dir():
                # Under the lock, an unfinished directory can only be the remains of a killed process.
                shutil.rmtree(building, ignore_errors=True)
                building.mkdir()
                build(building)
                for file in building.iterdir():
                    with open(file, "rb") as written:
                        os.fsync(written.fileno())
                building.rename(directory)
    except OSError as error:
        raise _storage_error(directory, error) from error
    return directory


def _storage_error(directory: Path, error: OSError) -> UserError | StorageError:
    reason = f"cannot write {directory.parent}: {error.strerror or error}"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST):
        return UserError(f"data.cache_dir {reason}: set paths.cache_dir to a folder you can write")
    return StorageError(reason)
