"""Files that are whole whenever they are visible: written beside their target, flushed, verified, renamed.

Only reading and writing checkpoints imports torch: verbs that look at other files start without it.
"""

import hashlib
import json
import os
import shutil
import struct
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any
from uuid import uuid4

from freqgan.errors import StorageError, UserError

Checkpoint = dict[str, Any]
PARTS = ("state_dict", "ema", "clock")
SEAL = b"\nSHA-256 of all that lies before: "  # behind a checkpoint's archive, which readers of archives pass over
SHARED = ".safetensors"
ELSEWHERE = "free some space, or set paths.output_dir (or output) to another folder"


def write_whole(path: Path, write: Callable[[IO[bytes]], object], verify: Callable[[Path], None] | None = None) -> None:
    """Calls `write` on a temporary file beside `path`, and renames it once it is on the disk and verified.

    Raises:
        StorageError: the disk is full, read-only, or gave back other bytes; the old file is still there.
    """
    temporary = path.with_name(f".{uuid4().hex}.tmp")  # no longer than a name may be, whatever that of the file
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


def write_below(path: Path, content: bytes) -> None:
    """Writes bytes, and makes the folder that they go into."""
    with storage(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, lambda file: file.write(content))


def write_json(path: Path, value: object) -> None:
    """Writes a value as indented JSON."""
    write_whole(path, lambda file: file.write((json.dumps(value, indent=2, default=str) + "\n").encode()))


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Writes a checkpoint with its SHA-256 behind it, and reads both back before it becomes visible."""
    import torch

    def write(file: IO[bytes]) -> None:
        torch.save(checkpoint, file)
        file.flush()
        with Path(file.name).open("rb") as written:
            digest = hashlib.file_digest(written, "sha256").hexdigest()
        file.write(SEAL + digest.encode())

    write_whole(path, write, verify=verify_checkpoint)


def copy_whole(source: Path, target: Path) -> None:
    """A second complete file, not a link: damage to one leaves the other."""

    def write(file: IO[bytes]) -> None:
        with source.open("rb") as original:
            shutil.copyfileobj(original, file, 1 << 20)

    write_whole(target, write)


def verify_checkpoint(path: Path) -> None:
    """Checks all bytes of a checkpoint against its SHA-256, before anything else reads them.

    The checksums of its records alone, all that there is in a file that something else has written, say nothing of
    their directory, where a bit can make a tensor another one. No record is larger than it lies in the file, and no two
    lie in one place.

    Raises:
        StorageError: the file is truncated, damaged, or no checkpoint.
    """
    if path.suffix == SHARED:
        return _verify_shared(path)
    try:
        with path.open("rb") as file:
            sealed = _is_sealed(file)
        with zipfile.ZipFile(path) as archive:
            entries, room = archive.infolist(), path.stat().st_size
            larger = sum(entry.file_size for entry in entries) > room
            unlike = (entry.filename for entry in entries if larger or not _is_plain(entry))
            if broken := next(unlike, None) or (None if sealed else archive.testzip()):
                raise StorageError(f"{path} is damaged at {broken}")
    except (OSError, RuntimeError, ValueError, EOFError, OverflowError, zipfile.BadZipFile, struct.error) as error:
        raise StorageError(f"{path} is not a whole checkpoint ({error})") from error


def _is_plain(entry: zipfile.ZipInfo) -> bool:
    """Whether a record is bytes as they are: what stands for a folder would be read as whatever memory holds."""
    return entry.compress_type == zipfile.ZIP_STORED and not entry.external_attr & 0x10 and not entry.flag_bits & 1


def _is_sealed(file: IO[bytes]) -> bool:
    """Whether a file ends with a checksum, or else as an archive does.

    Raises:
        ValueError: with neither, or the checksum of other bytes.
    """
    end = file.seek(0, os.SEEK_END)
    file.seek(max(end - len(SEAL) - 64, 0))
    _, seal, told = file.read().rpartition(SEAL)
    if not seal:
        if told[-22:-18] != b"PK\5\6":  # where an archive without a comment ends
            raise ValueError("its end is cut off")
        return False
    length = end - len(seal) - len(told)
    file.seek(0)
    digest = hashlib.sha256()
    while left := length - file.tell():
        digest.update(file.read(min(left, 1 << 20)))
    if digest.hexdigest().encode() != told:
        raise ValueError("its bytes are not those that were written")
    return True


def read_checkpoint(path: Path) -> Checkpoint:
    """Reads a checkpoint as plain data and tensors on the CPU; no code of the file runs.

    Raises:
        StorageError: the file is truncated or damaged.
        UserError: the file is not one of freqgan's checkpoints.
    """
    import torch

    verify_checkpoint(path)
    try:
        shared = path.suffix == SHARED
        checkpoint = _read_shared(path) if shared else torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise UserError(f"{path} holds something other than plain data and tensors, and was not loaded") from error
    if not isinstance(checkpoint, dict) or not all(isinstance(checkpoint.get(part), dict) for part in PARTS):
        raise UserError(f"{path} is not a checkpoint of freqgan: it lacks {', '.join(PARTS[:-1])} or {PARTS[-1]}")
    images = checkpoint["clock"].get("images_seen")
    if type(images) is not int or images < 0:
        raise UserError(f"{path} is not a checkpoint of freqgan: clock.images_seen is no number of images")
    if (lack := _unlike(checkpoint)) is not None:
        raise UserError(f"{path} is not a checkpoint of freqgan: {lack}")
    return checkpoint


def _unlike(checkpoint: Checkpoint) -> str | None:
    """What checkpoints do not hold: weights that are none or have no name, and tensors larger than their memory."""
    import torch

    for part in ("state_dict", "ema"):
        for name, value in checkpoint[part].items():
            if not isinstance(name, str) or not isinstance(value, torch.Tensor):
                return f"{part}.{name} is no weight"
    seen: set[int] = set()
    left: list[Any] = [checkpoint]
    while left:
        value = left.pop()
        if isinstance(value, torch.Tensor):
            whole = value.layout is torch.strided and value.device.type == "cpu"
            if not whole or value.numel() * value.element_size() > value.untyped_storage().nbytes():
                return "a tensor in it is not whole"
        elif isinstance(value, dict | list | tuple) and id(value) not in seen:
            seen.add(id(value))
            left.extend(value.values() if isinstance(value, dict) else value)
    return None


def write_shared(path: Path, checkpoint: Checkpoint) -> None:
    """Writes the weights as safetensors, which hold nothing else, and what else there is as JSON beside them."""
    from safetensors.torch import save

    content = save({name: value.contiguous() for name, value in checkpoint["state_dict"].items()})
    facts = {name: value for name, value in checkpoint.items() if name != "state_dict"}
    write_whole(path, lambda file: file.write(content))
    write_json(path.with_suffix(".json"), facts | {"sha256": hashlib.sha256(content).hexdigest()})


def _verify_shared(path: Path) -> None:
    try:
        with path.open("rb") as file:
            same = hashlib.file_digest(file, "sha256").hexdigest() == _facts(path)["sha256"]
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise StorageError(f"{path} is not whole without {path.with_suffix('.json')} ({error})") from error
    if not same:
        raise StorageError(f"{path} is not a whole checkpoint (its bytes are not those that were written)")


def _read_shared(path: Path) -> Checkpoint:
    from safetensors.torch import load_file

    return _facts(path) | {"state_dict": load_file(path)}


def _facts(path: Path) -> Checkpoint:
    facts: Checkpoint = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    return facts


def images_in(path: Path) -> int | None:
    """Images that a checkpoint has seen, or None if it is damaged or none of freqgan's."""
    try:
        return int(read_checkpoint(path)["clock"]["images_seen"])
    except (StorageError, UserError):
        return None


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
