"""What lies where in a tar shard of the WebDataset layout: found once, and read by offset from then on.

Members that share a name up to the first dot of their last part are one sample: `dog/17.jpg`, `dog/17.txt`. Nothing is
ever extracted, so that names are names and not paths. Directories, links and parts of other kinds are left out.
"""

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, BinaryIO

from freqgan.data.decode import SUFFIXES, UnreadableImageError, printable, read_header
from freqgan.errors import UserError

VERSION = 1
KINDS = ("image", "txt", "json", "cls", "seg")  # picture, captions, captions, class, label map
SUFFIX = ".idx.json"  # of an index beside its shard
_LARGEST = 2**28  # bytes of a part
_BLOCK = 512

Parts = dict[str, tuple[int, int]]  # offset and size in bytes, by kind


@dataclass(frozen=True)
class Entry:
    """One sample of a shard.

    Args:
        name: of the picture's member, which also names the sample.
        checksum: of the parts' kinds and bytes.
        parts: where they lie.
    """

    name: str
    checksum: str
    parts: Parts


@dataclass
class TarIndex:
    """All samples of a shard, in their order.

    Args:
        size: of the shard in bytes.
        depth: 16 if any picture is 16-bit greyscale, else 8.
        unreadable: reason by name, for pictures whose header cannot be read.
        entries: the samples.
    """

    size: int
    depth: int = 8
    unreadable: dict[str, str] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)

    def to_json(self) -> bytes:
        """The text of an index file."""
        facts = asdict(self) | {"version": VERSION, "entries": [list(vars(entry).values()) for entry in self.entries]}
        return json.dumps(facts, separators=(",", ":")).encode()

    @classmethod
    def from_json(cls, text: bytes) -> "TarIndex":
        """Reads an index file.

        Raises:
            ValueError: it is damaged, or of another version.
        """
        try:
            facts: dict[str, Any] = json.loads(text)
            if facts.pop("version") != VERSION:
                raise ValueError("another version")
            entries = [
                Entry(str(name), str(checksum), _checked(parts, facts["size"]))
                for name, checksum, parts in facts.pop("entries")
            ]
            return cls(**facts, entries=entries)
        except (KeyError, TypeError, AttributeError, UnicodeDecodeError, RecursionError) as error:
            raise ValueError(f"{type(error).__name__}: {error}") from error


def _checked(parts: dict[str, Any], size: int) -> Parts:
    for kind, (first, length) in parts.items():
        if kind not in KINDS or not 0 <= int(first) <= int(first) + int(length) <= size:
            raise ValueError(f"a part lies at {first}+{length} of {size} bytes")
    return {kind: (first, length) for kind, (first, length) in parts.items()}


def scan(file: BinaryIO, *, shard: str) -> TarIndex:
    """Reads a shard from end to end.

    Args:
        file: opened for reading, seekable.
        shard: what errors call it.

    Raises:
        UserError: no plain tar file, cut off or damaged, without a picture, or with two samples of one name.
    """
    size = file.seek(0, os.SEEK_END)
    index, seen = TarIndex(size), set[str]()
    try:
        for key, members in _samples(file, size):
            if key in seen:
                raise ValueError(f"{printable(key)} is in it twice: samples of a shard have different names")
            seen.add(key)
            if "image" in members:
                _add(index, file, members)
    except (tarfile.TarError, ValueError, ArithmeticError, IndexError, EOFError) as error:
        if not index.entries and isinstance(error, tarfile.ReadError):
            error = ValueError("this is no plain tar file (a compressed one has no offsets to read from)")
        raise UserError(f"data.root: {shard}: {error}: repair it or leave it out") from error
    if not index.entries:
        raise UserError(f"data.root: {shard} holds no picture, wanted names ending in {', '.join(SUFFIXES)}")
    return index


def _samples(file: BinaryIO, size: int) -> Iterator[tuple[str, dict[str, tarfile.TarInfo]]]:
    """Key and members by kind of every sample."""
    file.seek(0)
    current: str | None = None
    members: dict[str, tarfile.TarInfo] = {}
    with tarfile.open(fileobj=file, mode="r:") as archive:
        for member in archive:
            key, kind = split_name(member.name)
            if kind is None or member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE):
                continue
            if member.size < 0 or member.offset_data + member.size > size:
                raise ValueError(f"it is cut off within {printable(member.name)}")
            if key != current:
                if current is not None:
                    yield current, members
                current, members = key, {}
            if kind in members:
                raise ValueError(f"{printable(member.name)} and {printable(members[kind].name)} are of one sample")
            members[kind] = member
        end = archive.offset
    if current is not None:
        yield current, members
    # A header that cannot be read ends the members without an error, as the end of a file that is cut off does.
    file.seek(end)
    if file.read(_BLOCK) != bytes(_BLOCK):
        raise ValueError(f"it is cut off or damaged at byte {end} of {size}")


def split_name(name: str) -> tuple[str, str | None]:
    """Name of the sample, and kind of the part; None for members that are no part of a sample.

    >>> split_name("a.b/17.seg.png"), split_name("17.JPG"), split_name("a/.hidden"), split_name("17.jpg.bak")
    (('a.b/17', 'seg'), ('17', 'image'), ('a/', None), ('17', None))
    """
    folder, slash, base = name.removeprefix("./").rpartition("/")
    stem, _, extension = base.partition(".")
    extension = extension.lower()
    kind = "image" if f".{extension}" in SUFFIXES else {"seg.png": "seg"}.get(extension, extension)
    return folder + slash + stem, kind if stem and kind in KINDS else None


def _add(index: TarIndex, file: BinaryIO, members: dict[str, tarfile.TarInfo]) -> None:
    """Reads the parts of one sample."""
    checksum = hashlib.blake2b(digest_size=8)
    name = members["image"].name.removeprefix("./")
    for kind, member in sorted(members.items()):
        if member.size > _LARGEST:
            raise ValueError(f"{printable(member.name)} is larger than {_LARGEST} bytes")
        file.seek(member.offset_data)
        content = file.read(member.size)
        if len(content) < member.size:
            raise ValueError(f"it is cut off within {printable(member.name)}")
        checksum.update(f"{kind} {len(content)}\n".encode())
        checksum.update(content)
        if kind == "image":
            try:
                index.depth = max(index.depth, read_header(io.BytesIO(content), name=name).depth)
            except UnreadableImageError as error:
                index.unreadable[name] = error.reason
    parts = {kind: (member.offset_data, member.size) for kind, member in members.items()}
    index.entries.append(Entry(name, checksum.hexdigest(), parts))
