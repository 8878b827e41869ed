"""Real band images by rings of the Fourier spectrum."""

from collections.abc import Mapping, Sequence
from functools import reduce
from itertools import pairwise
from typing import final

import numpy as np
import torch
from torch import Tensor

from freqgan.errors import UserError
from freqgan.ops.fourier import low_passes, radial_masks
from freqgan.transforms.base import Band, Transform
from freqgan.transforms.cutoffs import frequency_cutoffs


@final
class Fourier(Transform):
    """`F1 … FP`: images of the full size that sum to the image, one per ring of spatial frequencies.

    F1 is the image below the first cut-off, FP what lies above the last. The rings' edges are raised cosines,
    which ring less than sharp ones. Borders are periodic. The bands hold P times the image's numbers: any
    bands have an inverse, their sum, but only an image's own bands come back from `forward(inverse(bands))`.
    All levels are 0.

    Args:
        num_classes: P, at least two.
        cutoffs: the P − 1 radii between the classes, rising; 1 is the highest frequency along an axis,
            corners reach √2. By default octaves: 1/4 and 1/2 for three classes.
        rolloff: the edges' width over the cut-off, from 0 (sharp) to 2; at 1 they reach from half to one and a half
            times the cut-off, and ripples eight pixels from an edge are a tenth of the sharp edges'.

    Raises:
        UserError: for cut-offs that do not rise between 0 and 1, or a size with no frequency in one of the
            rings.
    """

    def __init__(self, num_classes: int = 2, *, cutoffs: Sequence[float] | None = None, rolloff: float = 1.0) -> None:
        super().__init__(tuple(f"F{number}" for number in range(1, num_classes + 1)))
        self.cutoffs = frequency_cutoffs(num_classes, cutoffs)
        if not 0 <= rolloff <= 2:
            raise UserError(f"transform.rolloff={rolloff} must lie between 0 and 2: set transform.rolloff=1.0")
        self.rolloff = rolloff

    def extra_repr(self) -> str:
        """The settings, for `print(transform)`."""
        return f"cutoffs={self.cutoffs}, rolloff={self.rolloff}"

    def _layout(self, channels: int, height: int, width: int) -> tuple[Band, ...]:
        masks = radial_masks(height, width, self.cutoffs, self.rolloff)
        for ring, (inner, outer) in enumerate(pairwise((*masks, np.ones_like(masks[0]))), start=2):
            if not (outer > inner).any():
                raise UserError(
                    f"transform.cutoffs={list(self.cutoffs)} leave band F{ring} of a {height}×{width} image "
                    "without a frequency: set a larger data.image_size or a smaller transform.num_classes"
                )
        shape = (channels, height, width)
        return tuple(Band(name, 0, number, shape) for number, name in enumerate(self.names))

    def _analyse(self, image: Tensor) -> dict[str, Tensor]:
        lows = low_passes(image, self.cutoffs, self.rolloff)
        rings = (upper - lower for lower, upper in pairwise((*lows, image)))
        return dict(zip(self.names, (lows[0], *rings), strict=True))

    def _image_shape(self, bands: Mapping[str, Tensor]) -> tuple[int, int, int]:
        _, channels, height, width = bands["F1"].shape
        return channels, height, width

    def _synthesise(self, bands: Mapping[str, Tensor]) -> Tensor:
        return reduce(torch.add, bands.values())
