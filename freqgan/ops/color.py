"""Colour spaces."""

import torch
from jaxtyping import Float
from torch import Tensor

RED, GREEN, BLUE = 0.299, 0.587, 0.114  # shares of luminance, ITU-R BT.601, §2.5.1


def rgb_to_ycbcr(image: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h w"]:
    """Luminance Y and the differences in colour, Cb towards blue and Cr towards red (ITU-R BT.601, §2.5).

    For RGB in [-1, 1], Y, Cb and Cr are in [-1, 1] too, and of grey, Cb = Cr = 0. Full range, as in JPEG files,
    not that of video.

    >>> [round(value, 4) for value in rgb_to_ycbcr(torch.tensor([0.0, 0.0, 1.0]).view(1, 3, 1, 1)).flatten().tolist()]
    [0.114, 0.5, -0.0813]
    """
    red, green, blue = image.unbind(1)
    luminance = RED * red + GREEN * green + BLUE * blue
    return torch.stack((luminance, (blue - luminance) / (2 * (1 - BLUE)), (red - luminance) / (2 * (1 - RED))), 1)
