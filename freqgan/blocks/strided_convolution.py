"""4×4 convolutions of stride 2, the layers that DCGAN, pix2pix and their discriminators are made of, fast on a CPU.

The results are PyTorch's. What differs is how the weight's gradient is computed in bf16 on a CPU: as one matrix product
over windows. The convolution library's own kernel for it is slower than float32 on small maps, and took half of a
DCGAN's step. Everything else, and every other device and precision, is left to the library.
"""

from typing import Any, final

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

KERNEL, STRIDE, PADDING = 4, 2, 1
LARGEST_MAP = 64  # pixels of the smaller side; beyond 8x8 gathering the windows costs more than the product saves


@final
class HalvingConv2d(nn.Conv2d):
    """A 4×4 convolution of stride 2 and padding 1: (b, i, 2h, 2w) to (b, o, h, w).

    Args:
        inputs: channels of the input, over all groups.
        outputs: channels of the output, over all groups.
        groups: convolutions side by side, each between its own share of the channels.
        bias: whether a number is added to every channel.
    """

    def __init__(self, inputs: int, outputs: int, *, groups: int = 1, bias: bool = True) -> None:
        super().__init__(inputs, outputs, KERNEL, STRIDE, PADDING, groups=groups, bias=bias)

    def forward(self, x: Float[Tensor, "b i H W"]) -> Float[Tensor, "b o h w"]:
        """Half the size."""
        return _apply(_Halve, super().forward, x, self.weight, self.bias, self.groups)


@final
class DoublingConv2d(nn.ConvTranspose2d):
    """A 4×4 transposed convolution of stride 2 and padding 1: (b, i, h, w) to (b, o, 2h, 2w).

    Args:
        inputs: channels of the input, over all groups.
        outputs: channels of the output, over all groups.
        groups: convolutions side by side, each between its own share of the channels.
        bias: whether a number is added to every channel.
    """

    def __init__(self, inputs: int, outputs: int, *, groups: int = 1, bias: bool = True) -> None:
        super().__init__(inputs, outputs, KERNEL, STRIDE, PADDING, groups=groups, bias=bias)

    def forward(self, x: Float[Tensor, "b i h w"], output_size: list[int] | None = None) -> Float[Tensor, "b o H W"]:
        """Twice the size, or the `output_size` that is asked for, one pixel larger at most."""
        if output_size is not None:
            return super().forward(x, output_size)
        return _apply(_Double, super().forward, x, self.weight, self.bias, self.groups)


def _apply(function: Any, library: Any, x: Tensor, weight: Tensor, bias: Tensor | None, groups: int) -> Tensor:
    """Ours for bf16 on a CPU and small maps, where a weight takes a gradient; else the library's."""
    cast = torch.is_autocast_enabled("cpu") and x.dtype != torch.float64  # which autocast leaves alone
    dtype = torch.get_autocast_dtype("cpu") if cast else x.dtype
    pixels = x.shape[-1] * x.shape[-2]
    fits = pixels <= LARGEST_MAP if function is _Double else _is_even(x) and pixels <= LARGEST_MAP * STRIDE**2
    ours = fits and x.device.type == "cpu" and dtype == torch.bfloat16 and weight.requires_grad
    y: Tensor = (
        function.apply(x.to(dtype), weight.to(dtype), None if bias is None else bias.to(dtype), groups)
        if ours
        else library(x)
    )
    return y


def _is_even(x: Tensor) -> bool:
    return x.shape[-1] % 2 == x.shape[-2] % 2 == 0


class _Halve(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, groups: int) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.groups = groups
        return F.conv2d(x, weight, bias, STRIDE, PADDING, groups=groups)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None, None]:
        (gradient,) = gradients
        x, weight = ctx.saved_tensors
        return (
            _Double.apply(gradient, weight, None, ctx.groups) if ctx.needs_input_grad[0] else None,
            _weight_gradient(x, gradient, ctx.groups) if ctx.needs_input_grad[1] else None,
            gradient.sum((0, 2, 3)) if ctx.needs_input_grad[2] else None,
            None,
        )


class _Double(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, groups: int) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.groups = groups
        return F.conv_transpose2d(x, weight, bias, STRIDE, PADDING, groups=groups)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None, None]:
        (gradient,) = gradients
        x, weight = ctx.saved_tensors
        return (
            _Halve.apply(gradient, weight, None, ctx.groups) if ctx.needs_input_grad[0] else None,
            _weight_gradient(gradient, x, ctx.groups) if ctx.needs_input_grad[1] else None,
            gradient.sum((0, 2, 3)) if ctx.needs_input_grad[2] else None,
            None,
        )


def _weight_gradient(
    large: Float[Tensor, "b I H W"], small: Float[Tensor, "b O h w"], groups: int
) -> Float[Tensor, "O i 4 4"]:
    """Gradient of ⟨small, conv(large, weight)⟩ with respect to the weight, which both directions share."""
    windows = F.pad(large.permute(0, 2, 3, 1), (0, 0, 1, 1, 1, 1)).unfold(1, KERNEL, STRIDE).unfold(2, KERNEL, STRIDE)
    b, h, w, inputs = windows.shape[:4]
    i = inputs // groups
    by_group = windows.unflatten(3, (groups, i)).permute(3, 0, 1, 2, 5, 6, 4)  # (groups, b, h, w, 4, 4, i)
    columns = by_group.reshape(groups, b * h * w, KERNEL * KERNEL * i)
    rows = small.permute(0, 2, 3, 1).reshape(b * h * w, groups, -1).permute(1, 2, 0)  # (groups, o, b*h*w)
    gradient: Tensor = rows @ columns
    return gradient.view(-1, KERNEL, KERNEL, i).permute(0, 3, 1, 2)
