"""How decoded pictures are kept: as squares of one size in one array, or each at its own size one after the other."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from freqgan.data.decode import Header
from freqgan.data.pixels import Pixels, square_pixels, whole_pixels, write_pixels


class Layout(ABC):
    """What becomes of a picture, and where many of them are kept."""

    @abstractmethod
    def pixels(self, image: Image.Image, *, depth: int) -> np.ndarray:
        """A picture of mode L, RGB or I;16 as uint8, or as uint16 if the depth is 16."""

    @abstractmethod
    def missing(self) -> np.ndarray:
        """What stands in the store in place of an unreadable picture."""

    @abstractmethod
    def size(self, header: Header | None) -> int:
        """How many numbers are kept of a picture with this header; None is an unreadable one."""

    @abstractmethod
    def write(self, directory: Path, count: int, dtype: np.dtype, images: Iterable[np.ndarray]) -> None:
        """Keep `count` pictures in an empty directory."""

    @abstractmethod
    def open(self, directory: Path) -> "Pixels | RaggedPixels | None":
        """What `write` kept, None if it was not called."""


@dataclass(frozen=True)
class Squares(Layout):
    """Shorter side resized, centre cropped: (c, image_size, image_size).

    Args:
        image_size: side of the squares.
        channels: 1 or 3.
    """

    image_size: int
    channels: int

    def pixels(self, image: Image.Image, *, depth: int) -> np.ndarray:
        """The centre square."""
        return square_pixels(image, image_size=self.image_size, channels=self.channels, depth=depth)

    def missing(self) -> np.ndarray:
        """A black square."""
        return np.zeros((self.channels, self.image_size, self.image_size), np.uint8)

    def size(self, header: Header | None) -> int:
        """The same for all."""
        return self.channels * self.image_size**2

    def write(self, directory: Path, count: int, dtype: np.dtype, images: Iterable[np.ndarray]) -> None:
        """One array in `pixels.npy`."""
        shape = (count, self.channels, self.image_size, self.image_size)
        write_pixels(directory / "pixels.npy", shape, dtype, images)

    def open(self, directory: Path) -> Pixels | None:
        """The array behind a memory map."""
        path = directory / "pixels.npy"
        return Pixels(path) if path.exists() else None


@dataclass(frozen=True)
class Wholes(Layout):
    """Pictures as they are: (h, w, c).

    Args:
        channels: 1 or 3.
    """

    channels: int

    def pixels(self, image: Image.Image, *, depth: int) -> np.ndarray:
        """All of the picture."""
        return whole_pixels(image, channels=self.channels, depth=depth)

    def missing(self) -> np.ndarray:
        """Nothing at all."""
        return np.zeros((0, 0, self.channels), np.uint8)

    def size(self, header: Header | None) -> int:
        """By the header's width and height."""
        return self.channels * header.width * header.height if header else 0

    def write(self, directory: Path, count: int, dtype: np.dtype, images: Iterable[np.ndarray]) -> None:
        """All numbers in `pixels.bin`, all shapes in `shapes.npy`."""
        shapes = np.zeros((count, 3), np.int64)
        with open(directory / "pixels.bin", "wb") as file:
            for row, image in enumerate(images):
                shapes[row] = image.shape
                file.write(np.ascontiguousarray(image, dtype=dtype).tobytes())
        np.save(directory / "shapes.npy", shapes)

    def open(self, directory: Path) -> "RaggedPixels | None":
        """The pictures behind a memory map."""
        return RaggedPixels(directory) if (directory / "shapes.npy").exists() else None


class RaggedPixels:
    """Pictures of any sizes behind a memory map; to a worker process it travels as its path.

    Args:
        directory: written by `Wholes`.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.shapes: np.ndarray = np.load(directory / "shapes.npy")
        self.ends = self.shapes.prod(1).cumsum()
        path, total = directory / "pixels.bin", int(self.ends[-1])
        dtype = np.uint8 if path.stat().st_size == total else np.uint16
        # Copy on write: torch wants arrays that may be written to, and the file stays as it is. No file of 0 bytes can
        # be mapped.
        self.values: np.ndarray = np.memmap(path, dtype, mode="c").view(np.ndarray) if total else np.zeros(0, dtype)

    def __len__(self) -> int:
        return len(self.shapes)

    def __getitem__(self, index: int) -> np.ndarray:
        """Picture `index`, (h, w, c): a view, read from the disk where it is looked at."""
        shape = self.shapes[index]
        end = self.ends[index]
        return self.values[end - shape.prod() : end].reshape(shape)

    def __reduce__(self) -> tuple[Any, ...]:
        return RaggedPixels, (self.directory,)
