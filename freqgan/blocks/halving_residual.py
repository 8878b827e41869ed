"""A residual block (He et al. 2016) at the end of which maps have half their size."""

from typing import final

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from freqgan.blocks.batch_norm import BatchNorm2d
from freqgan.blocks.strided_convolution import HalvingConv2d


@final
class HalvingResidual(nn.Module):
    """Two convolutions, the first of stride 2, and beside them the mean of 2×2 pixels through a convolution of one.

    Args:
        inputs: channels of the map, whose sides are even.
        outputs: channels of the result.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            HalvingConv2d(inputs, outputs, bias=False),
            BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
            nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False),
            BatchNorm2d(outputs),
        )
        self.shortcut = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(inputs, outputs, 1))

    def forward(self, x: Float[Tensor, "b i H W"]) -> Float[Tensor, "b o h w"]:
        """Half the size."""
        return F.relu(self.body(x) + self.shortcut(x))
