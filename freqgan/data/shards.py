"""Large sets as tar shards of the WebDataset layout, on local disks or object storage, read by sample index.

An index per shard says where each sample lies, so that sample k of a run is found without reading what is before it:
the order, exact resume, workers and processes are those of every other source. An index is taken from beside the shard
(`<shard>.idx.json`, as `freqgan pack` leaves it), or made by reading the shard once and kept in the cache directory.
"""

import hashlib
import io
import json
import logging
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch

from freqgan.data.base import ImageDataset, Sample
from freqgan.data.cache import build_once, digest
from freqgan.data.captions import Captioned, cleaned
from freqgan.data.decode import MAX_PIXELS, UnreadableImageError, decode, decode_labels, printable
from freqgan.data.label_classes import DONT_CARE
from freqgan.data.pixels import as_tensor, square_labels, square_pixels
from freqgan.data.shard_files import Shard, find_shards
from freqgan.data.splits import belongs, standing_in
from freqgan.data.tar_index import KINDS, SUFFIX, VERSION, TarIndex, scan
from freqgan.errors import UserError
from freqgan.limits import Count

_LISTED_ERRORS = 10
_AT_ONCE = 8  # shards that are indexed at a time
_GAP = 2**16  # bytes between the parts of a sample that are read rather than left out by another request
_log = logging.getLogger(__name__)


class Shards(ImageDataset, Captioned):
    """Every picture of the shards, shorter side resized, centre cropped, decoded at every access.

    Samples have "image"; "caption" and "class" if all pictures have a `.txt` or `.json`, or a `.cls`, of their
    name; and "label_map" from `.seg.png` where `num_classes` is set. Headers are read when a shard is indexed; a
    picture that is damaged behind its header is an `UnreadableImageError` when it is decoded.

    Args:
        max_pixels: larger pictures count as unreadable.
        num_classes: values of the label maps, 0 included, but for 255, which is no label; None leaves them out.
        **settings: as for `ImageDataset`; `root` is a file, a folder, a glob, a pattern such as
            `train-{000000..000099}.tar`, or a URL of any of them.
    """

    reads = "tar shards: set data.root=<files>, as in 'data.root=\"shards/train-{000000..000009}.tar\"'"

    def __init__(self, *, max_pixels: Count = MAX_PIXELS, num_classes: Count | None = None, **settings: Any) -> None:
        super().__init__(**settings)
        self.pattern = str(settings.get("root"))
        self.max_pixels, self.num_classes = max_pixels, num_classes

    def prepare(self) -> None:
        """Find the shards and their indexes, and make those that are not there.

        Raises:
            UserError: no such shard, a damaged one, or (with on_error=raise) an unreadable header.
        """
        self._shards = find_shards(self.pattern)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            indexes = list(pool.map(self._index_of, self._shards))
        self._tabulate(indexes)
        self._content = _content(indexes)
        unreadable = {name: reason for index in indexes for name, reason in index.unreadable.items()}
        self._choose(unreadable)

    def _index_of(self, shard: Shard) -> TarIndex:
        """The index of a shard: what lies beside it, else what the cache holds, else what reading it says."""
        try:
            text = shard.beside(SUFFIX)
            if text is not None:
                index = TarIndex.from_json(text)
                if index.size == shard.size:
                    return index
                raise ValueError(f"it is for a shard of {index.size} bytes, not {shard.size}")
        except ValueError as error:
            _log.warning("%s%s is left unused: %s", shard.path, SUFFIX, error)
        key = digest(VERSION, shard.url if not shard.local else "", shard.path, shard.size, shard.stamp)

        def build(directory: Path) -> None:
            _log.info("reading %s, once", shard.path)
            with shard.open() as file:
                (directory / "index.json").write_bytes(scan(file, shard=shard.path).to_json())

        directory = build_once(self.cache_dir / "shards" / key, build)
        return TarIndex.from_json((directory / "index.json").read_bytes())

    def _tabulate(self, indexes: Sequence[TarIndex]) -> None:
        """All samples as arrays, which workers share: millions of objects would be copied to each."""
        entries = [entry for index in indexes for entry in index.entries]
        self._depth = max(index.depth for index in indexes)
        self._names = np.array([os.fsencode(entry.name) for entry in entries])
        self._shard_of = np.repeat(np.arange(len(indexes)), [len(index.entries) for index in indexes])
        self._parts = {
            kind: np.array([entry.parts.get(kind, (0, 0)) for entry in entries], np.int64)
            for kind in KINDS
            if any(kind in entry.parts for entry in entries)
        }
        missing = {kind: sum(kind not in entry.parts for entry in entries) for kind in self._parts}
        captioned = sum("txt" in entry.parts or "json" in entry.parts for entry in entries)
        self._has_captions, self._has_classes = captioned == len(entries), missing.get("cls") == 0
        for name, count in {"captions": captioned, "classes": len(entries) - missing.get("cls", len(entries))}.items():
            if 0 < count < len(entries):
                _log.warning("%s: %d of %d pictures have %s: left out", self.pattern, count, len(entries), name)
        if self.num_classes is not None and missing.get("seg", len(entries)):
            lack = missing.get("seg", len(entries))
            first = printable(next(entry.name for entry in entries if "seg" not in entry.parts))
            raise UserError(
                f"data.num_classes={self.num_classes}, but {lack} of {len(entries)} pictures have no label map "
                f"<name>.seg.png, as {first}: add them, or set data.num_classes=null"
            )
        twice = len(entries) - len(np.unique(self._names))
        if twice:
            _log.warning("%s: %d names are in more than one shard", self.pattern, twice)

    def _choose(self, unreadable: dict[str, str]) -> None:
        """Rows of the split, and those of them that cannot be read."""
        names = [os.fsdecode(name) for name in self._names.tolist()]
        rows = [row for row, name in enumerate(names) if belongs(name, self.split, self.val_fraction)]
        bad = [names[row] for row in rows if names[row] in unreadable]
        self.skipped = [UnreadableImageError(name, unreadable[name]) for name in bad]
        if bad and (self.on_error == "raise" or len(bad) == len(rows)):
            listed = [error.lines[0] for error in self.skipped[:_LISTED_ERRORS]]
            total = f"data.root={self.pattern} has {len(bad)} unreadable among {len(rows)} images"
            raise UserError(*listed, f"{total}: leave them out of the shards, or set data.on_error=skip")
        self._rows = np.array(standing_in(rows, [names[row] not in unreadable for row in rows]), np.int64)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Sample:
        return self._sample(int(self._rows[index]))

    def captions(self, index: int) -> list[str]:
        """Those of a sample, or of the one that stands in for it; its picture is not read."""
        if not self._has_captions:
            raise UserError(f"data.root={self.pattern}: not all pictures have captions, wanted <name>.txt or .json")
        row = int(self._rows[index])
        return _captions(self._read(row, ("txt", "json")), self._name_of(row))

    def class_of(self, index: int) -> int | None:
        """That of a sample, or of the one that stands in for it, where all pictures have one."""
        row = int(self._rows[index])
        return _class(self._read(row, ("cls",))["cls"], self._name_of(row)) if self._has_classes else None

    def content(self) -> str:
        """A hash of the names and bytes of all samples, however they are cut into shards and wherever they lie."""
        return self._content

    def _sample(self, row: int) -> Sample:
        name = self._name_of(row)
        wanted = ["image", *(["txt", "json"] if self._has_captions else []), *(["cls"] if self._has_classes else [])]
        wanted += ["seg"] if self.num_classes is not None else []
        content = self._read(row, wanted)
        image = decode(io.BytesIO(content["image"]), name=name, max_pixels=self.max_pixels)
        pixels = square_pixels(image, image_size=self.image_size, channels=self.channels, depth=self._depth)
        sample: Sample = {"image": as_tensor(pixels)}
        if self._has_captions:
            sample["caption"] = _captions(content, name)
        if self._has_classes:
            sample["class"] = _class(content["cls"], name)
        if self.num_classes is not None:
            labels = decode_labels(io.BytesIO(content["seg"]), name=name, max_pixels=self.max_pixels)
            ids = square_labels(labels, image_size=self.image_size)
            sample["label_map"] = torch.from_numpy(ids)
            if (highest := int(ids[ids != DONT_CARE].max(initial=0))) >= self.num_classes:
                raise UserError(f"{printable(name)} has label {highest}, beyond data.num_classes={self.num_classes}")
        return sample

    def _name_of(self, row: int) -> str:
        return f"{os.fsdecode(self._names[row])} of {self._shards[self._shard_of[row]].path}"

    def _read(self, row: int, kinds: Sequence[str]) -> dict[str, bytes]:
        places = {kind: tuple(self._parts[kind][row].tolist()) for kind in kinds if kind in self._parts}
        shard = self._shards[self._shard_of[row]]
        return _read(shard, {kind: (first, size) for kind, (first, size) in places.items() if first})


