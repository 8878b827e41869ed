"""Noise frames: one vector per generator and sample, each exactly normal, any two exactly orthogonal.

Reference: patent CN112529975A, claim 6 and [0085]: normally distributed, pairwise orthogonal, of equal length.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from freqgan.errors import UserError


def orthogonal_frame(directions: Float[Tensor, "b d n"], lengths: Float[Tensor, "b d n"]) -> Float[Tensor, "b n d"]:
    """Rows that are each N(0, I) in d dimensions and orthogonal to the other rows of their sample.

    The Q of a Gaussian matrix whose R has a positive diagonal is uniform over orthonormal frames; a length drawn
    independently from the chi distribution with d degrees of freedom makes every row exactly normal.

    Args:
        directions: standard normal draws; their column space gives the directions.
        lengths: independent standard normal draws; the norms of their columns are the lengths.

    Raises:
        UserError: fewer dimensions than rows, where no orthogonal frame exists.
    """
    _, d, n = directions.shape
    if d < n:
        raise UserError(f"model.latent_dim={d} is too small for {n} orthogonal noise vectors: set it to at least {n}")
    q, r = torch.linalg.qr(directions)
    sign = torch.diagonal(r, dim1=1, dim2=2).sign()
    frame: Tensor = (q * (sign * lengths.norm(dim=1)).unsqueeze(1)).transpose(1, 2)
    return frame


def uniform_rows(generator: torch.Generator, count: int) -> Float[Tensor, "b"]:
    """Numbers in [0, 1), one per sample."""
    return torch.rand(count, generator=generator)


def normal_rows(generator: torch.Generator, count: int, *, dim: int) -> Float[Tensor, "b d"]:
    """A standard normal vector per sample."""
    return torch.randn(count, dim, generator=generator)
