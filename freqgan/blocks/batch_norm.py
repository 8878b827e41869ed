"""Batch normalisation over the global batch, whatever the number of processes.

PyTorch's SyncBatchNorm runs on GPUs only, and its gradient cannot be differentiated again, as R1 needs it.
"""

from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from freqgan.ops.global_batch import gather_rows, world_size


@final
class BatchNorm2d(nn.BatchNorm2d):
    """`torch.nn.BatchNorm2d` whose statistics in training are those of all processes' rows; alone, the same layer.

    Args:
        channels: of the input.
    """

    momentum: float

    def __init__(self, channels: int) -> None:
        super().__init__(channels)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """The input with mean 0 and variance 1 per channel, scaled and shifted."""
        if not self.training or world_size() == 1:
            return super().forward(x)
        # As in the fused layer, statistics of half-precision inputs are taken in float32.
        wide = x.to(torch.promote_types(x.dtype, torch.float32))
        mean, variance = _statistics(wide)
        self._remember(mean.detach(), variance.detach(), x.numel() // x.shape[1] * world_size())
        scale = self.weight * (variance + self.eps).rsqrt()
        shift = self.bias - mean * scale
        return (wide * scale[:, None, None] + shift[:, None, None]).to(x.dtype)

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor, count: int) -> None:
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        self.num_batches_tracked += 1
        self.running_mean.lerp_(mean.to(self.running_mean), self.momentum)
        self.running_var.lerp_((variance * (count / (count - 1))).to(self.running_var), self.momentum)


def _statistics(x: Float[Tensor, "b c h w"]) -> tuple[Float[Tensor, "c"], Float[Tensor, "c"]]:
    """Mean and variance of all processes' rows, from those of each: exact, as every process has equally many."""
    variance, mean = torch.var_mean(x, (0, 2, 3), correction=0)
    means, variances = gather_rows(torch.stack([mean, variance])[None]).unbind(1)  # (processes, c) each
    overall = means.mean(0)
    return overall, (variances + (means - overall).square()).mean(0)
