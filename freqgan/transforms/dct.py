"""Bands by the discrete cosine transform, of the whole image or of blocks."""

import math
from collections.abc import Mapping, Sequence
from functools import reduce
from itertools import pairwise
from typing import Literal, final, get_args

import torch
from torch import Tensor

from freqgan.errors import UserError
from freqgan.ops.dct import block_dct, dct, inverse_block_dct, inverse_dct
from freqgan.transforms.base import Band, Transform, multiple_above, no_resolutions, show_size
from freqgan.transforms.cutoffs import frequency_cutoffs, octave_cutoffs, zigzag_cutoffs
from freqgan.transforms.pyramid import Pyramid, Shape, Size, halved

Sampling = Literal["band_images", "critical"]
_KINDS = ("HL", "LH", "HH")


@final
class DCT(Pyramid):
    """Frequency classes of the whole image's DCT-II as real images.

    Class p holds the coefficients whose larger index, along the height or the width, lies between cut-offs p − 1 and p.

    - `sampling="band_images"`: `F1 … FP`, images of the full size that sum to the image. They hold P times
      the image's numbers: any bands have an inverse, their sum, but only an image's own bands come back from
      `forward(inverse(bands))`.
    - `sampling="critical"`: class 1 is the smaller image `F1`; every higher one is an L of coefficients, cut
      into the rectangles `FpHL` (high along the width), `FpLH` (along the height) and `FpHH`. Each is
      transformed back at its own size, so that the bands hold exactly the image's numbers and energy, at any
      size.

    With levels K ≥ 1 a pyramid of band images, `F1_K F2_K … FP_K, …, F2_1 … FP_1`: F1 is a half-size image, that of
    the ⌈n/2⌉ lowest coefficients of a side n, itself split at the next level; the others are classes of what it lacks,
    at the level's full size. Its values keep the image's scale: in [-1, 1], but for ripples at edges.

    Args:
        num_classes: P, at least two.
        levels: K; 0 for one resolution.
        cutoffs: the frequencies between the classes, rising; 1 is the highest along an axis. P − 1 of them, by default
            octaves: 1/4 and 1/2 for three classes. With levels P − 2, above the low image's 1/2: by default √½ for
            three classes.
        sampling: see above.

    Raises:
        UserError: for cut-offs that do not rise between 0 or 1/2 and 1, levels of critical samples, or a size too
            small for the levels or with no coefficient in one of the classes.
    """

    def __init__(
        self,
        num_classes: int = 2,
        *,
        levels: int = 0,
        cutoffs: Sequence[float] | None = None,
        sampling: Sampling = "band_images",
    ) -> None:
        kinds = ("",) if sampling == "band_images" else _KINDS
        high = {f"F{number}{kind}": number - 1 for number in range(2, num_classes + 1) for kind in kinds}
        super().__init__({"F1": 0, **high}, levels, separator="_")
        self.cutoffs = (octave_cutoffs if levels else frequency_cutoffs)(num_classes, cutoffs)
        if sampling not in get_args(Sampling):
            raise UserError(
                f"transform.sampling={sampling} is not known: set transform.sampling=band_images or critical"
            )
        if levels and sampling == "critical":
            raise UserError(
                f"transform.levels={levels} needs band images: set transform.sampling=band_images or transform.levels=0"
            )
        self.sampling = sampling

    def extra_repr(self) -> str:
        """The settings, for `print(transform)`."""
        return f"levels={self.levels}, cutoffs={self.cutoffs}, sampling={self.sampling!r}"

    def _of_one_level(self) -> "DCT":
        return DCT(len(self.cutoffs) + 2, levels=1, cutoffs=self.cutoffs)

    def _edges(self, side: int) -> tuple[int, ...]:
        half = (side - side // 2,) if self.levels else ()
        edges = (0, *half, *(round(cutoff * side) for cutoff in self.cutoffs), side)
        if any(low >= high for low, high in pairwise(edges)):
            raise UserError(
                f"transform.cutoffs={list(self.cutoffs)} leave a class empty at the side {side}: "
                "set a larger data.image_size or a smaller transform.num_classes"
            )
        return edges

    def _rectangles(self, height: int, width: int) -> list[tuple[int, int, int, int]]:
        """Top, bottom, left and right of each critically sampled band's coefficients."""
        (low_rows, *rows), (low_columns, *columns) = (pairwise(self._edges(side)) for side in (height, width))
        rectangles = [(*low_rows, *low_columns)]
        for (top, bottom), (left, right) in zip(rows, columns, strict=True):
            rectangles += [(0, top, left, right), (top, bottom, 0, left), (top, bottom, left, right)]
        return rectangles

    def _shapes(self, shape: Shape, level: int) -> tuple[Shape, ...]:
        channels, height, width = shape
        if self.sampling == "critical":
            rectangles = self._rectangles(height, width)
            return tuple((channels, bottom - top, right - left) for top, bottom, left, right in rectangles)
        corners = self._corners(height, width)
        return (halved(shape) if level else shape, *(shape for _ in corners))

    def _split(self, image: Tensor) -> tuple[Tensor, ...]:
        height, width = image.shape[-2:]
        if self.sampling == "critical":
            coefficients = dct(image)
            return tuple(
                inverse_dct(coefficients[..., top:bottom, left:right])
                for top, bottom, left, right in self._rectangles(height, width)
            )
        corners = self._corners(height, width)
        coefficients = dct(image, kept=corners[-1])
        lows = [inverse_dct(coefficients[..., :h, :w], size=(height, width)) for h, w in corners]
        low = lows[0]
        if self.levels:
            h, w = corners[0]
            low = inverse_dct(coefficients[..., :h, :w]) * math.sqrt(h * w / (height * width))
        return (low, *(upper - lower for lower, upper in pairwise((*lows, image))))

    def _corners(self, height: int, width: int) -> list[Size]:
        """Height and width of the coefficients below each cut-off."""
        return list(zip(self._edges(height)[1:-1], self._edges(width)[1:-1], strict=True))

    def _joined_size(self, low: Size, *high: Tensor) -> Size:
        if self.sampling == "band_images":
            return high[-1].shape[-2], high[-1].shape[-1]
        return low[0] + sum(lh.shape[-2] for lh in high[1::3]), low[1] + sum(hl.shape[-1] for hl in high[::3])

    def _join(self, low: Tensor, *high: Tensor) -> Tensor:
        if self.sampling == "critical":
            coefficients = dct(low)
            for bands in zip(high[::3], high[1::3], high[2::3], strict=True):
                hl, lh, hh = map(dct, bands)
                upper, lower = torch.cat((coefficients, hl), dim=-1), torch.cat((lh, hh), dim=-1)
                coefficients = torch.cat((upper, lower), dim=-2)
            return inverse_dct(coefficients)
        if self.levels:
            (h, w), (height, width) = low.shape[-2:], high[-1].shape[-2:]
            low = inverse_dct(dct(low), size=(height, width)) * math.sqrt(height * width / (h * w))
        return reduce(torch.add, high, low)


@final
class BlockDCT(Transform):
    """Coefficient bands `F1 … FP` of the DCT of square blocks, JPEG's transform.

    Each band holds a run of coefficients in zig-zag order as channels: (n · c, height / block_size, width /
    block_size), channel k · c + i the band's k-th coefficient of image channel i. Orthonormal and critically
    sampled. All levels are 0.

    Args:
        block_size: the blocks' side; it must divide the image's sides.
        num_classes: P, at least two.
        cutoffs: the P − 1 positions in zig-zag order at which bands 2 … P begin, rising. By default the bands grow
            geometrically: [8] of 64 coefficients for two classes, [4, 16] for three.

    Raises:
        UserError: for impossible cut-offs, or a size that the blocks do not tile.
    """

    def __init__(self, block_size: int = 8, num_classes: int = 2, *, cutoffs: Sequence[int] | None = None) -> None:
        super().__init__(tuple(f"F{number}" for number in range(1, num_classes + 1)))
        if block_size < 2:
            raise UserError(f"transform.block_size={block_size} splits nothing: set transform.block_size=8")
        self.block_size = block_size
        self.cutoffs = zigzag_cutoffs(num_classes, cutoffs, block_size**2)

    def extra_repr(self) -> str:
        """The settings, for `print(transform)`."""
        return f"block_size={self.block_size}, cutoffs={self.cutoffs}"

    def one_level(self) -> Transform:
        """Impossible: blocks of one size are one resolution."""
        raise no_resolutions(self)

    def _counts(self) -> tuple[int, ...]:
        return tuple(end - start for start, end in pairwise((0, *self.cutoffs, self.block_size**2)))

    def _layout(self, channels: int, height: int, width: int) -> tuple[Band, ...]:
        size = self.block_size
        if height % size or width % size:
            raise UserError(
                f"transform.block_size={size} must divide image_size, got {show_size(height, width)}: "
                f"set data.image_size={multiple_above(size, height, width)} or another transform.block_size"
            )
        return tuple(
            Band(name, 0, number, (count * channels, height // size, width // size))
            for number, (name, count) in enumerate(zip(self.names, self._counts(), strict=True))
        )

    def _analyse(self, image: Tensor) -> dict[str, Tensor]:
        coefficients = block_dct(image, self.block_size).transpose(1, 2)  # (b, n, c, h/size, w/size)
        bands = coefficients.split(self._counts(), dim=1)
        return {name: band.flatten(1, 2) for name, band in zip(self.names, bands, strict=True)}

    def _image_shape(self, bands: Mapping[str, Tensor]) -> tuple[int, int, int]:
        _, _, rows, columns = bands["F1"].shape
        channels = bands["F1"].shape[1] // self._counts()[0]
        return channels, rows * self.block_size, columns * self.block_size

    def _synthesise(self, bands: Mapping[str, Tensor]) -> Tensor:
        counts = self._counts()
        coefficients = [band.unflatten(1, (count, -1)) for count, band in zip(counts, bands.values(), strict=True)]
        return inverse_block_dct(torch.cat(coefficients, dim=1).transpose(1, 2))
