"""The discriminator of patches (Isola et al. 2017, §3.2.2 and §6.1.2): a logit for every patch of an image.

As in the authors' first code, convolutions keep their bias beside a norm.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Literal, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from freqgan.blocks import BatchNorm2d, HalvingConv2d, InstanceNorm2d, spectral_norm
from freqgan.errors import UserError
from freqgan.limits import Count
from freqgan.networks.dcgan import initialize

ReceptiveField = Literal[1, 16, 34, 70, 142, 286]
HALVINGS: dict[ReceptiveField, int] = {1: 0, 16: 1, 34: 2, 70: 3, 142: 4, 286: 5}
SLOPE = 0.2


@final
class PatchDiscriminator(nn.Module):
    """Image to a map of logits, each of a patch; patches overlap, and there is one about every 2^halvings pixels.

    Args:
        in_channels: of the image, and of what it is to match where they are judged together.
        receptive_field: pixels of a patch's side; 1 judges every pixel by itself (PixelGAN).
        channels: width of the first layer; it doubles at every layer.
        max_channels: cap of the width; that of the paper is 8 times the first one.
        norm: after every convolution but the first and the last, instance norm without weights as in CycleGAN;
            `spectral` normalises every convolution instead.

    Raises:
        UserError: when called with images that are too small for one patch.
    """

    def __init__(
        self,
        *,
        in_channels: Count = 3,
        receptive_field: ReceptiveField = 70,
        channels: Count = 64,
        max_channels: Count = 512,
        norm: Literal["batch", "instance", "spectral", "none"] = "batch",
    ) -> None:
        super().__init__()
        self.receptive_field, self.halvings = receptive_field, HALVINGS[receptive_field]
        width = [min(channels * 2**i, max_channels) for i in range(max(self.halvings, 1) + 1)]
        normalizations: dict[str, Callable[[int], nn.Module]] = {"batch": BatchNorm2d, "instance": InstanceNorm2d}
        normalization = normalizations.get(norm)
        layers: list[nn.Module] = [self._convolution(in_channels, width[0], 0), nn.LeakyReLU(SLOPE, inplace=True)]
        for number, (inputs, outputs) in enumerate(pairwise(width), 1):
            layers.append(self._convolution(inputs, outputs, number))
            layers += [] if normalization is None else [normalization(outputs)]
            layers.append(nn.LeakyReLU(SLOPE, inplace=True))
        self.layers = nn.Sequential(*layers, self._convolution(width[-1], 1, len(width)))
        self.apply(initialize)
        for layer in self.layers if norm == "spectral" else []:
            if isinstance(layer, nn.Conv2d):
                spectral_norm(layer)

    def _convolution(self, inputs: int, outputs: int, number: int) -> nn.Conv2d:
        if not self.halvings:
            return nn.Conv2d(inputs, outputs, 1)
        return HalvingConv2d(inputs, outputs) if number < self.halvings else nn.Conv2d(inputs, outputs, 4, 1, 1)

    @property
    def least_side(self) -> int:
        """Pixels of an image's side that one patch takes, padding included."""
        return 3 * 2**self.halvings if self.halvings else 1

    def forward(self, image: Float[Tensor, "b c h w"]) -> Float[Tensor, "b 1 p q"]:
        """Logits in float32 at least: positive means real."""
        height, width = image.shape[-2:]
        if min(height, width) < self.least_side:
            fields = ", ".join(map(str, HALVINGS))
            raise UserError(
                f"model.discriminator.receptive_field={self.receptive_field} needs images of {self.least_side} pixels "
                f"a side, got {width}x{height}: choose a smaller one of {fields}, or larger images"
            )
        logits: Tensor = self.layers(image)
        return logits.to(torch.promote_types(logits.dtype, torch.float32))
