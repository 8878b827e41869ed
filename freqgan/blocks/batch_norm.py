"""Batch normalisation over the global batch, whatever the number of processes.

PyTorch's SyncBatchNorm runs on GPUs only, and its gradient cannot be differentiated again, as R1 needs it.
"""

from typing import final

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from freqgan.ops.global_batch import world_size
from freqgan.ops.moments import global_moments


@final
class BatchNorm2d(nn.BatchNorm2d):
    """`torch.nn.BatchNorm2d` whose statistics in training are those of all processes' rows; alone, the same layer.

    Args:
        channels: of the input.
        tracked: averages statistics for use in evaluation; otherwise those of the input are used there too.
    """

    momentum: float

    def __init__(self, channels: int, *, tracked: bool = True) -> None:
        super().__init__(channels, track_running_stats=tracked)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """The input with mean 0 and variance 1 per channel, scaled and shifted."""
        if not self.training or world_size() == 1:
            return super().forward(x)
        mean, variance = global_moments(x)
        if self.track_running_stats:
            self._remember(mean.detach(), variance.detach(), x.numel() // x.shape[1] * world_size())
        return self._normalized(x, mean, variance)

    def _normalized(self, x: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
        """The fused layer with fixed statistics; what depends on them goes through its scale and shift.

        Their values are those of the layer's own parameters: the ratio is 1 and the difference 0, but for gradients.
        """
        fixed_mean, fixed_variance = mean.detach(), variance.detach()
        deviation = (variance + self.eps).sqrt()
        scale = self.weight * (deviation.detach() / deviation)
        shift = self.bias + (fixed_mean - mean) * (self.weight / deviation)
        return F.batch_norm(x, fixed_mean, fixed_variance, scale, shift, training=False, eps=self.eps)

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor, count: int) -> None:
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        self.num_batches_tracked += 1
        self.running_mean.lerp_(mean.to(self.running_mean), self.momentum)
        self.running_var.lerp_((variance * (count / (count - 1))).to(self.running_var), self.momentum)
