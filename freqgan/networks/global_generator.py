"""pix2pixHD's global generator G1 (Wang et al. 2018, §3.2): halvings, residual blocks, as many doublings.

Reference: Johnson et al. 2016 for the layers. Departures: maps of any size, for which the image is padded; on wish,
doublings that leave no chequerboard (Odena et al. 2016).
"""

from itertools import pairwise
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from freqgan.blocks import ResidualBlock
from freqgan.blocks.residual import Norm, Upsampler, doubling, halving, normalized, same_size
from freqgan.limits import Count, Natural
from freqgan.networks.dcgan import initialize
from freqgan.networks.halving import widths
from freqgan.networks.translator import Translator


@final
class GlobalGenerator(Translator):
    """Image to image by residual blocks at the smallest of its sizes.

    Args:
        in_channels: of the image, or of what is given in its place.
        out_channels: of the result.
        channels: width at full size; it doubles at every halving.
        max_channels: cap of the width; that of the paper is never reached.
        halvings: of the size up to the blocks, at least 1.
        blocks: residual ones, or 0.
        norm: after every convolution but the last, instance norm without weights.
        upsampler: of the doublings, `transposed` or `interpolation`.

    Attributes:
        width: channels of `features`.
    """

    def __init__(
        self,
        *,
        in_channels: Count = 3,
        out_channels: Count = 3,
        channels: Count = 64,
        max_channels: Count = 1024,
        halvings: Count = 4,
        blocks: Natural = 9,
        norm: Norm = "instance",
        upsampler: Upsampler = "transposed",
    ) -> None:
        super().__init__(stride=2**halvings, least=2 ** (halvings + 1), whole=norm == "instance")
        width = widths(halvings + 1, channels=channels, max_channels=max_channels)
        layers = normalized(same_size(in_channels, width[0], 7), width[0], norm)
        for inputs, outputs in pairwise(width):
            layers += halving(inputs, outputs, norm)
        layers += [ResidualBlock(width[-1], norm=norm) for _ in range(blocks)]
        for inputs, outputs in pairwise(width[::-1]):
            layers += doubling(inputs, outputs, norm, upsampler)
        self.width = width[0]
        self.layers = nn.Sequential(*layers)
        self.to_image = same_size(width[0], out_channels, 7)
        self.apply(initialize)

    def features(self, image: Float[Tensor, "b i h w"]) -> Float[Tensor, "b c h w"]:
        """What the last layer makes an image of, for sides that are multiples of the stride and not too short."""
        features: Tensor = self.layers(image)
        return features

    def translated(self, image: Float[Tensor, "b i h w"]) -> Float[Tensor, "b o h w"]:
        """Through all layers."""
        return torch.tanh(self.to_image(self.features(image)))
