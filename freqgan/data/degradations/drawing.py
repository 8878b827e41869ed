"""What leaves the shape of things and takes the rest: colour, or all but the outlines."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from freqgan.data.degradations.base import Degradation, Span, check_span, draw, highest, in_unit_range
from freqgan.data.degradations.blur import convolve, gaussian_kernel
from freqgan.ops.color import BLUE, GREEN, RED

_EQUAL = 1e-9  # of two pixels that are as high but for rounding, the line is the first one


@dataclass
class Grey(Degradation):
    """Luminance alone, in as many channels as before, so that colours are what is to be restored."""

    def __call__(self, image: Tensor, random: np.random.Generator) -> Tensor:
        """Without colour; nothing is drawn."""
        pixels = in_unit_range(image)
        if len(pixels) == 1:
            return pixels
        luminance = (pixels * pixels.new_tensor([RED, GREEN, BLUE]).view(3, 1, 1)).sum(0, keepdim=True)
        return luminance.expand_as(pixels)


@dataclass
class Edges(Degradation):
    """Thin dark lines on white where the picture changes: the edges of Canny (1986) up to his hysteresis.

    Of the channels, the one that changes most tells. A line is as dark as the contrast of the edge: white up to the
    threshold, black from twice the threshold on.

    Args:
        sigma: of the Gaussian before the derivative, in pixels: larger leaves fewer and smoother lines.
        threshold: contrast of the faintest edge, a step in [0, 1].
    """

    sigma: Span = 1.0
    threshold: Span = 0.08

    def __post_init__(self) -> None:
        check_span(self, "sigma", 0.3)
        check_span(self, "threshold", 1e-3, 1)
        self.reach = math.ceil(3 * highest(self.sigma)) + 2

    def __call__(self, image: Tensor, random: np.random.Generator) -> Tensor:
        """Its lines, in as many channels."""
        sigma, threshold = draw(self.sigma, random), draw(self.threshold, random)
        kernel = gaussian_kernel(sigma, sigma, 0.0)
        pixels = convolve(image, kernel)
        padded = torch.nn.functional.pad(pixels, (1, 1, 1, 1), mode="replicate")
        across = (padded[:, 1:-1, 2:] - padded[:, 1:-1, :-2]) / 2
        down = (padded[:, 2:, 1:-1] - padded[:, :-2, 1:-1]) / 2
        # NumPy's argmax over channels takes a tenth of torch's time.
        strongest = torch.from_numpy((across.square() + down.square()).numpy().argmax(0))[None]
        across, down = (slope.gather(0, strongest)[0] for slope in (across, down))
        middle = len(kernel) // 2
        slope_of_a_step = kernel[:, middle : middle + 2].sum() / 2  # from 0 to 1
        contrast = torch.hypot(across, down) / slope_of_a_step
        darkness = (contrast / threshold - 1).clamp(0, 1) * _crests(contrast, across, down)
        lines: Tensor = (1 - darkness).expand_as(image)
        return lines


def _crests(height: Tensor, across: Tensor, down: Tensor) -> Tensor:
    """Where a map is highest along its slope, to the nearest of four directions: lines of one pixel's width."""
    eighth = torch.round(torch.atan2(down, across) / (math.pi / 4)).long() % 4
    padded = torch.nn.functional.pad(height[None], (1, 1, 1, 1), mode="replicate")[0]
    rows, columns = height.shape
    crests = torch.zeros_like(height, dtype=torch.bool)
    for direction, (y, x) in enumerate(((0, 1), (1, 1), (1, 0), (1, -1))):
        ahead = padded[1 + y : 1 + y + rows, 1 + x : 1 + x + columns]
        behind = padded[1 - y : 1 - y + rows, 1 - x : 1 - x + columns]
        crests |= (eighth == direction) & (height >= ahead - _EQUAL) & (height > behind + _EQUAL)
    return crests
