"""The squared error of images as it is written in textbooks: a sum, and one half."""

from jaxtyping import Float
from torch import Tensor


def half_squared_error(images: Float[Tensor, "b c h w"], targets: Float[Tensor, "b c h w"]) -> Float[Tensor, ""]:
    """½ Σ (image − target)² of an image, on average over the batch.

    >>> one = Tensor(2, 1, 3, 3).fill_(1)
    >>> half_squared_error(one, -one).item()  # ½ · 9 · 2²
    18.0
    """
    return (images - targets).square().sum((1, 2, 3)).mean() / 2
