"""The discriminator of a text-conditioned GAN's stage: one task, or AttnGAN's two (Xu et al. 2018).

Layers are those of the published code: halving convolutions to a map of 4×4, whose width doubles each time, then 3×3
convolutions back to eight times the first width. With `norm=spectral` they are DM-GAN's (Zhu et al. 2019). Departures:
logits in place of probabilities, and a depth for every size from 8 pixels on; below 64 pixels, where fewer layers
double the width, the first one is wider, so that every stage has an opponent that ends as wide.
"""

from itertools import pairwise
from typing import Literal, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from freqgan.blocks import BatchNorm2d, HalvingConv2d, spectral_norm
from freqgan.errors import UserError
from freqgan.limits import Count
from freqgan.networks.text_stages import initialize

Norm = Literal["batch", "spectral"]
SIDE = 4  # of the last map
DOUBLINGS = 4  # widths that an image of 64 pixels runs through, from the first to eight times it
SLOPE = 0.2


@final
class StageDiscriminator(nn.Module):
    """An image, and vectors that it may match, to logits.

    Args:
        image_size: height and width, a power of two of at least 8.
        condition_dim: length of a vector to match, as a sentence's; None for realism alone.
        realism: whether realism is judged beside the match.
        in_channels: of the image.
        channels: an eighth of the last map's width; images of 64 pixels and more begin with it.
        norm: `batch` after every convolution but the first; `spectral` of every convolution but those to a logit.

    Raises:
        UserError: the size is not accepted.
    """

    def __init__(
        self,
        *,
        image_size: int,
        condition_dim: int | None = None,
        realism: bool = False,
        in_channels: Count = 3,
        channels: Count = 64,
        norm: Norm = "batch",
    ) -> None:
        super().__init__()
        halvings = (image_size // SIDE).bit_length() - 1
        if halvings < 1 or image_size != SIDE << halvings:
            raise UserError(
                f"images of {image_size}x{image_size} pixels cannot be halved to {SIDE}x{SIDE}: the discriminator of a "
                f"stage needs a power of two of at least {2 * SIDE}, and the last stage's is data.image_size"
            )
        first = max(0, DOUBLINGS - halvings)
        widths = [channels << n for n in range(first, first + halvings)]
        down, back = [in_channels, *widths], widths[DOUBLINGS - 1 - first :][::-1]
        bias = norm == "spectral"
        layers = _convolved(HalvingConv2d(*down[:2], bias=bias), "none" if norm == "batch" else norm)
        for inputs, outputs in pairwise(down[1:]):
            layers += _convolved(HalvingConv2d(inputs, outputs, bias=bias), norm)
        for inputs, outputs in pairwise(back):
            layers += _convolved(nn.Conv2d(inputs, outputs, 3, 1, 1, bias=bias), norm)
        self.features = nn.Sequential(*layers)
        width = back[-1]
        self.realism = _logit(width) if realism or condition_dim is None else None
        self.match = None
        if condition_dim is not None:
            joint = nn.Conv2d(width + condition_dim, width, 3, 1, 1, bias=bias)
            self.match = nn.Sequential(*_convolved(joint, norm), _logit(width))

    def forward(self, image: Float[Tensor, "b k h w"], *conditions: Float[Tensor, "b d"]) -> Float[Tensor, "b n"]:
        """Logits in float32 at least: of realism first, where it is judged, then of a match with each condition.

        Positive means real, or matching. A mismatched caption is one more condition, which costs its head only.

        Raises:
            ValueError: a condition is missing, or none is judged.
        """
        if bool(conditions) != (self.match is not None):
            wanted = "at least one condition" if self.match is not None else "no condition"
            raise ValueError(f"got {len(conditions)} conditions, wanted {wanted}")
        features: Tensor = self.features(image)
        logits = [] if self.realism is None else [self.realism(features)]
        if self.match is not None:
            logits += [self.match(_joined(features, condition)) for condition in conditions]
        together = torch.cat(logits, 1).flatten(1)
        return together.to(torch.promote_types(together.dtype, torch.float32))


def _joined(features: Float[Tensor, "b c h w"], condition: Float[Tensor, "b d"]) -> Float[Tensor, "b c+d h w"]:
    """The condition repeated at every position, beside the features."""
    repeated = condition.to(features.dtype)[:, :, None, None].expand(-1, -1, *features.shape[2:])
    return torch.cat([features, repeated], 1)


def _convolved(convolution: nn.Conv2d, norm: Norm | Literal["none"]) -> list[nn.Module]:
    """A convolution, its norm, and a leaky ReLU, with the weights they begin with."""
    layers: list[nn.Module] = [convolution]
    if norm == "batch":
        layers.append(BatchNorm2d(convolution.out_channels))
    for layer in layers:
        initialize(layer)
    if norm == "spectral":
        spectral_norm(convolution)
    return [*layers, nn.LeakyReLU(SLOPE, inplace=True)]


def _logit(width: int) -> nn.Conv2d:
    layer = nn.Conv2d(width, 1, SIDE)
    initialize(layer)
    return layer
