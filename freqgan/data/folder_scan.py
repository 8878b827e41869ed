"""Reading every image of a folder once: what is unreadable, what the content is, the pixels themselves."""

import json
import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, NamedTuple, TypeVar

import numpy as np
from PIL import Image

from freqgan.data.cache import digest
from freqgan.data.decode import Header, UnreadableImageError, decode, read_header
from freqgan.data.id_maps import IdMaps
from freqgan.data.layouts import Layout
from freqgan.opening import Stamp, content_of, most_bytes_of, open_file, stamp_of

_AHEAD = 2 * (os.cpu_count() or 1)  # files that are read before they are needed: whole photographs take memory
_KEPT = 16  # digits of a file's hash: enough to tell that it is another one
_Result = TypeVar("_Result")


@dataclass
class FolderScan:
    """What reading every file of a folder has shown; `scan.json` of a cache directory.

    Args:
        content: hash of all names and bytes.
        depth: 16 if any file is 16-bit greyscale, else 8.
        deep_colour: number of files with 16-bit colour, read at 8 bits.
        unreadable: reason by name.
        sizes: width and height of every picture, upright, in the order of the names; 0, 0 of unreadable ones.
        grey: number of files without colour.
        counts: pixels of each id, of every file in the order of the names, of label maps.
        palettes: number of different palettes that files have of their own, of label maps.
        contents: the beginning of a hash of each file, in the order of the names.
    """

    content: str = ""
    depth: int = 8
    deep_colour: int = 0
    unreadable: dict[str, str] = field(default_factory=dict)
    sizes: list[tuple[int, int]] = field(default_factory=list)
    grey: int = 0
    counts: list[dict[int, int]] = field(default_factory=list)
    palettes: int = 0
    contents: list[str] = field(default_factory=list)

    @classmethod
    def load(cls, directory: Path) -> "FolderScan":
        """The scan that `scan_folder` left in a directory."""
        kept = json.loads((directory / "scan.json").read_text())
        counts = [{int(label): pixels for label, pixels in of_file.items()} for of_file in kept.get("counts", [])]
        return cls(**kept | {"sizes": [(width, height) for width, height in kept["sizes"]], "counts": counts})


@dataclass(frozen=True)
class FolderReader:
    """Files of one folder as pixels.

    Args:
        root: the folder.
        layout: what becomes of each picture.
        max_pixels: larger images count as unreadable.
        boxes: the part that is looked at of some files, by name: left, top, right, bottom, cut at the border.
        ids: how maps of ids are read; None reads pictures.
    """

    root: Path
    layout: Layout
    max_pixels: int
    boxes: Mapping[str, tuple[int, int, int, int]] = field(default_factory=dict)
    ids: IdMaps | None = None

    def header(self, name: str) -> Header | None:
        """The header of a file, None if it is unreadable."""
        try:
            return read_header(self.root / name, max_pixels=self.max_pixels)
        except UnreadableImageError:
            return None

    def pixels(self, name: str, *, depth: int, stamp: Stamp, content: str) -> np.ndarray:
        """A file as the layout has it: uint8, or uint16 if the depth is 16.

        Args:
            name: of the file.
            depth: of all files.
            stamp: of the file when it was listed.
            content: what the scan keeps of its hash, which is told anew if the stamp is another one.

        Raises:
            UnreadableImageError: it is not there any more, or not what it was.
        """
        with self._file(name) as file:
            pixels = self.layout.pixels(self._picture(name, file), depth=depth)
            if stamp_of(os.fstat(file.fileno())) != stamp and content_of(file)[:_KEPT] != content:
                raise UnreadableImageError(name, "it is not what it was when the folder was read")
            return pixels

    @contextmanager
    def _file(self, name: str) -> Iterator[BufferedReader]:
        try:
            with open_file(self.root / name, most_bytes=most_bytes_of(self.max_pixels)) as file:
                yield file
        except OSError as error:
            raise UnreadableImageError(name, error.strerror or str(error)) from error

    def _picture(self, name: str, file: BinaryIO) -> Image.Image:
        read = decode if self.ids is None else self.ids.decode
        image = read(file, name=name, max_pixels=self.max_pixels)
        if name in self.boxes:
            left, top, right, bottom = self.boxes[name]
            cut = max(left, 0), max(top, 0), min(right, image.width), min(bottom, image.height)
            if cut[0] >= cut[2] or cut[1] >= cut[3]:
                raise UnreadableImageError(name, f"its box {self.boxes[name]} is not in it")
            image = image.crop(cut)
        return image

    def read(self, name: str, depth: int, stamp: Stamp) -> "Reading":
        """All that there is to know of a file, which had a stamp when it was listed."""
        content = ""
        try:
            with self._file(name) as file:
                content = content_of(file)
                picture = self._picture(name, file)
                pixels = self.layout.pixels(picture, depth=depth)
                known = self.ids.facts(picture, pixels) if self.ids is not None else {}
                if stamp_of(os.fstat(file.fileno())) != stamp and content_of(file) != content:
                    raise UnreadableImageError(name, "it was changed while it was read")
                return Reading(content, pixels, picture.size, grey=picture.mode != "RGB", **known)
        except UnreadableImageError as error:
            return Reading(content, error)


