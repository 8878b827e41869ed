"""Images as a PNG keeps them: metrics see no others, so a folder of samples scores as its generator does."""

from jaxtyping import Float
from torch import Tensor

#: Variance of rounding to 256 levels in [-1, 1]; in an orthonormal transform, of each of its coefficients.
EIGHT_BIT_NOISE = (2 / 255) ** 2 / 12


def to_eight_bit(images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
    """Images in [-1, 1], clipped and rounded to the nearest of 256 levels, in float32.

    >>> import torch
    >>> to_eight_bit(torch.tensor([[[[-3.0, 0.001, 1.0]]]])).mul(127.5).add(127.5).flatten().tolist()
    [0.0, 128.0, 255.0]
    """
    return to_levels(images) / 127.5 - 1


def to_levels(images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
    """Images in [-1, 1], clipped, as the nearest of the levels 0, 1 … 255, in float32.

    >>> import torch
    >>> to_levels(torch.tensor([[[[-3.0, 0.001, 1.0]]]])).flatten().tolist()
    [0.0, 128.0, 255.0]
    """
    return ((images.float().clamp(-1, 1) + 1) * 127.5).round()
