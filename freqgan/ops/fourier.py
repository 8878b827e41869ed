"""Low-pass images by radial masks in the Fourier domain (periodic borders)."""

from collections.abc import Sequence
from functools import lru_cache, partial

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from freqgan.ops.linear import constant, linear


def low_passes(
    image: Float[Tensor, "*b h w"], cutoffs: Sequence[float], rolloff: float
) -> tuple[Float[Tensor, "*b h w"], ...]:
    """One low-passed image per cut-off.

    Args:
        image: real images; complex half-precision transforms do not exist, so at least float32.
        cutoffs: radii at which half the amplitude passes; 1 is the highest frequency along an axis (Nyquist).
        rolloff: width of the raised-cosine transition over the cut-off, 0 (a sharp edge, which rings most) to
            2.
    """
    masks = radial_masks(*image.shape[-2:], tuple(cutoffs), rolloff)
    # A real mask that depends on the radius alone makes a symmetric map: each low pass is its own adjoint.
    return linear(partial(_filter, masks), partial(_filter_and_sum, masks), image)


@lru_cache(maxsize=32)
def radial_masks(height: int, width: int, cutoffs: tuple[float, ...], rolloff: float) -> np.ndarray:
    """Float64 weights (cut-offs, height, width // 2 + 1) of `torch.fft.rfft2`'s coefficients, in [0, 1]."""
    radius = np.hypot(2 * np.fft.fftfreq(height)[:, None], 2 * np.fft.rfftfreq(width)[None, :])
    return np.stack([_raised_cosine(radius / cutoff, rolloff) for cutoff in cutoffs])


def _raised_cosine(radius: np.ndarray, rolloff: float) -> np.ndarray:
    if rolloff == 0:
        return (radius <= 1).astype(np.float64)
    through = np.clip((radius - 1) / rolloff + 0.5, 0, 1)
    return (1 + np.cos(np.pi * through)) / 2


def _filter(masks: np.ndarray, image: Tensor) -> tuple[Tensor, ...]:
    spectrum = torch.fft.rfft2(image)
    return tuple(torch.fft.irfft2(spectrum * mask, s=image.shape[-2:]) for mask in constant(masks, image))


def _filter_and_sum(masks: np.ndarray, *images: Tensor) -> tuple[Tensor, ...]:
    spectrum = sum(
        torch.fft.rfft2(image) * mask for image, mask in zip(images, constant(masks, images[0]), strict=True)
    )
    return (torch.fft.irfft2(spectrum, s=images[0].shape[-2:]),)
