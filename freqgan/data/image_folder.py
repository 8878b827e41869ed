"""A folder of the user's own images, nested, of any size and mode."""

import logging
import os
from bisect import bisect_left
from pathlib import Path
from typing import Any

import PIL

from freqgan.data.base import ImageDataset, Sample
from freqgan.data.cache import build_once, digest
from freqgan.data.decode import MAX_PIXELS, UnreadableImageError
from freqgan.data.folder_listing import list_images
from freqgan.data.folder_scan import FolderReader, FolderScan, scan_folder
from freqgan.data.pixels import Pixels, as_tensor
from freqgan.data.splits import belongs
from freqgan.errors import UserError

_SCAN_VERSION = 1
_LISTED_ERRORS = 10
_log = logging.getLogger(__name__)


class ImageFolder(ImageDataset):
    """Every image below a folder, shorter side resized, centre cropped; samples have "image".

    The first `prepare` reads every file once: it finds the unreadable ones, hashes the content and keeps the
    pixels if they fit `cache_limit_gib`; a later one only lists the folder. A single 16-bit greyscale file
    makes the whole set float32 in [0, 1]. Hidden files are left out; links to folders are followed, but no
    folder is entered twice.

    Args:
        max_pixels: larger images count as unreadable.
        cache_limit_gib: largest size of the decoded set that is kept in the cache directory; above it every
            access decodes its file.
        **settings: as for `ImageDataset`; `root` is the folder.
    """

    reads = "a folder of images: set data.root=<folder>"

    def __init__(self, *, max_pixels: int = MAX_PIXELS, cache_limit_gib: float = 4.0, **settings: Any) -> None:
        super().__init__(**settings)
        self.max_pixels, self.cache_limit_gib = max_pixels, cache_limit_gib

    def prepare(self) -> None:
        """List the folder and, unless the cache knows exactly these files, read them all.

        Raises:
            UserError: no such folder, no image in it, none readable, or (with on_error=raise) an unreadable
                one.
        """
        assert self.root is not None
        listing = list_images(self.root)
        self._names = [name for name, *_ in listing]
        self._reader = FolderReader(self.root, self.image_size, self.channels, self.max_pixels)
        settings = (self.image_size, self.channels, self.max_pixels, self.cache_limit_gib)
        key = digest(_SCAN_VERSION, PIL.__version__, os.path.realpath(self.root), listing, *settings)
        directory = build_once(self.cache_dir / "image_folder" / f"{self.image_size}px_{key}", self._read_all)
        self._scan = FolderScan.load(directory)
        self._pixels = Pixels(directory / "pixels.npy") if (directory / "pixels.npy").exists() else None
        self._choose()

    def _read_all(self, directory: Path) -> None:
        _log.info("reading %d images of %s, once", len(self._names), self.root)
        scan_folder(self._reader, self._names, directory, keep_bytes=self.cache_limit_gib * 2**30)
        deep_colour = FolderScan.load(directory).deep_colour
        if deep_colour:
            _log.warning("%s: %d images have 16-bit colour, read at 8 bits", self.root, deep_colour)

    def _choose(self) -> None:
        """Rows of the split, good ones in place of unreadable ones."""
        unreadable = self._scan.unreadable
        rows = [row for row, name in enumerate(self._names) if belongs(name, self.split, self.val_fraction)]
        good = [position for position, row in enumerate(rows) if self._names[row] not in unreadable]
        bad = [self._names[row] for row in rows if self._names[row] in unreadable]
        self.skipped = [UnreadableImageError(name, unreadable[name]) for name in bad]
        if bad and (self.on_error == "raise" or not good):
            listed = [error.lines[0] for error in self.skipped[:_LISTED_ERRORS]]
            total = f"data.root={self.root} has {len(bad)} unreadable among {len(rows)} images"
            raise UserError(*listed, f"{total}: repair or remove them, or set data.on_error=skip")
        self._rows = [rows[good[bisect_left(good, position) % len(good)]] for position in range(len(rows))]

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Sample:
        row = self._rows[index]
        if self._pixels is not None:
            return {"image": as_tensor(self._pixels[row])}
        return {"image": as_tensor(self._reader.pixels(self._names[row], depth=self._scan.depth))}

    def content(self) -> str:
        """A hash of the names and bytes of all files, wherever the folder lies."""
        return self._scan.content