def _content(indexes: Sequence[TarIndex]) -> str:
    total = hashlib.blake2b(digest_size=8)
    for index in indexes:
        for entry in index.entries:
            total.update(os.fsencode(entry.name) + b"\0" + entry.checksum.encode() + b"\n")
    return total.hexdigest()


def _read(shard: Shard, places: dict[str, tuple[int, int]]) -> dict[str, bytes]:
    """Parts of one sample, which lie side by side, in one piece unless much else is between them."""
    start = min(first for first, _ in places.values())
    end = max(first + size for first, size in places.values())
    if end - start > sum(size for _, size in places.values()) + _GAP:
        return {kind: shard.read(first, size) for kind, (first, size) in places.items()}
    piece = shard.read(start, end - start)
    return {kind: piece[first - start : first - start + size] for kind, (first, size) in places.items()}


def _captions(content: dict[str, bytes], name: str) -> list[str]:
    """Lines of a text, or `caption` or `captions` of a JSON object."""
    try:
        if "txt" in content:
            found = content["txt"].decode().splitlines()
        else:
            facts = json.loads(content["json"])
            found = facts.get("captions", facts.get("caption"))
            found = [found] if isinstance(found, str) else found
        captions = cleaned(found)
    except (ValueError, AttributeError, TypeError, RecursionError) as error:
        raise UserError(f"{printable(name)}: its caption cannot be read: {error}") from error
    if not captions:
        raise UserError(f"{printable(name)}: its caption is empty")
    return captions


def _class(text: bytes, name: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise UserError(f"{printable(name)}: its class is {text[:20]!r}, wanted a whole number") from error
