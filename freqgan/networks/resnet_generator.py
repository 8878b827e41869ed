"""CycleGAN's generator (Zhu et al. 2017, §4 and §7.2): two halvings, residual blocks, two doublings.

Reference: Johnson et al. 2016 for the layers. Departure: maps of any size, for which the image is padded.
"""

from collections.abc import Sequence
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from freqgan.blocks import ResidualBlock
from freqgan.blocks.residual import Norm, doubling, halving, normalized, same_size
from freqgan.limits import Count, Natural
from freqgan.networks.dcgan import initialize
from freqgan.networks.translator import Translator, shorter_side


@final
class ResNetGenerator(Translator):
    """Image to image by residual blocks at a quarter of the size.

    Args:
        in_channels: of the image.
        out_channels: of the result.
        image_size: side of the training images, or height and width; the blocks follow from it unless they are given.
        channels: width at full size; it doubles at both halvings.
        blocks: residual ones, or 0; None for the paper's 6 for images of up to 128 pixels, and 9 for larger ones.
        norm: after every convolution but the last, instance norm without weights.
    """

    def __init__(
        self,
        *,
        in_channels: Count = 3,
        out_channels: Count = 3,
        image_size: int | Sequence[int] = 256,
        channels: Count = 64,
        blocks: Natural | None = None,
        norm: Norm = "instance",
    ) -> None:
        super().__init__(stride=4, least=8, whole=norm == "instance")
        layers = normalized(same_size(in_channels, channels, 7), channels, norm)
        for width in (channels, 2 * channels):
            layers += halving(width, 2 * width, norm)
        if blocks is None:
            blocks = 6 if shorter_side(image_size) <= 128 else 9
        layers += [ResidualBlock(4 * channels, norm=norm) for _ in range(blocks)]
        for width in (2 * channels, channels):
            layers += doubling(2 * width, width, norm)
        self.layers = nn.Sequential(*layers)
        self.to_image = same_size(channels, out_channels, 7)
        self.apply(initialize)

    def translated(self, image: Float[Tensor, "b i h w"]) -> Float[Tensor, "b o h w"]:
        """Through all layers."""
        return torch.tanh(self.to_image(self.layers(image)))
