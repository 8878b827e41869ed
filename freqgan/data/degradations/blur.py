"""Blurs: a convolution with a kernel that is drawn for each image, borders mirrored."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from freqgan.data.degradations.base import Degradation, Span, check_span, draw, highest, in_unit_range
from freqgan.ops.resample import mirrored

_CUT = 3.0  # standard deviations after which a Gaussian is cut off
_SPLATS = 8  # points per pixel of a line


@dataclass
class GaussianBlur(Degradation):
    """A Gaussian, round or elliptic.

    Args:
        sigma: standard deviation in pixels; of an ellipse, both are drawn, and its angle.
        anisotropic: share of images that get an ellipse.
    """

    sigma: Span = (0.2, 3.0)
    anisotropic: float = 0.0

    def __post_init__(self) -> None:
        check_span(self, "sigma", 0)
        check_span(self, "anisotropic", 0, 1)
        self.reach = math.ceil(_CUT * highest(self.sigma))

    def __call__(self, image: Tensor, random: np.random.Generator) -> Tensor:
        """Blurred by its own kernel."""
        along = across = draw(self.sigma, random)
        angle = 0.0
        if self.anisotropic and random.random() < self.anisotropic:
            across, angle = draw(self.sigma, random), random.uniform(0, math.pi)
        return convolve(image, gaussian_kernel(along, across, angle))


@dataclass
class MotionBlur(Degradation):
    """A straight motion at even speed while the shutter was open.

    Args:
        length: of the motion in pixels.
        angle: of the motion in degrees, counter-clockwise from the right.
    """

    length: Span = (5.0, 25.0)
    angle: Span = (0.0, 180.0)

    def __post_init__(self) -> None:
        check_span(self, "length", 0)
        check_span(self, "angle", -360, 360)
        self.reach = math.ceil(highest(self.length) / 2) + 1

    def __call__(self, image: Tensor, random: np.random.Generator) -> Tensor:
        """Blurred along its own line."""
        return convolve(image, motion_kernel(draw(self.length, random), math.radians(draw(self.angle, random))))


def gaussian_kernel(along: float, across: float, angle: float) -> np.ndarray:
    """A Gaussian of two standard deviations, the first at an angle from the right, as weights that sum to 1."""
    radius = math.ceil(_CUT * max(along, across))
    y, x = np.mgrid[radius : -radius - 1 : -1, -radius : radius + 1]
    u, v = x * math.cos(angle) + y * math.sin(angle), y * math.cos(angle) - x * math.sin(angle)
    # A deviation of nothing is a point, and not a division by it.
    weights = np.exp(-0.5 * ((u / max(along, 1e-3)) ** 2 + (v / max(across, 1e-3)) ** 2))
    return np.asarray(weights / weights.sum())


def motion_kernel(length: float, angle: float) -> np.ndarray:
    """A line about the centre at an angle from the right, spread over the pixels nearest to it; it sums to 1."""
    radius = math.ceil(length / 2) + 1
    places = np.linspace(-length / 2, length / 2, _SPLATS * math.ceil(length) + 1)
    y, x = radius - places * math.sin(angle), radius + places * math.cos(angle)
    top, left = np.floor(y).astype(int), np.floor(x).astype(int)
    weights = np.zeros((2 * radius + 1, 2 * radius + 1))
    for row, share_y in ((top, top + 1 - y), (top + 1, y - top)):
        for column, share_x in ((left, left + 1 - x), (left + 1, x - left)):
            np.add.at(weights, (row, column), share_y * share_x)
    return np.asarray(weights / weights.sum())


def convolve(image: Tensor, kernel: np.ndarray) -> Tensor:
    """A convolution of all channels with an odd-sided kernel, through the FFT: same size, borders mirrored."""
    from scipy.fft import next_fast_len

    radius = len(kernel) // 2
    height, width = image.shape[-2:]
    rows, columns = (torch.from_numpy(mirrored(np.arange(-radius, n + radius), n)) for n in (height, width))
    padded = in_unit_range(image)[:, rows[:, None], columns]
    size = [next_fast_len(n, real=True) for n in padded.shape[-2:]]
    spectrum = torch.fft.rfft2(padded, s=size) * torch.fft.rfft2(torch.from_numpy(kernel), s=size)
    convolved: Tensor = torch.fft.irfft2(spectrum, s=size)
    return convolved[:, 2 * radius : 2 * radius + height, 2 * radius : 2 * radius + width]
