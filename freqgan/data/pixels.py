"""From a decoded picture to an array, square or whole, to a file of arrays, to a tensor."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from freqgan.ops.palette import label_colors

Fit = Literal["resize", "crop", "pad"]
"""How a picture of another shape gets its size: squeezed; enlarged until it covers and cut at the centre; or reduced
until it lies within and mirrored at its borders."""


def square_pixels(image: Image.Image, *, image_size: int, channels: int, depth: int = 8) -> np.ndarray:
    """A picture resized (bicubic, antialiased) to its shorter side and cropped in the centre, channels first.

    Args:
        image: mode L, RGB or I;16.
        image_size: side of the result.
        channels: 1 or 3; colour becomes grey by its luma, grey is repeated.
        depth: 8 gives uint8; 16 gives uint16, in which 8-bit values v are exactly 257·v.
    """
    return fitted_pixels(image, size=(image_size, image_size), fit="crop", channels=channels, depth=depth)


def fitted_pixels(
    image: Image.Image, *, size: tuple[int, int], fit: Fit, channels: int, depth: int = 8, labels: bool = False
) -> np.ndarray:
    """A picture at a given size (bicubic, antialiased), channels first: (c, h, w).

    Args:
        image: mode L, RGB or I;16.
        size: height and width of the result.
        fit: what becomes of another shape.
        channels: 1 or 3; colour becomes grey by its luma, grey is repeated.
        depth: 8 gives uint8; 16 gives uint16, in which 8-bit values v are exactly 257·v.
        labels: it is a label map: grey levels get the colours of their labels, and no pixel is blended with others.
    """
    box, inner = _placed(image.size, (size[1], size[0]), fit)
    image = painted(image) if labels else image
    if image.mode.startswith("I;16"):
        image = Image.fromarray(np.asarray(image).astype(np.float32))
    elif channels == 1:
        image = image.convert("L")
    resized = image.resize(inner, Image.Resampling.NEAREST if labels else Image.Resampling.BICUBIC, box=box)
    pixels = _at_depth(np.asarray(resized), depth)
    if inner != (size[1], size[0]):
        room = [outer - side for outer, side in zip(size, pixels.shape, strict=False)]
        sides = [(free // 2, free - free // 2) for free in room] + [(0, 0)] * (pixels.ndim - 2)
        pixels = np.pad(pixels, sides, mode="symmetric")
    if pixels.ndim == 2:
        return np.repeat(pixels[None], channels, axis=0)
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))


def _placed(
    have: tuple[int, int], want: tuple[int, int], fit: Fit
) -> tuple[tuple[float, float, float, float], tuple[int, int]]:
    """The part of a picture that is looked at, and the size that it gets; sizes are width and height."""
    if fit == "crop":
        scale = min(have[0] / want[0], have[1] / want[1])
        width, height = (min(float(n), scale * side) for n, side in zip(have, want, strict=True))  # never rounded up
        left, top = (have[0] - width) / 2, (have[1] - height) / 2
        return (left, top, left + width, top + height), want
    inner = want
    if fit == "pad":
        scale = min(want[0] / have[0], want[1] / have[1])
        inner = max(1, round(scale * have[0])), max(1, round(scale * have[1]))
    return (0, 0, *have), inner


def painted(labels: Image.Image) -> Image.Image:
    """A label map in the colours of its labels; one that has colours already stays as it is."""
    if labels.mode != "L":
        return labels
    return Image.fromarray(label_colors(256).numpy()[np.asarray(labels)])


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
