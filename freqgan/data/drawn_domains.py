"""Two domains that are drawn, once per size: what line art and styles of emoji have in common."""

import hashlib
import json
from abc import abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from freqgan.data.base import ImageDataset, Sample
from freqgan.data.cache import build_once, digest
from freqgan.data.domains import Domain, TwoDomains
from freqgan.data.openmoji_names import base
from freqgan.data.pixels import Pixels, as_tensor, square_pixels, write_pixels
from freqgan.data.splits import belongs


class DrawnDomains(ImageDataset, TwoDomains):
    """The same emoji drawn in two ways; samples have "image", "image_b" and "name", an emoji's code points.

    Skin-tone, gender and direction variants of one emoji are always on the same side of the split.

    Args:
        distinct: of drawings that look the same in A, use that of the fewest code points alone: whoever sees no more
            than A cannot tell which of several in B is meant.
        **settings: as for `ImageDataset`; there is no `root`.
    """

    paired = True

    def __init__(self, *, distinct: bool = False, **settings: Any) -> None:
        super().__init__(**settings)
        self.distinct = distinct

    def prepare(self) -> None:
        """Draw all once per size (about 20 s at 64 px) and keep it in the cache directory."""
        key = digest(*self._made_by(), self.image_size, self.channels)
        directory = build_once(self.cache_dir / "drawn_domains" / f"{self.image_size}px_{key}", self._draw_all)
        self._a, self._b = (Pixels(directory / f"{domain}.npy") for domain in ("a", "b"))
        looks: dict[str, str] = json.loads((directory / "looks.json").read_text())
        self._names = list(looks)
        plainest: dict[str, str] = {}
        for name in sorted(looks, key=lambda name: name.count("-")):
            plainest.setdefault(looks[name], name)
        self._rows = [
            row
            for row, name in enumerate(self._names)
            if belongs(base(name), self.split, self.val_fraction)
            and (not self.distinct or plainest[looks[name]] == name)
        ]

    @abstractmethod
    def _made_by(self) -> list[str]:
        """A name for everything that the drawings follow from, but for their size."""

    @abstractmethod
    def _all(self) -> list[str]:
        """Code points of what is in both domains, in order."""

    @abstractmethod
    def _drawn(self, names: list[str], domain: Domain) -> Iterator[Image.Image]:
        """Each of them in a domain."""

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def lengths(self) -> tuple[int, int]:
        """Everything is in both."""
        return len(self), len(self)

    def __getitem__(self, index: int) -> Sample:
        return {**self.domain_a(index), "image_b": self.domain_b(index)["image_b"]}

    def domain_a(self, index: int) -> Sample:
        """A drawing of A alone."""
        row = self._rows[index]
        return {"image": as_tensor(self._a[row]), "name": self._names[row]}

    def domain_b(self, index: int) -> Sample:
        """A drawing of B alone."""
        row = self._rows[index]
        return {"image_b": as_tensor(self._b[row]), "name_b": self._names[row]}

    def content(self) -> str:
        """What the drawings follow from, and which are used."""
        return digest(*self._made_by(), self.distinct)

    def _draw_all(self, directory: Path) -> None:
        names = self._all()
        shape = (len(names), self.channels, self.image_size, self.image_size)
        looks = []

        def pixels(domain: Domain) -> Iterator[np.ndarray]:
            for image in self._drawn(names, domain):
                drawing = square_pixels(image, image_size=self.image_size, channels=self.channels)
                if domain == "a":
                    looks.append(hashlib.blake2b(drawing.tobytes(), digest_size=8).hexdigest())
                yield drawing

        write_pixels(directory / "a.npy", shape, np.dtype(np.uint8), pixels("a"))
        write_pixels(directory / "b.npy", shape, np.dtype(np.uint8), pixels("b"))
        (directory / "looks.json").write_text(json.dumps(dict(zip(names, looks, strict=True))))
