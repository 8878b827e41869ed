"""Spectral normalisation of layers that lie side by side in one weight (Miyato et al. 2018, algorithm 1).

PyTorch's would divide all of them by the largest singular value of the whole.
"""

from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrize import register_parametrization

from freqgan.ops.linear import full_precision

FIRST_ITERATIONS = 15


def spectral_norm(layer: nn.Module, *, groups: int = 1) -> None:
    """Has a layer's weight divided, group by group, by an estimate of its greatest singular value.

    Args:
        layer: has a `weight` whose first dimension holds the outputs, group after group.
        groups: layers in it.
    """
    weight = layer.weight
    assert isinstance(weight, Tensor)
    register_parametrization(layer, "weight", _SpectralNorm(weight, groups))


@final
class _SpectralNorm(nn.Module):
    """One power iteration at every use in training; the vectors of all groups are two buffers."""

    def __init__(self, weight: Tensor, groups: int) -> None:
        super().__init__()
        self.groups = groups
        matrices = weight.detach().reshape(groups, weight.shape[0] // groups, -1)
        self.register_buffer("left", F.normalize(torch.randn_like(matrices[:, :, 0]), dim=1).flatten())
        self.register_buffer("right", F.normalize(torch.randn_like(matrices[:, 0]), dim=1).flatten())
        self.left: Tensor
        self.right: Tensor
        for _ in range(FIRST_ITERATIONS):
            self._iterate(matrices)

    def forward(self, weight: Tensor) -> Tensor:
        with full_precision(weight.device.type):
            matrices = weight.reshape(self.groups, weight.shape[0] // self.groups, -1)
            if self.training:
                self._iterate(matrices.detach())
            left, right = self.left.clone().view(self.groups, -1, 1), self.right.clone().view(self.groups, -1, 1)
            greatest = left.transpose(1, 2) @ (matrices @ right)  # (groups, 1, 1)
            return (matrices / greatest).view_as(weight)

    @torch.no_grad()
    def _iterate(self, matrices: Tensor) -> None:
        left = self.left.view(self.groups, -1, 1)
        right = F.normalize(matrices.transpose(1, 2) @ left, dim=1)
        self.left.copy_(F.normalize(matrices @ right, dim=1).flatten())
        self.right.copy_(right.flatten())
