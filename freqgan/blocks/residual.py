"""The layers of Johnson et al. 2016's image-to-image networks, from which CycleGAN's and pix2pixHD's descend."""

from collections.abc import Callable
from typing import Literal, final

from jaxtyping import Float
from torch import Tensor, nn

from freqgan.blocks.batch_norm import BatchNorm2d
from freqgan.blocks.enlarging_convolution import EnlargingConv2d
from freqgan.blocks.instance_norm import InstanceNorm2d

Norm = Literal["instance", "batch", "none"]
Upsampler = Literal["transposed", "interpolation"]


@final
class ResidualBlock(nn.Module):
    """Two 3×3 convolutions, continued by reflection, added to what they are given; no ReLU after the sum.

    Args:
        channels: of the map.
        norm: after both convolutions.
    """

    def __init__(self, channels: int, *, norm: Norm) -> None:
        super().__init__()
        first, second = (normalized(same_size(channels, channels, 3), channels, norm) for _ in range(2))
        self.body = nn.Sequential(*first, *second[:-1])

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """A map of the same shape."""
        y: Tensor = x + self.body(x)
        return y


def normalized(convolution: nn.Module, outputs: int, norm: Norm) -> list[nn.Module]:
    """A convolution, its norm, and a ReLU.

    Args:
        convolution: any.
        outputs: its channels.
        norm: instance norm without weights, batch norm with them, or none.
    """
    kinds: dict[Norm, list[Callable[[int], nn.Module]]] = {"instance": [InstanceNorm2d], "batch": [BatchNorm2d]}
    return [convolution, *(kind(outputs) for kind in kinds.get(norm, [])), nn.ReLU(inplace=True)]


def same_size(inputs: int, outputs: int, kernel: int) -> nn.Conv2d:
    """A convolution that keeps the size and continues the map by reflection."""
    return nn.Conv2d(inputs, outputs, kernel, 1, kernel // 2, padding_mode="reflect")


def halving(inputs: int, outputs: int, norm: Norm) -> list[nn.Module]:
    """A 3×3 convolution of stride 2, its norm, and a ReLU."""
    return normalized(nn.Conv2d(inputs, outputs, 3, 2, 1), outputs, norm)


def doubling(inputs: int, outputs: int, norm: Norm, upsampler: Upsampler = "transposed") -> list[nn.Module]:
    """A 3×3 convolution to twice the size, its norm, and a ReLU.

    Args:
        inputs: channels.
        outputs: channels.
        norm: of its result.
        upsampler: `transposed`, of stride 2, whose pixels are sums of one, two or four products in turn, so that it has
            to learn to leave no chequerboard; `interpolation` repeats pixels and convolves those (Odena et al. 2016).
    """
    if upsampler == "interpolation":
        return normalized(EnlargingConv2d(inputs, outputs, bias=True), outputs, norm)
    return normalized(nn.ConvTranspose2d(inputs, outputs, 3, 2, 1, output_padding=1), outputs, norm)
