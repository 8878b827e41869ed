"""Two aligned maps cut into tiles: a satellite's day and night, a map and a photograph."""

import hashlib
import logging
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from freqgan.data.base import ImageDataset, Sample
from freqgan.data.cache import build_once, digest
from freqgan.data.decode import MAX_PIXELS, decode
from freqgan.data.domains import TwoDomains
from freqgan.data.folder_listing import list_images
from freqgan.data.pixels import Pixels, as_tensor, whole_pixels, write_pixels
from freqgan.data.tile_grid import TileGrid
from freqgan.errors import UserError
from freqgan.limits import Count

_log = logging.getLogger(__name__)


class MapTiles(ImageDataset, TwoDomains):
    """Squares of two pictures of one size, at the same places; samples have "image", "image_b" and "name".

    A band of columns is for validation, so that no place is seen in training that validation judges: tiles that lie in
    it are validation, tiles that touch it from outside are not used.

    Args:
        files: the two pictures in `root`, A and B.
        stride: distance of neighbouring tiles in pixels; None is their side.
        rows: part of the height that is used, from 0 at the top to 1: the poles of a map of the Earth are stretched.
        val_from: where the band begins, as a share of the width; `val_fraction` is how wide it is.
        least_detail: tiles are left out of which either picture has a smaller standard deviation, in steps of 8 bits:
            of an ocean at night, there is nothing to learn.
        max_pixels: a picture that is larger counts as unreadable.
        **settings: as for `ImageDataset`; `root` is the folder of the two files.
    """

    reads = "the folder of two aligned maps: set data.root=<folder>"
    rectangles = True
    paired = True

    def __init__(
        self,
        *,
        files: tuple[str, str] = ("day.jpg", "night.jpg"),
        stride: Count | None = None,
        rows: tuple[float, float] = (0.0, 1.0),
        val_from: float = 0.5,
        least_detail: float = 0.0,
        max_pixels: Count = MAX_PIXELS,
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        self.grid = TileGrid(self.size, stride, (rows[0], rows[1]), val_from, self.val_fraction)
        self.files, self.least_detail, self.max_pixels = (files[0], files[1]), least_detail, max_pixels

    def prepare(self) -> None:
        """Read both pictures, unless the cache knows exactly these files, and choose the tiles.

        Raises:
            UserError: a picture is missing or unreadable, they are of different sizes, or no tile is left.
        """
        assert self.root is not None
        known = {name: facts for name, *facts in list_images(self.root)}
        if missing := [name for name in self.files if name not in known]:
            raise UserError(*(f"data.root={self.root} has no {name}: set data.source.files=[a,b]" for name in missing))
        key = digest(str(self.root.resolve()), *((name, *known[name]) for name in self.files), self.channels)
        directory = build_once(self.cache_dir / "map_tiles" / key, self._read)
        self._maps = Pixels(directory / "maps.npy")
        self._content = (directory / "content").read_text()
        *_, height, width = self._maps.array.shape
        places = self.grid.places(height, width, self.split)
        self._places = [place for place in places if self._has_detail(place)]
        if not self._places and self.split != "val":
            raise UserError(f"data.root={self.root}: no tile of {list(self.size)} pixels has data.source.least_detail")

    def __len__(self) -> int:
        return len(self._places)

    @property
    def lengths(self) -> tuple[int, int]:
        """Every place is in both."""
        return len(self), len(self)

    def __getitem__(self, index: int) -> Sample:
        return {**self.domain_a(index), "image_b": self._tile(1, index)}

    def domain_a(self, index: int) -> Sample:
        """A tile of A alone."""
        return {"image": self._tile(0, index), "name": self._name(index)}

    def domain_b(self, index: int) -> Sample:
        """A tile of B alone."""
        return {"image_b": self._tile(1, index), "name_b": self._name(index)}

    def content(self) -> str:
        """A hash of the pixels of both pictures, and of where tiles are cut."""
        return digest(self._content, self.grid.stride, self.grid.rows, self.grid.val_from, self.least_detail)

    def _name(self, index: int) -> str:
        top, left = self._places[index]
        return f"{top}_{left}"

    def _tile(self, domain: int, index: int) -> Tensor:
        top, left = self._places[index]
        tile = self._maps.array[domain, :, top : top + self.size[0], left : left + self.size[1]]
        return as_tensor(np.array(tile))

    def _has_detail(self, place: tuple[int, int]) -> bool:
        if not self.least_detail:
            return True
        top, left = place
        tiles = self._maps.array[:, :, top : top + self.size[0], left : left + self.size[1]].mean(1)
        steps = 257 if self._maps.array.dtype == np.uint16 else 1
        return bool((tiles.std((1, 2)) >= self.least_detail * steps).all())

    def _read(self, directory: Path) -> None:
        assert self.root is not None
        pictures = []
        for name in self.files:
            _log.info("reading %s, once", self.root / name)
            pictures.append(decode(self.root / name, max_pixels=self.max_pixels))
        if pictures[0].size != pictures[1].size:
            sizes = [
                f"{name} has {picture.width}x{picture.height}"
                for name, picture in zip(self.files, pictures, strict=True)
            ]
            raise UserError(f"data.root={self.root}: {' and '.join(sizes)} pixels, wanted two maps of one size")
        depth = 16 if any(picture.mode.startswith("I;16") for picture in pictures) else 8
        maps = [whole_pixels(picture, channels=self.channels, depth=depth).transpose(2, 0, 1) for picture in pictures]
        write_pixels(directory / "maps.npy", (2, *maps[0].shape), maps[0].dtype, maps)
        (directory / "content").write_text(hashlib.blake2b(np.stack(maps).tobytes(), digest_size=8).hexdigest())
