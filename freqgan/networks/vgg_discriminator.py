"""A discriminator of VGG-13's layers (Simonyan & Zisserman 2015, table 1, B), for images of any size.

Departures: leaky ReLUs and a norm, as in SRGAN (Ledig et al. 2017, fig. 4); before the dense layers, the mean over all
positions in place of a map of fixed size; one hidden dense layer, of ESRGAN's 100 units.
"""

from typing import Literal, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from freqgan.blocks import spectral_norm
from freqgan.limits import Count
from freqgan.networks.dcgan import normalization
from freqgan.networks.halving import widths

Norm = Literal["batch", "group", "spectral", "none"]
SLOPE = 0.2


@final
class VGGDiscriminator(nn.Module):
    """Image to one logit.

    Args:
        in_channels: of the image.
        channels: width at full size; it doubles after every pooling.
        max_channels: cap of the width.
        stages: of two convolutions and a pooling each, odd sides rounded up; 5 in VGG-13.
        hidden: units of the dense layer before the logit.
        norm: after every convolution but the first; `spectral` normalises every layer instead.
    """

    def __init__(
        self,
        *,
        in_channels: Count = 3,
        channels: Count = 64,
        max_channels: Count = 512,
        stages: Count = 5,
        hidden: Count = 100,
        norm: Norm = "batch",
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inputs = in_channels
        for width in widths(stages, channels=channels, max_channels=max_channels):
            layers += [*_convolved(inputs, width, norm if layers else "none"), *_convolved(width, width, norm)]
            layers.append(nn.MaxPool2d(2, ceil_mode=True))
            inputs = width
        self.features = nn.Sequential(*layers)
        self.to_logit = nn.Sequential(nn.Linear(inputs, hidden), nn.LeakyReLU(SLOPE), nn.Linear(hidden, 1))
        for module in list(self.modules()):
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight, SLOPE)
                assert module.bias is not None
                nn.init.zeros_(module.bias)
                if norm == "spectral":
                    spectral_norm(module)

    def forward(self, image: Float[Tensor, "b c h w"]) -> Float[Tensor, "b"]:
        """Logits in float32 at least: positive means real."""
        logits: Tensor = self.to_logit(self.features(image).mean((2, 3)))[:, 0]
        return logits.to(torch.promote_types(logits.dtype, torch.float32))


def _convolved(inputs: int, outputs: int, norm: Norm) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, 3, 1, 1), normalization(norm, outputs), nn.LeakyReLU(SLOPE, inplace=True)]
