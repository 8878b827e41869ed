"""Bands by the discrete cosine transform, of the whole image or of blocks."""

from collections.abc import Mapping, Sequence
from functools import reduce
from itertools import pairwise
from typing import Literal, final, get_args

import torch
from torch import Tensor

from freqgan.errors import UserError
from freqgan.ops.dct import block_dct, dct, inverse_block_dct, inverse_dct
from freqgan.transforms.base import Band, Transform
from freqgan.transforms.cutoffs import frequency_cutoffs, zigzag_cutoffs

Sampling = Literal["band_images", "critical"]
_KINDS = ("HL", "LH", "HH")


@final
class DCT(Transform):
    """Frequency classes of the whole image's DCT-II as real images.

    Class p holds the coefficients whose larger index, along the height or the width, lies between cut-offs p − 1 and p.
    All levels are 0.

    - `sampling="band_images"`: `F1 … FP`, images of the full size that sum to the image. They hold P times
      the image's numbers: any bands have an inverse, their sum, but only an image's own bands come back from
      `forward(inverse(bands))`.
    - `sampling="critical"`: class 1 is the smaller image `F1`; every higher one is an L of coefficients, cut
      into the rectangles `FpHL` (high along the width), `FpLH` (along the height) and `FpHH`. Each is
      transformed back at its own size, so that the bands hold exactly the image's numbers and energy, at any
      size.

    Args:
        num_classes: P, at least two.
        cutoffs: the P − 1 frequencies between the classes, rising; 1 is the highest along an axis. By default
            octaves: 1/4 and 1/2 for three classes.
        sampling: see above.

    Raises:
        UserError: for cut-offs that do not rise between 0 and 1, or a size with no coefficient in one of the
            classes.
    """

    def __init__(
        self,
        num_classes: int = 2,
        *,
        cutoffs: Sequence[float] | None = None,
        sampling: Sampling = "band_images",
    ) -> None:
        kinds = ("",) if sampling == "band_images" else _KINDS
        high = (f"F{number}{kind}" for number in range(2, num_classes + 1) for kind in kinds)
        super().__init__(("F1", *high))
        self.cutoffs = frequency_cutoffs(num_classes, cutoffs)
        if sampling not in get_args(Sampling):
            raise UserError(
                f"transform.sampling={sampling} is not known: set transform.sampling=band_images or critical"
            )
        self.sampling = sampling

    def extra_repr(self) -> str:
        """The settings, for `print(transform)`."""
        return f"cutoffs={self.cutoffs}, sampling={self.sampling!r}"

    def _edges(self, side: int) -> tuple[int, ...]:
        edges = (0, *(round(cutoff * side) for cutoff in self.cutoffs), side)
        if any(low >= high for low, high in pairwise(edges)):
            raise UserError(
                f"transform.cutoffs={list(self.cutoffs)} leave a class empty at the side {side}: "
                "set a larger data.image_size or a smaller transform.num_classes"
            )
        return edges

    def _rectangles(self, height: int, width: int) -> dict[str, tuple[int, int, int, int]]:
        """Top, bottom, left and right of each critically sampled band's coefficients."""
        rows, columns = self._edges(height), self._edges(width)
        rectangles = {"F1": (0, rows[1], 0, columns[1])}
        for number in range(2, len(rows)):
            (top, bottom), (left, right) = rows[number - 1 : number + 1], columns[number - 1 : number + 1]
            rectangles[f"F{number}HL"] = (0, top, left, right)
            rectangles[f"F{number}LH"] = (top, bottom, 0, left)
            rectangles[f"F{number}HH"] = (top, bottom, left, right)
        return rectangles

    def _layout(self, channels: int, height: int, width: int) -> tuple[Band, ...]:
        rectangles = self._rectangles(height, width)
        if self.sampling == "band_images":
            return tuple(Band(name, 0, number, (channels, height, width)) for number, name in enumerate(self.names))
        return tuple(
            Band(name, 0, (number + 2) // 3, (channels, bottom - top, right - left))
            for number, (name, (top, bottom, left, right)) in enumerate(rectangles.items())
        )

    def _analyse(self, image: Tensor) -> dict[str, Tensor]:
        height, width = image.shape[-2:]
        if self.sampling == "critical":
            coefficients = dct(image)
            return {
                name: inverse_dct(coefficients[..., top:bottom, left:right])
                for name, (top, bottom, left, right) in self._rectangles(height, width).items()
            }
        corners = list(zip(self._edges(height)[1:-1], self._edges(width)[1:-1], strict=True))
        coefficients = dct(image, kept=corners[-1])
        lows = [inverse_dct(coefficients[..., :h, :w], size=(height, width)) for h, w in corners]
        high = (upper - lower for lower, upper in pairwise((*lows, image)))
        return dict(zip(self.names, (lows[0], *high), strict=True))

    def _image_shape(self, bands: Mapping[str, Tensor]) -> tuple[int, int, int]:
        _, channels, height, width = bands["F1"].shape
        if self.sampling == "critical":
            high = range(2, len(self.cutoffs) + 2)
            height += sum(bands[f"F{number}LH"].shape[-2] for number in high)
            width += sum(bands[f"F{number}HL"].shape[-1] for number in high)
        return channels, height, width

    def _synthesise(self, bands: Mapping[str, Tensor]) -> Tensor:
        if self.sampling == "band_images":
            return reduce(torch.add, bands.values())
        coefficients = dct(bands["F1"])
        for number in range(2, len(self.cutoffs) + 2):
            hl, lh, hh = (dct(bands[f"F{number}{kind}"]) for kind in _KINDS)
            upper, lower = torch.cat((coefficients, hl), dim=-1), torch.cat((lh, hh), dim=-1)
            coefficients = torch.cat((upper, lower), dim=-2)
        return inverse_dct(coefficients)


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

    def _counts(self) -> tuple[int, ...]:
        return tuple(end - start for start, end in pairwise((0, *self.cutoffs, self.block_size**2)))

    def _layout(self, channels: int, height: int, width: int) -> tuple[Band, ...]:
        size = self.block_size
        if height % size or width % size:
            got = f"{height}" if height == width else f"[{height},{width}]"
            larger = -(-max(height, width) // size) * size
            raise UserError(
                f"transform.block_size={size} must divide image_size, got {got}: "
                f"set data.image_size={larger} or another transform.block_size"
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
