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


def studio_luminance(image: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 1 h w"]:
    """Luminance of levels in [0, 255] in the range of video, [16, 235], as MATLAB's `rgb2ycbcr` has it, not rounded.

    Y = 16 + (65.481 R + 128.553 G + 24.966 B) / 255 (ITU-R BT.601 with 219 steps): what super-resolution is judged on.

    >>> [round(value, 3) for value in studio_luminance(torch.eye(3).view(3, 3, 1, 1) * 255).flatten().tolist()]
    [81.481, 144.553, 40.966]
    """
    weights = image.new_tensor([65.481, 128.553, 24.966]).view(3, 1, 1) / 255
    return 16 + (image * weights).sum(1, keepdim=True)
