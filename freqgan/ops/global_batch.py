"""The global batch of a run whose rows are spread over processes, with gradients.

Convention: each process computes a loss of its own, the run's loss is the mean of them, and gradients are averaged over
processes afterwards. A loss that is the same on every process, such as one of all rows, is then simply itself. With one
process nothing is exchanged.
"""

from typing import Any

import torch
import torch.distributed as dist
from jaxtyping import Shaped
from torch import Tensor


def world_size() -> int:
    """Number of processes of this run."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """Number of this process, from 0."""
    return dist.get_rank() if dist.is_available() and dist.is_initialized() else 0


def gather_rows(rows: Shaped[Tensor, "b *shape"]) -> Shaped[Tensor, "n *shape"]:
    """The rows of all processes in their order, n = b · processes; every process has equally many.

    A row's gradient is the sum of what all processes make of it, so that losses between rows (relativistic,
    contrastive) and batch statistics train as they do on one process; it can be differentiated again.
    """
    if world_size() == 1:
        return rows
    gathered: Tensor = _Gather.apply(rows)
    return gathered


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        parts = [torch.empty_like(rows, memory_format=torch.contiguous_format) for _ in range(world_size())]
        dist.all_gather(parts, rows.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (gradient,) = gradients
        part: Tensor = _Scatter.apply(gradient)
        return part


class _Scatter(torch.autograd.Function):
    """Own rows of the sum over processes: the adjoint of gathering, whose adjoint is gathering."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        # gloo has no reduce-scatter; the sum of everything is small beside the gradients of the weights.
        total = rows.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total.chunk(world_size())[rank()].clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (gradient,) = gradients
        rows: Tensor = _Gather.apply(gradient)
        return rows
