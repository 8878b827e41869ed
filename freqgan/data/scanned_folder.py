"""A folder of the user's images, read once per machine: names, what cannot be read, and the pixels."""

import logging
import os
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import PIL

from freqgan.data.base import OnError
from freqgan.data.cache import build_once, digest
from freqgan.data.decode import UnreadableImageError, UnusableImageError
from freqgan.data.folder_listing import list_images
from freqgan.data.folder_scan import FolderReader, FolderScan, scan_folder
from freqgan.data.id_maps import IdMaps
from freqgan.data.layouts import Layout
from freqgan.data.splits import Split, belongs, standing_in
from freqgan.errors import UserError

_SCAN_VERSION = 3
_LISTED_ERRORS = 10
_log = logging.getLogger(__name__)


class ScannedFolder:
    """Every image below a folder, listed and, unless the cache knows exactly these files, read.

    Args:
        root: the folder.
        layout: what becomes of each picture.
        max_pixels: larger images count as unreadable.
        cache_limit_gib: largest size of the decoded set that is kept; above it every access decodes its file.
        cache: path that the cache directory begins with.
        setting: what the user calls the folder.
        boxes: the part that is looked at of some files, by name.
        files: those of `list_images` that are meant; None is all.
        ids: how maps of ids are read, kept at 16 bits; None reads pictures.

    Raises:
        UserError: no such folder, or no image in it.
    """

    def __init__(
        self,
        root: Path,
        layout: Layout,
        *,
        max_pixels: int,
        cache_limit_gib: float,
        cache: Path,
        setting: str = "data.root",
        boxes: Mapping[str, tuple[int, int, int, int]] | None = None,
        files: Sequence[tuple[str, int, int]] | None = None,
        ids: IdMaps | None = None,
    ) -> None:
        self.root, self.setting, self.cache_limit_gib = root, setting, cache_limit_gib
        listing = list_images(root, setting=setting) if files is None else list(files)
        self.names = [name for name, *_ in listing]
        self._stamps = np.array([stamp for _, *stamp in listing], np.int64)
        self._reader = FolderReader(root, layout, max_pixels, boxes or {}, ids)
        settings = [repr(layout), max_pixels, cache_limit_gib]
        settings += [setting for setting in (boxes, ids and repr(ids)) if setting]
        key = digest(_SCAN_VERSION, PIL.__version__, os.path.realpath(root), listing, *settings)
        directory = build_once(cache.with_name(f"{cache.name}_{key}"), partial(self._read_all, listing))
        self.scan = FolderScan.load(directory)
        self._kept = layout.open(directory)

    @property
    def kept(self) -> bool:
        """Whether pixels are read from the cache, and not decoded at every access."""
        return self._kept is not None

    def pixels(self, row: int) -> np.ndarray:
        """The picture of `names[row]` as the layout has it, not to be written to.

        Raises:
            UnreadableImageError: none is kept, and its file is not what it was when it was read first.
        """
        if self._kept is not None:
            return self._kept[row]
        size, changed = self._stamps[row].tolist()
        content = self.scan.contents[row]
        return self._reader.pixels(self.names[row], depth=self.scan.depth, stamp=(size, changed), content=content)

    def rows(
        self,
        split: Split,
        *,
        val_fraction: float,
        on_error: OnError,
        groups: Mapping[str, str] | None = None,
        without: Mapping[str, str] | None = None,
        sides: Mapping[str, Split] | None = None,
    ) -> tuple[list[int], list[UnusableImageError]]:
        """Rows of a split, the next good one in place of one that cannot be used, and what is wrong with those.

        Args:
            split: what to take.
            val_fraction: of names, or of groups.
            on_error: raise or skip.
            groups: what tells the side of some files, in place of their names.
            without: files that cannot be used for other reasons, and these.
            sides: the split that files were published with; None tells it by names.

        Raises:
            UserError: no image of the split can be used, or (with on_error=raise) one cannot.
        """
        unreadable, without, groups = self.scan.unreadable, without or {}, groups or {}
        rows = [
            row
            for row, name in enumerate(self.names)
            if (split in ("all", sides[name]) if sides else belongs(groups.get(name, name), split, val_fraction))
        ]
        good = [self.names[row] not in unreadable and self.names[row] not in without for row in rows]
        bad = [self.names[row] for row, usable in zip(rows, good, strict=True) if not usable]
        skipped: list[UnusableImageError] = [
            UnusableImageError(name, without[name]) if name in without else UnreadableImageError(name, unreadable[name])
            for name in bad
        ]
        if bad and (on_error == "raise" or not any(good)):
            listed = [error.lines[0] for error in skipped[:_LISTED_ERRORS]]
            kind = "unusable" if without else "unreadable"
            fix = ": repair or remove them, or set data.on_error=skip" if any(good) else ", none is left: repair them"
            raise UserError(*listed, f"{self.setting}={self.root} has {len(bad)} {kind} among {len(rows)} images{fix}")
        return standing_in(rows, good), skipped

    def _read_all(self, listing: Sequence[tuple[str, int, int]], directory: Path) -> None:
        _log.info("reading %d images of %s, once", len(self.names), self.root)
        scan_folder(self._reader, listing, directory, keep_bytes=self.cache_limit_gib * 2**30)
        deep_colour = FolderScan.load(directory).deep_colour
        if deep_colour:
            _log.warning("%s: %d images have 16-bit colour, read at 8 bits", self.root, deep_colour)
