"""The two ranges of images: bytes or [0, 1] in data sets, [-1, 1] in networks, losses and metrics."""

import torch
from jaxtyping import Float, UInt8
from torch import Tensor


def to_signed_range(image: UInt8[Tensor, "*shape"] | Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Bytes 0..255, or floats in [0, 1], as float32 in [-1, 1].

    >>> to_signed_range(torch.tensor([0, 255], dtype=torch.uint8)), to_signed_range(torch.tensor([0.0, 0.5]))
    (tensor([-1.,  1.]), tensor([-1.,  0.]))
    """
    if image.dtype == torch.uint8:
        return image.float().div_(127.5).sub_(1)
    return image.float() * 2 - 1


def to_bytes(image: Float[Tensor, "*shape"]) -> UInt8[Tensor, "*shape"]:
    """Floats in [-1, 1], clamped, as the nearest bytes: the inverse of `to_signed_range` on bytes.

    >>> to_bytes(torch.tensor([-1.0, 0.0, 2.0]))
    tensor([  0, 128, 255], dtype=torch.uint8)
    """
    return image.detach().float().add(1).mul_(127.5).round_().clamp_(0, 255).to(torch.uint8)
