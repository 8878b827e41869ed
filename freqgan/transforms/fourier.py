"""Real band images by rings of the Fourier spectrum, at one resolution or at each of a pyramid."""

from collections.abc import Sequence
from functools import reduce
from itertools import pairwise
from typing import final

import numpy as np
import torch
from torch import Tensor

from freqgan.errors import UserError
from freqgan.ops.fourier import double, halve, halving_cutoff, low_passes, radial_masks
from freqgan.transforms.cutoffs import frequency_cutoffs, octave_cutoffs
from freqgan.transforms.pyramid import Pyramid, Shape, Size, halved


@final
class Fourier(Pyramid):
    """`F1 … FP`: images of the full size that sum to the image, one per ring of spatial frequencies.

    F1 is the image below the first cut-off, FP what lies above the last. The rings' edges are raised cosines,
    which ring less than sharp ones. Borders are periodic. The bands hold P times the image's numbers: any
    bands have an inverse, their sum, but only an image's own bands come back from `forward(inverse(bands))`.

    With levels K ≥ 1 a Laplacian pyramid, `F1_K F2_K … FP_K, …, F2_1 … FP_1`: F1 is a half-size image, ⌈n/2⌉ of a
    side n and itself split at the next level; the others are rings of what it lacks, at the level's full size. Its
    low pass ends at 1/2, the smaller image's highest frequency. Its values keep the image's scale: in [-1, 1], but
    for ripples, up to a third beyond at a chessboard's corners. Two classes are a split by resolution alone.

    Args:
        num_classes: P, at least two.
        levels: K; 0 for one resolution.
        cutoffs: the radii between the classes, rising; 1 is the highest frequency along an axis, corners reach √2.
            P − 1 of them, by default octaves: 1/4 and 1/2 for three classes. With levels P − 2, above the low image's
            1/2: by default √½ for three classes.
        rolloff: the edges' width over the cut-off, from 0 (sharp) to 2; at 1 they reach from half to one and a half
            times the cut-off, and ripples eight pixels from an edge are a tenth of the sharp edges'.

    Raises:
        UserError: for cut-offs that do not rise between 0 or 1/2 and 1, or a size too small for the levels or with no
            frequency in one of the rings.
    """

    def __init__(
        self,
        num_classes: int = 2,
        *,
        levels: int = 0,
        cutoffs: Sequence[float] | None = None,
        rolloff: float = 1.0,
    ) -> None:
        checked = (octave_cutoffs if levels else frequency_cutoffs)(num_classes, cutoffs)
        super().__init__({f"F{number}": number - 1 for number in range(1, num_classes + 1)}, levels, separator="_")
        self.cutoffs = checked
        if not 0 <= rolloff <= 2:
            raise UserError(f"transform.rolloff={rolloff} must lie between 0 and 2: set transform.rolloff=1.0")
        self.rolloff = rolloff

    def extra_repr(self) -> str:
        """The settings, for `print(transform)`."""
        return f"levels={self.levels}, cutoffs={self.cutoffs}, rolloff={self.rolloff}"

    def _of_one_level(self) -> "Fourier":
        return Fourier(len(self.cutoffs) + 2, levels=1, cutoffs=self.cutoffs, rolloff=self.rolloff)

    def _shapes(self, shape: Shape, level: int) -> tuple[Shape, ...]:
        _, height, width = shape
        cutoffs = (halving_cutoff(self.rolloff), *self.cutoffs) if level else self.cutoffs
        masks = radial_masks(height, width, cutoffs, self.rolloff)
        rings = pairwise((*masks, np.ones_like(masks[0])))
        high = self.level_names(level)[1:]
        for name, (inner, outer) in zip(high, rings, strict=True):
            if not (outer > inner).any():
                raise UserError(
                    f"transform.cutoffs={list(self.cutoffs)} leave band {name} of a {height}×{width} image "
                    "without a frequency: set a larger data.image_size or a smaller transform.num_classes"
                )
        return (halved(shape) if level else shape, *(shape for _ in high))

    def _split(self, image: Tensor) -> tuple[Tensor, ...]:
        lows = low_passes(image, self.cutoffs, self.rolloff) if self.cutoffs else ()
        if self.levels:
            low = halve(image, self.rolloff)
            lows = (double(low, (image.shape[-2], image.shape[-1])), *lows)
        else:
            low = lows[0]
        return (low, *(upper - lower for lower, upper in pairwise((*lows, image))))

    def _joined_size(self, low: Size, *high: Tensor) -> Size:
        return high[-1].shape[-2], high[-1].shape[-1]

    def _join(self, low: Tensor, *high: Tensor) -> Tensor:
        if self.levels:
            low = double(low, (high[-1].shape[-2], high[-1].shape[-1]))
        return reduce(torch.add, high, low)
