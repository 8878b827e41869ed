"""Packing a folder into tar shards that any reader of the WebDataset layout takes, each with its index beside it.

The standard library writes them: what is needed beside the files is their offsets, which other writers keep to
themselves. Files go in byte for byte, in the order of the folder, without owners and dates, so that equal folders give
equal shards, and the same training stream as the folder itself.
"""

import os
import tarfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from freqgan.data.base import OnError
from freqgan.data.decode import MAX_PIXELS, UnreadableImageError, decode, printable
from freqgan.data.folder_listing import list_images
from freqgan.data.tar_index import SUFFIX, scan
from freqgan.errors import StorageError, UserError

_CHUNK = 1024
_BESIDE = (".txt", ".json", ".cls", ".seg.png")


@dataclass(frozen=True)
class Picture:
    """An image of the folder on its way into a shard.

    Args:
        key: names its members; a dot in the file's name would cut it short, and becomes `_`.
        files: below the folder, by what follows the key in the shard.
    """

    key: str
    files: dict[str, Path]

    @property
    def size(self) -> int:
        """Bytes in the shard, headers and padding included."""
        return sum(512 + -(-path.stat().st_size // 512) * 512 for path in self.files.values())


def write_shards(
    root: Path,
    output: Path,
    *,
    prefix: str = "shard",
    shard_bytes: int = 2**28,
    on_error: OnError = "raise",
    max_pixels: int = MAX_PIXELS,
) -> tuple[list[Path], list[UnreadableImageError]]:
    """Packs every image of a folder, with the `.txt`, `.json`, `.cls` and `.seg.png` files of its name.

    Args:
        root: the folder.
        output: where `<prefix>-000000.tar` and so on appear, each whole when it does.
        prefix: of their names.
        shard_bytes: a shard ends with the picture that passes this size.
        on_error: raise at an image that cannot be decoded, or leave it out.
        max_pixels: larger images count as unreadable.

    Returns:
        The shards, and why images were left out.

    Raises:
        UserError: no image, two images of one name, shards that are there already, or (with on_error=raise)
            an unreadable image.
        StorageError: the disk is full or failing.
    """
    pictures = _pictures(root)
    output.mkdir(parents=True, exist_ok=True)
    if there := sorted(output.glob(f"{prefix}-*.tar")):
        raise UserError(f"output={output} has {there[0].name} already: choose another folder, or set prefix=<name>")
    shards: list[Path] = []
    skipped: list[UnreadableImageError] = []
    shard: list[Picture] = []
    size = 0
    for picture, error in _decoded(pictures, max_pixels):
        if error is None:
            shard.append(picture)
            size += picture.size
        elif on_error == "raise":
            raise UserError(*error.lines, "nothing more was packed: repair or remove it, or set on_error=skip")
        else:
            skipped.append(error)
        if size >= shard_bytes:
            shards.append(_write(shard, output / f"{prefix}-{len(shards):06}.tar"))
            shard, size = [], 0
    if shard:
        shards.append(_write(shard, output / f"{prefix}-{len(shards):06}.tar"))
    return shards, skipped


def _pictures(root: Path) -> list[Picture]:
    """The images of a folder with what lies beside them.

    Raises:
        UserError: two of them would have one name.
    """
    pictures: dict[str, Picture] = {}
    for name, *_ in list_images(root):
        if name.lower().endswith(".seg.png"):
            continue
        stem, extension = os.path.splitext(name)
        folder, slash, base = stem.rpartition("/")
        key = folder + slash + base.replace(".", "_")
        beside = {suffix: root / (stem + suffix) for suffix in _BESIDE if (root / (stem + suffix)).is_file()}
        picture = Picture(key, {extension.lower(): root / name} | beside)
        if key in pictures:
            other = next(iter(pictures[key].files.values())).relative_to(root)
            raise UserError(f"{printable(name)} and {printable(str(other))} would be one sample: rename one of them")
        pictures[key] = picture
    return list(pictures.values())


def _decoded(pictures: list[Picture], max_pixels: int) -> Iterator[tuple[Picture, UnreadableImageError | None]]:
    """Every picture in its order, with why it cannot be decoded."""

    def attempt(picture: Picture) -> UnreadableImageError | None:
        try:
            decode(next(iter(picture.files.values())), max_pixels=max_pixels)
        except UnreadableImageError as error:
            return error
        return None

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, len(pictures), _CHUNK):
            chunk = pictures[start : start + _CHUNK]
            yield from zip(chunk, pool.map(attempt, chunk), strict=True)


def _write(pictures: list[Picture], path: Path) -> Path:
    """One shard and its index; the index is what reading the shard says."""
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with tarfile.open(temporary, "w") as archive:
            for picture in pictures:
                for suffix, file in picture.files.items():
                    member = tarfile.TarInfo(picture.key + suffix)
                    member.size = file.stat().st_size
                    with file.open("rb") as content:
                        archive.addfile(member, content)
        with temporary.open("rb") as written:
            index = scan(written, shard=str(path)).to_json()
            os.fsync(written.fileno())
        temporary.replace(path)
        beside = path.with_name(path.name + SUFFIX)
        temporary.write_bytes(index)
        temporary.replace(beside)
    except OSError as error:
        raise StorageError(f"{path} could not be written: {error}") from error
    finally:
        temporary.unlink(missing_ok=True)
    return path
