"""From a decoded picture to an array, square or whole, to a file of arrays, to a tensor."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor


def square_pixels(image: Image.Image, *, image_size: int, channels: int, depth: int = 8) -> np.ndarray:
    """A picture resized (bicubic, antialiased) to its shorter side and cropped in the centre, channels first.

    Args:
        image: mode L, RGB or I;16.
        image_size: side of the result.
        channels: 1 or 3; colour becomes grey by its luma, grey is repeated.
        depth: 8 gives uint8; 16 gives uint16, in which 8-bit values v are exactly 257·v.
    """
    side = min(image.size)
    left, top = (image.width - side) / 2, (image.height - side) / 2
    square = (left, top, left + side, top + side)
    if image.mode.startswith("I;16"):
        image = Image.fromarray(np.asarray(image).astype(np.float32))
    elif channels == 1:
        image = image.convert("L")
    resized = image.resize((image_size, image_size), Image.Resampling.BICUBIC, box=square)
    pixels = _at_depth(np.asarray(resized), depth)
    if pixels.ndim == 2:
        return np.repeat(pixels[None], channels, axis=0)
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))


def whole_pixels(image: Image.Image, *, channels: int, depth: int = 8) -> np.ndarray:
    """All of a picture, channels last: (h, w, c).

    Args:
        image: mode L, RGB or I;16.
        channels: 1 or 3; colour becomes grey by its luma, grey is repeated.
        depth: 8 gives uint8; 16 gives uint16, in which 8-bit values v are exactly 257·v.
    """
    if channels == 1 and image.mode == "RGB":
        image = image.convert("L")
    pixels = _at_depth(np.array(image), depth)
    return pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], channels, axis=2)


def _at_depth(pixels: np.ndarray, depth: int) -> np.ndarray:
    if pixels.dtype == np.float32:
        return pixels.clip(0, 65535).round().astype(np.uint16)
    if depth == 16 and pixels.dtype == np.uint8:
        return pixels.astype(np.uint16) * 257
    return pixels


def square_labels(labels: Image.Image, *, image_size: int) -> np.ndarray:
    """A label map cut and resized as `square_pixels` does, each label that of the nearest pixel: uint8 (h, w)."""
    side = min(labels.size)
    left, top = (labels.width - side) / 2, (labels.height - side) / 2
    square = (left, top, left + side, top + side)
    return np.array(labels.resize((image_size, image_size), Image.Resampling.NEAREST, box=square))


def write_pixels(path: Path, shape: tuple[int, ...], dtype: np.dtype, images: Iterable[np.ndarray]) -> None:
    """Write images one after the other as one .npy array.

    Rows are appended, not assigned to a map: a full disk is then an error and not a bus error.

    Args:
        path: the file to make.
        shape: (n, c, h, w) of the whole array.
        dtype: of the array; images are cast to it.
        images: n arrays of shape (c, h, w).
    """
    header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    with open(path, "wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for image in images:
            file.write(np.ascontiguousarray(image, dtype=dtype).tobytes())


class Pixels:
    """An .npy file of images behind a memory map; to a worker process it travels as its path.

    Args:
        path: file written by `write_pixels`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        # A plain view: indexing np.memmap itself costs five times as much.
        self.array: np.ndarray = np.load(path, mmap_mode="r").view(np.ndarray)

    def __len__(self) -> int:
        return len(self.array)

    def __getitem__(self, index: int) -> np.ndarray:
        """A writable copy of image `index`, (c, h, w)."""
        return np.array(self.array[index])

    def __reduce__(self) -> tuple[Any, ...]:
        return Pixels, (self.path,)


def as_tensor(pixels: np.ndarray) -> Tensor:
    """Pixels as samples hold them: uint8 stays, uint16 becomes float32 in [0, 1]."""
    if pixels.dtype == np.uint8:
        return torch.from_numpy(pixels)
    return torch.from_numpy(pixels.astype(np.float32) / 65535)
