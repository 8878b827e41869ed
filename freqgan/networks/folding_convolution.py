"""A convolution with parallel paths that are one convolution (RepVGG, Ding et al. 2021, §3.3, without batch norms).

Departure: the paths are added up as weights in training too, since the sum of convolutions of one input is the
convolution with the sum of their kernels. So the paths cost nothing but that sum, and folding changes no bit.
"""

from typing import final

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


@final
class FoldingConv2d(nn.Conv2d):
    """A k×k convolution, a 1×1 convolution beside it and, between equal numbers of channels, the identity.

    Args:
        inputs: channels of the input.
        outputs: channels of the output.
        kernel: side of the kernel, odd.
        dilation: distance of the kernel's taps.
    """

    padding: tuple[int, int]
    identity: Tensor

    def __init__(self, inputs: int, outputs: int, kernel: int, dilation: int = 1) -> None:
        super().__init__(inputs, outputs, kernel, 1, dilation * (kernel // 2), dilation)
        self.point = nn.Parameter(torch.zeros(outputs, inputs, 1, 1))
        identity = torch.eye(outputs) if inputs == outputs else torch.zeros(outputs, inputs)
        self.register_buffer("identity", identity[:, :, None, None], persistent=False)

    def forward(self, x: Float[Tensor, "b i h w"]) -> Float[Tensor, "b o h w"]:
        """The sum of all paths."""
        return F.conv2d(x, self.sum_of_paths(), self.bias, 1, self.padding, self.dilation)

    def sum_of_paths(self) -> Float[Tensor, "o i k k"]:
        """The kernel of the one convolution that the paths are."""
        margin = self.kernel_size[0] // 2
        return self.weight + F.pad(self.point + self.identity, (margin,) * 4)

    @torch.no_grad()
    def folded(self) -> nn.Conv2d:
        """That one convolution."""
        one = nn.Conv2d(
            self.in_channels,
            self.out_channels,
            self.kernel_size[0],
            padding=self.padding[0],
            dilation=self.dilation[0],
            device=self.weight.device,
            dtype=self.weight.dtype,
        )
        one.weight.copy_(self.sum_of_paths())
        assert self.bias is not None
        assert one.bias is not None
        one.bias.copy_(self.bias)
        return one
