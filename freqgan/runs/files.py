"""Files that are whole whenever they are visible: written beside their target, flushed, verified, renamed.

Only reading and writing checkpoints imports torch: verbs that look at other files start without it.
"""

import json
import os
import shutil
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from freqgan.errors import StorageError, UserError

Checkpoint = dict[str, Any]
ELSEWHERE = "free some space, or set paths.output_dir (or output) to another folder"


def write_whole(path: Path, write: Callable[[IO[bytes]], object], verify: Callable[[Path], None] | None = None) -> None:
    """Calls `write` on a temporary file beside `path`, and renames it once it is on the disk and verified.

    Raises:
        StorageError: the disk is full, read-only, or gave back other bytes; the old file is still there.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        if verify is not None:
            verify(temporary)
        temporary.replace(path)
        _sync_folder(path.parent)
    except (OSError, RuntimeError) as error:
        raise StorageError(f"{path} could not be written ({error}): {ELSEWHERE}") from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_json(path: Path, value: object) -> None:
    """Writes a value as indented JSON."""
    write_whole(path, lambda file: file.write((json.dumps(value, indent=2, default=str) + "\n").encode()))


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Writes a checkpoint, and reads its checksums back before it becomes visible."""
    import torch

    write_whole(path, lambda file: torch.save(checkpoint, file), verify=verify_checkpoint)


def copy_whole(source: Path, target: Path) -> None:
    """A second complete file, not a link: damage to one leaves the other."""

    def write(file: IO[bytes]) -> None:
        with source.open("rb") as original:
            shutil.copyfileobj(original, file, 1 << 20)

    write_whole(target, write)


def verify_checkpoint(path: Path) -> None:
    """Checks every record of a checkpoint against its CRC-32.

    Raises:
        StorageError: the file is truncated, damaged, or no checkpoint.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            broken = archive.testzip()
    except (OSError, zipfile.BadZipFile, EOFError, NotImplementedError, ValueError) as error:
        raise StorageError(f"{path} is not a whole checkpoint ({error})") from error
    if broken is not None:
        raise StorageError(f"{path} is damaged at {broken}")


def read_checkpoint(path: Path) -> Checkpoint:
    """Reads a checkpoint as plain data and tensors on the CPU; no code of the file runs.

    Raises:
        StorageError: the file is truncated or damaged.
        UserError: the file is not one of freqgan's checkpoints.
    """
    import torch

    verify_checkpoint(path)
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise UserError(f"{path} holds something other than plain data and tensors, and was not loaded") from error
    if not isinstance(checkpoint, dict) or not {"state_dict", "ema", "clock"} <= checkpoint.keys():
        raise UserError(f"{path} is not a checkpoint of freqgan: it lacks state_dict, ema or clock")
    return checkpoint


@contextmanager
def storage(path: Path) -> Iterator[None]:
    """Turns an operating system's refusal into a `StorageError` that names the path."""
    try:
        yield
    except OSError as error:
        raise StorageError(f"{path} could not be written ({error}): {ELSEWHERE}") from error


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