class Reading(NamedTuple):
    """What reading a file has shown.

    Args:
        content: hash of its bytes.
        pixels: as the layout has them, or why there are none.
        size: width and height, upright.
        grey: whether it is without colour.
        counts: pixels of each id, of a label map.
        palette: a name for the palette of its own, of a label map.
    """

    content: str
    pixels: np.ndarray | UnreadableImageError
    size: tuple[int, int] = (0, 0)
    grey: bool = False
    counts: Mapping[int, int] = {}
    palette: str = ""


def scan_folder(
    reader: FolderReader, listing: Sequence[tuple[str, int, int]], directory: Path, *, keep_bytes: float
) -> None:
    """Read every file once and leave `scan.json` and, if they fit, the pixels in a directory.

    Args:
        reader: reads the files.
        listing: name and stamp of the files, as rows of the pixels.
        directory: where to write.
        keep_bytes: no pixels are written if they would take more.
    """
    names, stamps = [name for name, *_ in listing], {name: (size, changed) for name, size, changed in listing}
    scan, contents, palettes = FolderScan(depth=8 if reader.ids is None else 16), [], {""}

    def rows(pool: ThreadPoolExecutor) -> Iterator[np.ndarray]:
        reads = _in_order(pool, lambda name: reader.read(name, scan.depth, stamps[name]), names)
        for name, (content, pixels, size, grey, counts, palette) in zip(names, reads, strict=True):
            contents.append((name, content))
            scan.contents.append(content[:_KEPT])
            scan.sizes.append(size)
            scan.grey += grey
            if reader.ids is not None:
                scan.counts.append(dict(counts))
                palettes.add(palette)
            if isinstance(pixels, UnreadableImageError):
                scan.unreadable[name] = pixels.reason
                pixels = reader.layout.missing()
            yield pixels

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        numbers = 0
        for header in _in_order(pool, reader.header, names):
            numbers += reader.layout.size(header)
            if header is not None:
                scan.depth = max(scan.depth, header.depth)
                scan.deep_colour += header.loses_depth
        dtype = np.dtype(np.uint16 if scan.depth == 16 else np.uint8)
        if numbers * dtype.itemsize <= keep_bytes:
            reader.layout.write(directory, len(names), dtype, rows(pool))
        else:
            deque(rows(pool), maxlen=0)
    scan.content, scan.palettes = digest(*contents), len(palettes) - 1
    (directory / "scan.json").write_text(json.dumps(asdict(scan)))


def _in_order(pool: ThreadPoolExecutor, function: Callable[[str], _Result], names: Sequence[str]) -> Iterator[_Result]:
    # A pool's own map would hold every result that nobody has taken yet.
    waiting: deque[Future[_Result]] = deque()
    for name in names:
        waiting.append(pool.submit(function, name))
        if len(waiting) > _AHEAD:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
