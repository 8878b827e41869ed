"""EDSR (Lim et al. 2017, fig. 3 and table 1): residual blocks without norms, and upsampling at the end.

The defaults are the baseline model. Departure: images in [-1, 1] stand in for the subtracted mean and the range of 255.
"""

from collections.abc import Collection
from typing import final

from jaxtyping import Float
from torch import Tensor, nn

from freqgan.limits import Count
from freqgan.networks.super_resolver import SuperResolver
from freqgan.networks.upsampling import Upsampling


class _Block(nn.Module):
    def __init__(self, channels: int, residual_scale: float) -> None:
        super().__init__()
        self.body = nn.Sequential(_same(channels, channels), nn.ReLU(inplace=True), _same(channels, channels))
        self.residual_scale = residual_scale

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        y: Tensor = x + self.residual_scale * self.body(x)
        return y


@final
class EDSR(SuperResolver):
    """One image, at one scale.

    Args:
        scale: of the image.
        in_channels: of the image.
        channels: width; the large model has 256.
        blocks: residual blocks; the large model has 32.
        residual_scale: what a block's output is multiplied by before it is added; 0.1 in the large model.
    """

    def __init__(
        self,
        *,
        scale: Count = 4,
        in_channels: Count = 3,
        channels: Count = 64,
        blocks: Count = 16,
        residual_scale: float = 1.0,
    ) -> None:
        super().__init__(scales=(scale,))
        self.head = _same(in_channels, channels)
        self.body = nn.Sequential(*(_Block(channels, residual_scale) for _ in range(blocks)), _same(channels, channels))
        self.upsampling = Upsampling(channels, channels, scale, upsampler="pixel_shuffle")
        self.to_image = _same(channels, in_channels)
        self.blocks = blocks

    def images(self, low: Float[Tensor, "b c h w"], wanted: Collection[int]) -> dict[int, Tensor]:
        """The one image."""
        features = self.head(low)
        features = features + self.body(features)
        return {self.scale: self.to_image(self.upsampling(features))}

    @property
    def halo(self) -> int:
        """A pixel for every convolution before the upsampling, and what that needs for the last one."""
        return 1 + 2 * self.blocks + 1 + self.upsampling.reach(1)


def _same(inputs: int, outputs: int) -> nn.Conv2d:
    """A 3×3 convolution that keeps the size."""
    return nn.Conv2d(inputs, outputs, 3, 1, 1)
