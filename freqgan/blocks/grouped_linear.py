"""Linear layers side by side."""

from typing import final

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


@final
class GroupedLinear(nn.Linear):
    """Linear layers side by side, as a grouped convolution holds convolutions; for one group, `torch.nn.Linear`.

    Args:
        inputs: features of the input, over all groups.
        outputs: features of the output, over all groups.
        groups: layers, each between its own share of the features.
        bias: whether a number is added to every output.
    """

    def __init__(self, inputs: int, outputs: int, *, groups: int = 1, bias: bool = True) -> None:
        super().__init__(inputs // groups, outputs, bias=bias)
        self.groups = groups

    def forward(self, x: Float[Tensor, "b i"]) -> Float[Tensor, "b o"]:
        """Every group's product, one after the other."""
        if self.groups == 1:
            return F.linear(x, self.weight, self.bias)
        by_group = x.unflatten(1, (self.groups, -1)).transpose(0, 1)  # (groups, b, i/groups)
        y: Tensor = by_group @ self.weight.unflatten(0, (self.groups, -1)).transpose(1, 2)
        y = y.transpose(0, 1).flatten(1)
        return y if self.bias is None else y + self.bias.to(y.dtype)
