"""Interpolation alone, the baseline that every network is compared with."""

from collections.abc import Collection
from typing import final

from jaxtyping import Float
from torch import Tensor

from freqgan.networks.super_resolver import SuperResolver
from freqgan.ops.resample import reach, resize


@final
class Bicubic(SuperResolver):
    """One image, at one scale, as MATLAB's `imresize` makes it; nothing to train.

    Args:
        scale: of the image.

    Raises:
        UserError: the scale is less than 1.
    """

    def __init__(self, *, scale: int = 4) -> None:
        super().__init__(scales=(scale,))

    def images(self, low: Float[Tensor, "b c h w"], wanted: Collection[int]) -> dict[int, Tensor]:
        """The one image."""
        return {self.scale: resize(low, self.scale)}

    @property
    def halo(self) -> int:
        """That of the kernel."""
        return reach(self.scale)
