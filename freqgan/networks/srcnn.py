"""SRCNN (Dong et al. 2015, eq. 1–3): three convolutions of the interpolated image.

Departures: the image keeps its size (zero padding where the paper loses a border), and weights begin as PyTorch's.
"""

import math
from collections.abc import Collection, Sequence
from typing import Literal, final

from jaxtyping import Float
from torch import Tensor, nn

from freqgan.errors import UserError
from freqgan.limits import Count
from freqgan.networks.super_resolver import SuperResolver
from freqgan.ops.color import rgb_to_ycbcr
from freqgan.ops.resample import resize


@final
class SRCNN(SuperResolver):
    """One image, at one scale.

    Args:
        scale: of the image.
        in_channels: of the image.
        sees: `luminance` is the paper's network of one channel, whose change of Y is added to red, green and blue
            alike, so that Cb and Cr stay the interpolated ones; `channels` are all at once (§4.5).
        widths: of the two hidden layers.
        kernels: sides of the three kernels, odd; 9-5-5 is the paper's best network.

    Raises:
        UserError: there are not two widths and three odd kernels.
    """

    def __init__(
        self,
        *,
        scale: Count = 4,
        in_channels: Count = 3,
        sees: Literal["luminance", "channels"] = "luminance",
        widths: Sequence[Count] = (64, 32),
        kernels: Sequence[Count] = (9, 1, 5),
    ) -> None:
        super().__init__(scales=(scale,))
        if len(widths) != 2 or len(kernels) != 3 or any(side % 2 == 0 for side in kernels):
            raise UserError(
                f"model.generator.widths={list(widths)} and model.generator.kernels={list(kernels)} must be two widths "
                "and three odd sides: as in [64, 32] and [9, 1, 5]"
            )
        self.of_luminance = sees == "luminance" and in_channels == 3
        ends = 1 if self.of_luminance else in_channels
        sides = [ends, *widths, ends]
        first, second, third = (nn.Conv2d(sides[i], sides[i + 1], k, 1, k // 2) for i, k in enumerate(kernels))
        self.layers = nn.Sequential(first, nn.ReLU(inplace=True), second, nn.ReLU(inplace=True), third)
        self.radius = sum(k // 2 for k in kernels)

    def images(self, low: Float[Tensor, "b c h w"], wanted: Collection[int]) -> dict[int, Tensor]:
        """The one image."""
        image = resize(low, self.scale)
        if not self.of_luminance:
            return {self.scale: self.layers(image)}
        luminance = rgb_to_ycbcr(image)[:, :1]
        return {self.scale: image + (self.layers(luminance) - luminance)}

    @property
    def halo(self) -> int:
        """The kernels' radius in large pixels, and the cubic kernel's of 2 small ones from a large one's centre."""
        return math.ceil((self.radius - 0.5) / self.scale + 0.5) + 1
