"""Encoder and decoder from DCGAN's discriminator and generator (Radford et al. 2015, §3), without their dense layers.

The centre is a map of features, so images of any size pass. Nothing skips it: what the decoder knows of an image is
what the centre holds.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from freqgan.blocks import DoublingConv2d
from freqgan.limits import Count
from freqgan.networks.dcgan import Doubling, Halving, initialize
from freqgan.networks.halving import widths
from freqgan.networks.translator import Translator, halvings_to

CENTRE = 4  # pixels of its side, as of the smallest map of DCGAN


@final
class EncoderDecoder(Translator):
    """Image to image through a small map of features.

    Args:
        in_channels: of the image.
        out_channels: of the result.
        image_size: side of the training images, or height and width; the halvings follow from it unless they are given.
        halvings: of the size up to the centre, at least 1; None for a centre of 4 pixels a side, or a little more.
        channels: width at half the image's size; it doubles at every halving.
        max_channels: cap of the width.
        norm: after every convolution but the first and the last.

    Raises:
        UserError: the training images cannot be halved so often.
    """

    def __init__(
        self,
        *,
        in_channels: Count = 3,
        out_channels: Count = 3,
        image_size: int | Sequence[int] = 64,
        halvings: Count | None = None,
        channels: Count = 64,
        max_channels: Count = 512,
        norm: Literal["batch", "instance", "group", "none"] = "batch",
    ) -> None:
        halvings = halvings_to(CENTRE, image_size, wanted=halvings)
        super().__init__(stride=2**halvings, least=2 * 2**halvings, whole=norm in ("instance", "group"))
        width = widths(halvings, channels=channels, max_channels=max_channels)
        self.encoder = nn.Sequential(
            Halving(in_channels, width[0], norm="none"), *(Halving(i, o, norm=norm) for i, o in pairwise(width))
        )
        self.decoder = nn.Sequential(*(Doubling(i, o, norm=norm) for i, o in pairwise(width[::-1])))
        self.to_image = DoublingConv2d(width[0], out_channels)
        initialize(self.to_image)

    def translated(self, image: Float[Tensor, "b i h w"]) -> Float[Tensor, "b o h w"]:
        """The decoded centre."""
        return torch.tanh(self.to_image(self.decoder(self.encoder(image))))
