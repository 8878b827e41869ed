"""Distances summed over the scales of an image pyramid.

Reference: patent CN111369440A, [0099]–[0103]: Σ over scales ‖HR − SR‖₁, here with the mean over pixels for the norm, so
that every scale counts equally whatever its size. Departure: LapSRN, which is near, has Charbonnier's distance.
"""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

Pyramid = Mapping[int, Float[Tensor, "b c _ _"]]


def multiscale_l1(images: Pyramid, targets: Pyramid) -> Float[Tensor, ""]:
    """Σ over scales of E |image − target|.

    Args:
        images: by scale.
        targets: of the same scales, each with its image's shape.

    >>> one = torch.ones(1, 1, 2, 2)
    >>> multiscale_l1({1: one[..., :1, :1], 2: one}, {1: -one[..., :1, :1], 2: 0 * one}).item()  # 2 + 1
    3.0
    """
    return torch.stack([(image - targets[scale]).abs().mean() for scale, image in images.items()]).sum()
