"""Files that hold a pair each: A and B side by side, as the data sets of pix2pix are published."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from freqgan.data.decode import Header, UnreadableImageError
from freqgan.data.domains import Domain
from freqgan.data.layouts import Layout, RaggedPixels
from freqgan.data.pixels import Pixels
from freqgan.data.scanned_domains import ScannedDomains
from freqgan.errors import UserError


class SideBySide(ScannedDomains):
    """Every image below a folder, of which one half is A and the other B.

    Args:
        left: the domain of the left halves.
        **settings: as for `ScannedDomains`; `root` is the folder.
    """

    reads = "a folder of pairs side by side: set data.root=<folder>"
    paired = True

    def __init__(self, *, left: Domain = "a", **settings: Any) -> None:
        super().__init__(**settings)
        if left not in ("a", "b"):
            raise UserError(f"data.source.left={left} must be a or b")
        self.left = left
        self._pairing = (left,)

    def prepare(self) -> None:
        """List the folder and, unless the cache knows exactly these files, read them all, once for each half.

        Raises:
            UserError: the folder is missing or empty, or (with on_error=raise) an image is unreadable or has no halves.
        """
        assert self.root is not None
        self._a = self._scanned(self.root, Half(self._layout("a"), right=self.left == "b"), "data.root")
        self._b = self._scanned(self.root, Half(self._layout("b"), right=self.left == "a"), "data.root")
        self._tell(self._a)
        self._rows_a, self.skipped = self._a.rows(self.split, val_fraction=self.val_fraction, on_error=self.on_error)
        self._rows_b = self._rows_a


@dataclass(frozen=True)
class Half(Layout):
    """One half of each picture, kept as another layout keeps pictures.

    Args:
        layout: of the half.
        right: the right half, not the left one.
    """

    layout: Layout
    right: bool

    def pixels(self, image: Image.Image, *, depth: int) -> np.ndarray:
        """The half of a picture whose width can be halved."""
        if image.width % 2:
            raise UnreadableImageError("", f"its width of {image.width} pixels is odd, wanted two halves side by side")
        middle = image.width // 2
        box = (middle, 0, image.width, image.height) if self.right else (0, 0, middle, image.height)
        return self.layout.pixels(image.crop(box), depth=depth)

    def missing(self) -> np.ndarray:
        """As the layout has it."""
        return self.layout.missing()

    def size(self, header: Header | None) -> int:
        """By half the width."""
        return self.layout.size(header and replace(header, width=-(-header.width // 2)))

    def write(self, directory: Path, count: int, dtype: np.dtype, images: Iterable[np.ndarray]) -> None:
        """As the layout does."""
        self.layout.write(directory, count, dtype, images)

    def open(self, directory: Path) -> Pixels | RaggedPixels | None:
        """As the layout does."""
        return self.layout.open(directory)
