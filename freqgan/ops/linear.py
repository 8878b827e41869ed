"""Linear maps that bring their own adjoint and run in full precision.

The gradient of a linear map is its adjoint, and the gradient of the adjoint is the map again. Told so,
autograd makes one fast call in place of a recorded graph, work may be done in place, and gradients of any order
come free.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd import Function

LinearMap = Callable[..., tuple[Tensor, ...]]


def linear(forward: LinearMap, adjoint: LinearMap, *inputs: Tensor) -> tuple[Tensor, ...]:
    """`forward(*inputs)`, differentiated by `adjoint`.

    Args:
        forward: a linear map from tensors to a tuple of new tensors, not views of its inputs.
        adjoint: its transpose, from as many tensors as `forward` returns to as many as it takes.
        *inputs: tensors of one floating dtype and device.
    """
    outputs: tuple[Tensor, ...] = _Linear.apply(forward, adjoint, *inputs)
    return outputs


@contextmanager
def full_precision(device_type: str) -> Iterator[None]:
    """Inside, float32 is float32: no autocast, no TF32 or bf16 matrix products, whatever is set outside."""
    matmul = (torch.backends.cuda if device_type == "cuda" else torch.backends.mkldnn).matmul
    kept = matmul.fp32_precision
    reduced = kept not in ("none", "ieee")
    autocast = torch.amp.is_autocast_available(device_type) and torch.is_autocast_enabled(device_type)
    if reduced:
        matmul.fp32_precision = "ieee"
    try:
        with torch.autocast(device_type, enabled=False) if autocast else nullcontext():
            yield
    finally:
        if reduced:
            matmul.fp32_precision = kept


def constant(array: np.ndarray, like: Tensor) -> Tensor:
    """A NumPy array as a tensor of `like`'s device and precision; a complex array stays complex.

    Made anew for every call: a cached tensor could stem from `inference_mode` or from a trace of
    `torch.export`, and the copy is small beside the product it serves.
    """
    dtype = like.dtype.to_complex() if np.iscomplexobj(array) else like.dtype
    return torch.as_tensor(array, dtype=dtype).to(like.device, non_blocking=True)


class _Linear(Function):
    # Old style, with `ctx` first: a separate `setup_context` costs 25 µs a call, a tenth of a small transform.
    @staticmethod
    def forward(ctx: Any, forward: LinearMap, adjoint: LinearMap, *inputs: Tensor) -> tuple[Tensor, ...]:
        ctx.maps = adjoint, forward
        with full_precision(inputs[0].device.type):
            return forward(*inputs)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        return None, None, *linear(*ctx.maps, *gradients)
