"""How the colours of one set of images differ from those of another, in CIE L*a*b*, as people see differences."""

import torch
from jaxtyping import Float64
from torch import Tensor

from freqgan.ops.color import rgb_to_lab


def colour_moments(images: Tensor) -> Float64[Tensor, "b 12"]:
    """Of each image, the means over its pixels of L, a and b, and of their nine products.

    Args:
        images: (b, c, h, w) in [-1, 1], 1 channel or 3.

    >>> colour_moments(torch.ones(1, 1, 2, 2))[0, ::3].round().abs().tolist()  # white
    [100.0, 10000.0, 0.0, 0.0]
    """
    pixels = rgb_to_lab(images.double().expand(-1, 3, -1, -1)).flatten(2)
    products = torch.einsum("bip, bjp -> bij", pixels, pixels) / pixels.shape[2]
    return torch.cat((pixels.mean(2), products.flatten(1)), 1)


def colour_shift(of: Float64[Tensor, "n 12"], to: Float64[Tensor, "m 12"]) -> dict[str, float]:
    """How far the colours of two sets of images are from each other; each image counts the same, whatever its size.

    Args:
        of: `colour_moments` of one set.
        to: of the other.

    Returns:
        `colour_shift_mean`, the distance of the mean colours (ΔE*ab), and `colour_shift_covariance`, the Frobenius norm
        of the difference of the covariances of all pixels (ΔE²).

    >>> grey, white = (colour_moments(torch.full((1, 3, 2, 2), value)) for value in (-1.0, 1.0))
    >>> {name: round(value, 3) for name, value in colour_shift(torch.cat((grey, white)), white).items()}
    {'colour_shift_mean': 50.0, 'colour_shift_covariance': 2500.0}
    """
    (mean, covariance), (other_mean, other_covariance) = (_statistics(moments) for moments in (of, to))
    return {
        "colour_shift_mean": float((mean - other_mean).norm()),
        "colour_shift_covariance": float((covariance - other_covariance).norm()),
    }


def _statistics(moments: Tensor) -> tuple[Tensor, Tensor]:
    mean, products = moments.mean(0).split((3, 9))
    return mean, products.view(3, 3) - torch.outer(mean, mean)
