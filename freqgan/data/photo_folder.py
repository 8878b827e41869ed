"""A folder of whole photographs, and perhaps one of the same with fewer pixels."""

from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from freqgan.data.base import ImageDataset, Sample
from freqgan.data.cache import digest
from freqgan.data.decode import MAX_PIXELS, printable
from freqgan.data.layouts import Wholes
from freqgan.data.partners import low_partners
from freqgan.data.pixels import as_tensor
from freqgan.data.scanned_folder import ScannedFolder
from freqgan.errors import UserError
from freqgan.limits import Count, NonNegative

Shape = tuple[int, ...]
_LISTED_ERRORS = 10


class PhotoFolder(ImageDataset):
    """Every image below a folder, of its own size; samples have "image", "name" and, with pairs, "image_low".

    Files are read once and kept as `ImageFolder` keeps them, at full size: what of a picture is not looked at is not
    read again. The images are views of what is kept, not to be written to.

    Args:
        scale: how many times shorter the sides of the images in `low_root` are; a rest of less than a low pixel, at
            the right and below, may be left out or rounded up there.
        max_pixels: larger images count as unreadable.
        cache_limit_gib: largest size of a decoded folder that is kept in the cache directory; above it every
            access decodes its file.
        **settings: as for `ImageDataset`; `root` is the folder, and `low_root` that of the images with fewer pixels,
            by the same names.
    """

    reads = "a folder of photographs: set data.root=<folder>"
    reads_low = True
    rectangles = True
    any_size = True

    def __init__(
        self, *, scale: Count = 1, max_pixels: Count = MAX_PIXELS, cache_limit_gib: NonNegative = 16.0, **settings: Any
    ) -> None:
        super().__init__(**settings)
        self.scale, self.max_pixels, self.cache_limit_gib = scale, max_pixels, cache_limit_gib

    def prepare(self) -> None:
        """List the folders and, unless the cache knows exactly these files, read them all.

        Raises:
            UserError: a folder is missing or empty, an image has no partner or one of another size, or (with
                on_error=raise) one is unreadable.
        """
        assert self.root is not None
        self._folder = self._scanned(self.root, "data.root")
        self._rows, self.skipped = self._folder.rows(self.split, val_fraction=self.val_fraction, on_error=self.on_error)
        self._low = None
        if self.low_root is not None:
            self._low = self._scanned(self.low_root, "data.low_root")
            self._low.rows("all", val_fraction=0.0, on_error="raise")
            self._low_rows = low_partners(
                self._folder.names, self._low.names, scale=self.scale, root=self.root, low_root=self.low_root
            )
            self._check_all_sizes(self._low)

    def _scanned(self, root: Path, setting: str) -> ScannedFolder:
        return ScannedFolder(
            root,
            Wholes(self.channels),
            max_pixels=self.max_pixels,
            cache_limit_gib=self.cache_limit_gib,
            cache=self.cache_dir / "photo_folder" / "whole",
            setting=setting,
        )

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Sample:
        row = self._rows[index]
        pixels = self._folder.pixels(row)
        sample: Sample = {"image": _channels_first(pixels), "name": self._folder.names[row]}
        if self._low is not None:
            low = self._low.pixels(self._low_rows[row])
            if problems := self._size_problems(row, self._low, pixels.shape, low.shape):
                raise UserError(*problems)
            sample["image_low"] = _channels_first(low)
        return sample

    def content(self) -> str:
        """A hash of the names and bytes of all files, wherever the folders lie."""
        if self._low is None:
            return self._folder.scan.content
        return digest(self._folder.scan.content, self._low.scan.content, self.scale)

    def _check_all_sizes(self, low: ScannedFolder) -> None:
        if not (self._folder.kept and low.kept):
            return  # each is checked when it is decoded
        problems = []
        for row in sorted(set(self._rows)):
            shapes = self._folder.pixels(row).shape, low.pixels(self._low_rows[row]).shape
            problems += self._size_problems(row, low, *shapes)
        if problems:
            raise UserError(*problems[:_LISTED_ERRORS], f"data.low_root={low.root}: {len(problems)} images do not fit")

    def _size_problems(self, row: int, low: ScannedFolder, shape: Shape, low_shape: Shape) -> list[str]:
        """What to say of a pair that does not fit: a line, or none."""
        wanted = [(n // self.scale, -(-n // self.scale)) for n in shape[:2]]
        if all(0 < least <= got <= most for (least, most), got in zip(wanted, low_shape, strict=False)):
            return []
        high, partner = self._folder.root / self._folder.names[row], low.root / low.names[self._low_rows[row]]
        sizes = [f"{width}x{height}" for height, width, *_ in (shape, low_shape, [least for least, _ in wanted])]
        return [
            f"{printable(str(partner))} has {sizes[1]} pixels, wanted {sizes[2]} for data.scale={self.scale} "
            f"and the {sizes[0]} of {printable(str(high))}"
        ]


def _channels_first(pixels: np.ndarray) -> Tensor:
    return as_tensor(pixels).permute(2, 0, 1)
