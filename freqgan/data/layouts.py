"""How decoded pictures are kept: all of one size in one array, or each at its own size one after the other."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from PIL import Image

from freqgan.data.base import height_and_width
from freqgan.data.decode import Header
from freqgan.data.pixels import Fit, Pixels, fitted_pixels, painted, whole_pixels, write_pixels
from freqgan.errors import UserError

AnyFit = Literal["resize", "crop", "pad", "whole"]
"""As `Fit`, or "whole": pictures stay as they are, and training cuts its crops out of them."""


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
class Fitted(Layout):
    """All of one size: (c, h, w).

    Args:
        extent: height and width.
        channels: 1 or 3.
        fit: what becomes of other shapes.
        labels: they are label maps: none is blended with others, and grey levels of 8 bits get their colours.
    """

    extent: tuple[int, int]
    channels: int
    fit: Fit = "crop"
    labels: bool = False

    def pixels(self, image: Image.Image, *, depth: int) -> np.ndarray:
        """At the size of all."""
        return fitted_pixels(
            image, size=self.extent, fit=self.fit, channels=self.channels, depth=depth, labels=self.labels
        )

    def missing(self) -> np.ndarray:
        """Black."""
        return np.zeros((self.channels, *self.extent), np.uint8)

    def size(self, header: Header | None) -> int:
        """The same for all."""
        return self.channels * self.extent[0] * self.extent[1]

    def write(self, directory: Path, count: int, dtype: np.dtype, images: Iterable[np.ndarray]) -> None:
        """One array in `pixels.npy`."""
        write_pixels(directory / "pixels.npy", (count, self.channels, *self.extent), dtype, images)

    def open(self, directory: Path) -> Pixels | None:
        """The array behind a memory map."""
        path = directory / "pixels.npy"
        return Pixels(path) if path.exists() else None


@dataclass(frozen=True)
class Wholes(Layout):
    """Pictures as they are: (h, w, c).

    Args:
        channels: 1 or 3.
        labels: they are label maps: none is blended with others, and grey levels of 8 bits get their colours.
    """

    channels: int
    labels: bool = False

    def pixels(self, image: Image.Image, *, depth: int) -> np.ndarray:
        """All of the picture."""
        image = painted(image) if self.labels else image
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


def load_size_of(
    fit: AnyFit, load_size: int | tuple[int, int] | None, size: tuple[int, int]
) -> tuple[tuple[int, int], bool]:
    """Height and width that pictures are fitted to, and whether training cuts its crops out of something larger.

    Args:
        fit: what becomes of pictures of another size.
        load_size: what they are fitted to, a side or both; None is the size of the crops.
        size: height and width of the crops.

    Raises:
        UserError: no such fit, a load size that has no use, or one that is too small.
    """
    if fit not in get_args(AnyFit):
        raise UserError(f"data.source.fit={fit} must be one of {', '.join(get_args(AnyFit))}")
    if fit == "whole" and load_size is not None:
        raise UserError(f"data.source.load_size={load_size} is for images that are fitted: set it to null")
    load = size if load_size is None else height_and_width(load_size)
    if min(a - b for a, b in zip(load, size, strict=True)) < 0:
        raise UserError(f"data.source.load_size={load_size} is less than data.image_size={list(size)}")
    return load, fit == "whole" or load != size


def layout_of(fit: AnyFit, size: tuple[int, int], channels: int, *, labels: bool = False) -> Layout:
    """How pictures of a fit are kept."""
    return Wholes(channels, labels) if fit == "whole" else Fitted(size, channels, fit, labels)
