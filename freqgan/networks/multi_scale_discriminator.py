"""pix2pixHD's discriminators (Wang et al. 2018, §3.2): one architecture at several scales of the image, each by itself.

Every one is a discriminator of patches (Isola et al. 2017); that of the coarsest scale sees the most of the scene. As
in the published code, each convolution is padded by 2, and keeps its bias beside a norm.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Literal, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from freqgan.blocks import BatchNorm2d, InstanceNorm2d, spectral_norm
from freqgan.errors import UserError
from freqgan.limits import Count
from freqgan.networks.dcgan import initialize
from freqgan.networks.halving import widths
from freqgan.ops.pyramid import pyramid

Norm = Literal["batch", "instance", "spectral", "none"]


@final
class PatchLayers(nn.Module):
    """Image to what every layer makes of it, the map of logits last.

    Args:
        in_channels: of the image, and of what it is to match.
        channels: width of the first layer; it doubles at every layer.
        max_channels: cap of the width.
        layers: that halve the size; another one keeps it, and another one makes the logits.
        norm: see `MultiScaleDiscriminator`.
    """

    def __init__(self, *, in_channels: int, channels: int, max_channels: int, layers: int, norm: Norm) -> None:
        super().__init__()
        width = widths(layers + 1, channels=channels, max_channels=max_channels)
        self.layers = nn.ModuleList([_layer(in_channels, width[0], 2, "spectral" if norm == "spectral" else "none")])
        for number, (inputs, outputs) in enumerate(pairwise(width), 1):
            self.layers.append(_layer(inputs, outputs, 2 if number < layers else 1, norm))
        self.layers.append(_convolution(width[-1], 1, 1, norm))

    def forward(self, image: Float[Tensor, "b c h w"]) -> list[Float[Tensor, "b _ _ _"]]:
        """The outputs of all layers, logits in float32 at least: positive means real."""
        outputs = [image]
        for layer in self.layers:
            outputs.append(layer(outputs[-1]))
        logits = outputs.pop()
        return [*outputs[1:], logits.to(torch.promote_types(logits.dtype, torch.float32))]


@final
class MultiScaleDiscriminator(nn.Module):
    """Image to what every layer at every scale makes of it.

    Args:
        in_channels: of the image, and of what it is to match, which are judged together.
        scales: 1 to 3: the image, half of its height and width, and a quarter.
        layers: that halve the size, at every scale; a patch of 3 has 70 pixels a side.
        channels: width of the first layer; it doubles at every layer.
        max_channels: cap of the width.
        norm: after every convolution but the first and the last, instance norm without weights; `spectral` normalises
            every convolution instead.

    Raises:
        UserError: another number of scales, or when called with images that nothing would be left of.
    """

    def __init__(
        self,
        *,
        in_channels: Count = 3,
        scales: Count = 3,
        layers: Count = 3,
        channels: Count = 64,
        max_channels: Count = 512,
        norm: Norm = "instance",
    ) -> None:
        super().__init__()
        if not 1 <= scales <= 3:
            raise UserError(f"model.discriminator.scales={scales} must be 1, 2 or 3")
        self.scales = nn.ModuleList(
            PatchLayers(in_channels=in_channels, channels=channels, max_channels=max_channels, layers=layers, norm=norm)
            for _ in range(scales)
        )

    def inputs(self, image: Float[Tensor, "b c h w"]) -> list[Float[Tensor, "b c _ _"]]:
        """What each of them sees, the finest first."""
        height, width = image.shape[-2:]
        if min(height, width) < 2 ** len(self.scales):
            got = f"{width}x{height}"
            raise UserError(
                f"model.discriminator.scales={len(self.scales)} leaves too little of {got} pixels: choose fewer scales"
            )
        return pyramid(image, len(self.scales))

    def forward(self, image: Float[Tensor, "b c h w"]) -> list[list[Float[Tensor, "b _ _ _"]]]:
        """The outputs of all layers at all scales, the finest scale first, logits last."""
        return [judge(of_scale) for judge, of_scale in zip(self.scales, self.inputs(image), strict=True)]


def _convolution(inputs: int, outputs: int, stride: int, norm: Norm) -> nn.Module:
    convolution = nn.Conv2d(inputs, outputs, 4, stride, 2)
    initialize(convolution)
    if norm == "spectral":
        spectral_norm(convolution)
    return convolution


def _layer(inputs: int, outputs: int, stride: int, norm: Norm) -> nn.Sequential:
    kinds: dict[str, Callable[[int], nn.Module]] = {"batch": BatchNorm2d, "instance": InstanceNorm2d}
    layers = [_convolution(inputs, outputs, stride, norm)]
    if norm in kinds:
        layers.append(kinds[norm](outputs))
        initialize(layers[-1])
    return nn.Sequential(*layers, nn.LeakyReLU(0.2, inplace=True))
