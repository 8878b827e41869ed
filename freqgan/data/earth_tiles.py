"""Tiles of a satellite picture of the Earth, with classes of water and heights and countries as instances."""

import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from freqgan.data.base import ImageDataset, Sample
from freqgan.data.cache import build_once, digest
from freqgan.data.decode import MAX_PIXELS, decode
from freqgan.data.label_classes import LabelClasses
from freqgan.data.label_report import describe
from freqgan.data.pixels import Pixels, as_tensor, whole_pixels, write_pixels
from freqgan.data.tile_grid import TileGrid
from freqgan.data.world_maps import country_instances, height_classes
from freqgan.errors import UserError
from freqgan.limits import Count, Share
from freqgan.opening import stamp_of

_VERSION = 1
_KINDS = ("image", "label_map", "instance_map")
_log = logging.getLogger(__name__)


class EarthTiles(ImageDataset):
    """Tiles of maps of one place; samples have "image", "label_map", "instance_map" and "name".

    Labels are 0 for water, and land by its height. Instances are 0 for water, 1 for land in no country, and countries.
    A band of columns is for validation, as of `freqgan.data.MapTiles`, which has pairs of day and night.

    Args:
        files: the picture, the mask that is bright where there is water, the grey levels of heights, and the GeoJSON
            polygons of countries, in `root`. The maps are equirectangular; that of the picture is the size of all.
        heights: where a class of land ends and the next one begins, in grey levels; a level is about 25 m in NASA's
            map of heights.
        stride: distance of neighbouring tiles in pixels; None is their side.
        rows: part of the height that is used, from 0 at the top to 1: the poles are stretched.
        val_from: where the band begins, as a share of the width; `val_fraction` is how wide it is.
        least_land: share of its pixels that is land in every tile: of a whole ocean, there is nothing to learn.
        max_pixels: larger pictures count as unreadable.
        **settings: as for `ImageDataset`; `root` is the folder of the four files.
    """

    reads = "the folder of a satellite picture and maps of water, heights and countries: set data.root=<folder>"
    rectangles = True
    own_instances = True

    def __init__(
        self,
        *,
        files: tuple[str, str, str, str] = ("day.jpg", "water.png", "elevation.png", "countries.geojson"),
        heights: Sequence[float] = (8, 20, 40, 80),
        stride: Count | None = None,
        rows: tuple[float, float] = (0.0, 1.0),
        val_from: float = 0.5,
        least_land: Share = 0.0,
        max_pixels: Count = MAX_PIXELS,
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        if list(heights) != sorted({*heights}):
            raise UserError(f"data.source.heights={list(heights)} must be in order, and none twice")
        self.grid = TileGrid(self.size, stride, (rows[0], rows[1]), val_from, self.val_fraction)
        self.files, self.heights = tuple(files), tuple(heights)
        self.least_land, self.max_pixels = least_land, max_pixels
        self.num_classes = 2 + len(self.heights)
        self.class_names = ("water", "land", *(f"land from {step:g}" for step in self.heights))

    def prepare(self) -> None:
        """Read the maps, unless the cache knows exactly these files, and choose the tiles.

        Raises:
            UserError: a file is missing or unreadable, a map is of another shape, or no tile is left.
        """
        assert self.root is not None
        paths = [self.root / name for name in self.files]
        if missing := [path.name for path in paths if not path.is_file()]:
            fix = "set data.source.files=[picture,water,heights,countries]"
            raise UserError(f"data.root={self.root} has no {', '.join(missing)}: {fix}")
        stamps = [stamp_of(path.stat()) for path in paths]
        key = digest(_VERSION, str(self.root.resolve()), self.files, stamps, self.heights, self.channels)
        directory = build_once(self.cache_dir / "earth_tiles" / key, self._read)
        self._maps = {kind: Pixels(directory / f"{kind}.npy") for kind in _KINDS}
        self._content = (directory / "content").read_text()
        *_, height, width = self._maps["image"].array.shape
        places = self.grid.places(height, width, self.split)
        self._places = [place for place in places if (self._tile("label_map", place) > 0).mean() >= self.least_land]
        if not self._places and self.split != "val":
            raise UserError(f"data.root={self.root}: no tile of {list(self.size)} pixels has data.source.least_land")
        if self.split != "val":
            tiles = (np.unique(self._tile("label_map", place), return_counts=True) for place in self._places)
            counts = [dict(zip(ids.tolist(), pixels.tolist(), strict=True)) for ids, pixels in tiles]
            describe(f"data.root={self.root}", counts, LabelClasses(self.num_classes, tuple(self.class_names)))

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index: int) -> Sample:
        top, left = place = self._places[index]
        image, labels, instances = (self._tile(kind, place) for kind in _KINDS)
        return {
            "image": as_tensor(image),
            "label_map": torch.from_numpy(labels[0]),
            "instance_map": torch.from_numpy(instances[0].astype(np.int32)),
            "name": f"{top}_{left}",
        }

    def content(self) -> str:
        """A hash of all maps, and of where tiles are cut."""
        return digest(self._content, self.grid.stride, self.grid.rows, self.grid.val_from, self.least_land)

    def _tile(self, kind: str, place: tuple[int, int]) -> np.ndarray:
        top, left = place
        return np.array(self._maps[kind].array[0, :, top : top + self.size[0], left : left + self.size[1]])

    def _read(self, directory: Path) -> None:
        assert self.root is not None
        picture, water, heights = (self._map(name) for name in self.files[:3])
        water = water.convert("L").resize(picture.size, Image.Resampling.BILINEAR)
        labels = height_classes(water, heights.convert("L"), self.heights)
        instances = country_instances(labels > 0, self.root / self.files[3])
        depth = 16 if picture.mode.startswith("I;16") else 8
        image = whole_pixels(picture, channels=self.channels, depth=depth).transpose(2, 0, 1)
        maps = dict(zip(_KINDS, (image, labels[None], instances[None]), strict=True))
        content = hashlib.blake2b(digest_size=8)
        for kind, pixels in maps.items():
            write_pixels(directory / f"{kind}.npy", (1, *pixels.shape), pixels.dtype, [pixels])
            content.update(np.ascontiguousarray(pixels).tobytes())
        (directory / "content").write_text(content.hexdigest())

    def _map(self, name: str) -> Image.Image:
        assert self.root is not None
        _log.info("reading %s, once", self.root / name)
        picture = decode(self.root / name, max_pixels=self.max_pixels)
        if picture.width != 2 * picture.height:
            got = f"{self.root / name} has {picture.width}x{picture.height} pixels"
            raise UserError(f"{got}, wanted a map of the whole Earth, twice as wide as it is high")
        return picture
