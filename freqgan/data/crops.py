"""Parts of images, continued where they end, mirrored, turned, enlarged and seen in another light."""

import os
import zlib
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from freqgan.data.degradations.base import to_depth_of
from freqgan.ops.keyed_random import numpy_generator
from freqgan.ops.resample import mirrored


def part(image: Tensor, top: int, left: int, height: int, width: int, factor: int = 1) -> Tensor:
    """A part of an image, up to its borders, in units of `factor` pixels."""
    rows = slice(top * factor, (top + height) * factor)
    return image[..., rows, left * factor : (left + width) * factor]


def sized(image: Tensor, edges: Sequence[int], least: tuple[int, int]) -> Tensor:
    """An image cut at two edges (0 is its own), and mirrored there where it is then smaller than `least`."""
    height, width = (edge or n for edge, n in zip(edges, image.shape[-2:], strict=True))
    image = image[..., :height, :width]
    if height >= least[0] and width >= least[1]:
        return image
    pairs = ((height, least[0]), (width, least[1]))
    rows, columns = (torch.from_numpy(mirrored(np.arange(max(n, side)), n)) for n, side in pairs)
    return image[..., rows[:, None], columns]


def turned(image: Tensor, flip: bool, quarters: int) -> Tensor:
    """An image mirrored left to right, or not, and then turned by so many quarters, in memory of its own."""
    # NumPy turns by views, so that all is one copy; torch copies at each turn, at half the speed.
    pixels = image.numpy()
    turned = np.rot90(pixels[..., ::-1] if flip else pixels, quarters, (-2, -1))
    return torch.from_numpy(np.array(turned, order="C"))


def drawn_by_name(name: str) -> np.random.Generator:
    """The draws of an image that every evaluation of every run sees alike."""
    return numpy_generator(0, "degradation", zlib.crc32(os.fsencode(name)))


def enlarged(raster: Tensor, size: tuple[int, int]) -> Tensor:
    """An image (c, h, w) enlarged bilinearly, or a map (h, w) by the pixels nearest to middles, to height and width.

    >>> enlarged(torch.tensor([[1, 2]]), (1, 4)).tolist()
    [[1, 1, 2, 2]]
    """
    if raster.shape[-2:] == size:
        return raster
    if raster.ndim == 2:
        rows, columns = ((2 * torch.arange(n) + 1) * old // (2 * n) for n, old in zip(size, raster.shape, strict=True))
        return raster[rows[:, None], columns]
    larger = F.interpolate(raster[None].float(), size, mode="bilinear")[0]
    return larger.round_().byte() if raster.dtype == torch.uint8 else larger


def recolored(image: Tensor, gains: Sequence[float]) -> Tensor:
    """An image (c, h, w), bytes or in [0, 1], with brightness, contrast and saturation multiplied, and clamped."""
    brightness, contrast, saturation = gains
    x = image.float() / (255 if image.dtype == torch.uint8 else 1) * brightness
    x = x.mean() + (x - x.mean()) * contrast
    grey = x.mean(0, keepdim=True)
    return to_depth_of(image, (grey + (x - grey) * saturation).clamp(0, 1))
