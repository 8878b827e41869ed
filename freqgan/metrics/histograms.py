"""Histograms of real values without bounds, and the Wasserstein distance between two of them."""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from freqgan.metrics.eight_bit import EIGHT_BIT_NOISE

BINS = 4096
_LINEAR = 1e-3  # values below are resolved evenly, values above in steps of 0.7 %
_LIMIT = 1024.0  # values beyond count as this one
_REACH = math.asinh(_LIMIT / _LINEAR)


def histogram(values: Float[Tensor, "..."]) -> Int[Tensor, "bins"]:
    """How many values lie in each of `BINS` bins, which are finer towards zero."""
    place = (torch.asinh(values.float().flatten() / _LINEAR) / _REACH + 1) / 2 * BINS
    return torch.bincount(place.long().clamp(0, BINS - 1), minlength=BINS)


def scaled_wasserstein(real: Int[Tensor, "n bins"], fake: Int[Tensor, "n bins"]) -> Float[Tensor, "n"]:
    """W1 = ∫ |CDF_real(x) − CDF_fake(x)| dx of each pair of histograms, over the standard deviation of the real one.

    The deviation counts at least as that of 8-bit rounding. The bins resolve it to about 1 %.

    Args:
        real: counts.
        fake: counts, whose sum may be another one.

    Returns:
        float64.
    """
    real, fake = (counts / counts.sum(1, keepdim=True, dtype=torch.float64) for counts in (real, fake))
    edges = _LINEAR * torch.linspace(-_REACH, _REACH, BINS + 1, dtype=torch.float64).sinh().to(real.device)
    center, width = (edges[1:] + edges[:-1]) / 2, edges.diff()
    gap = (real - fake).cumsum(1)
    # Within a bin the gap runs linearly from the value at its left edge to that at its right.
    distance = ((gap.abs() + gap.roll(1, 1).abs()) / 2 * width).sum(1)
    mean = (real * center).sum(1, keepdim=True)
    variance = (real * (center - mean).square()).sum(1)
    scaled: Tensor = distance / variance.clamp(min=EIGHT_BIT_NOISE).sqrt()
    return scaled
