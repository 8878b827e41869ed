"""Low-pass images by radial masks in the Fourier domain, at their own or at half the size (periodic borders)."""

from collections.abc import Sequence
from functools import lru_cache, partial

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from freqgan.ops.linear import constant, linear

Size = tuple[int, int]


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


def halve(image: Float[Tensor, "*b h w"], rolloff: float) -> Float[Tensor, "*b h_half w_half"]:
    """The image at half its size, ⌈n/2⌉ of a side n: low-passed, its spectrum cropped.

    Values keep their scale, so that a flat image stays as it is, and the picture stays in place: new pixels lie in
    the middle of those that they stand for.

    Args:
        image: real images, at least float32.
        rolloff: width of the low pass's transition over its cut-off, `halving_cutoff`.
    """
    height, width = image.shape[-2:]
    small = height - height // 2, width - width // 2
    weights = _halving((height, width), small, rolloff)
    adjoint = partial(_reweigh, weights.conj(), (height, width))
    (half,) = linear(partial(_reweigh, weights, small), adjoint, image)
    return half


def halving_cutoff(rolloff: float) -> float:
    """The cut-off whose transition ends at 1/2, the highest frequency of an image of half the size."""
    return 1 / (2 + rolloff)


def double(half: Float[Tensor, "*b h_half w_half"], size: Size) -> Float[Tensor, "*b h w"]:
    """A smaller image at `size`, its spectrum padded with zeros; of a `halve` it is the low-passed image."""
    height, width = half.shape[-2:]
    weights = _doubling((height, width), size)
    adjoint = partial(_reweigh, weights.conj(), (height, width))
    (image,) = linear(partial(_reweigh, weights, size), adjoint, half)
    return image


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


@lru_cache(maxsize=32)
def _halving(size: Size, small: Size, rolloff: float) -> np.ndarray:
    rows, columns = _kept_frequencies(small)
    (mask,) = radial_masks(*size, (halving_cutoff(rolloff),), rolloff)
    shrink = small[0] * small[1] / (size[0] * size[1])
    weights: np.ndarray = shrink * mask[np.ix_(rows, columns)] * _doubling(small, size).conj()
    return weights


@lru_cache(maxsize=32)
def _doubling(small: Size, size: Size) -> np.ndarray:
    """Weights of the smaller image's coefficients in the larger one, for orthonormal transforms of both."""
    # Pixel centres of both images cover the same square: each is half a pixel of its own off the corner.
    rows, columns = (
        np.exp(1j * np.pi * frequencies * (1 / n - 1 / m))
        for frequencies, m, n in zip(_kept_frequencies(small), small, size, strict=True)
    )
    gain = np.sqrt(size[0] * size[1] / (small[0] * small[1]))
    weights: np.ndarray = gain * rows[:, None] * columns[None, :]
    return weights


def _kept_frequencies(small: Size) -> tuple[np.ndarray, np.ndarray]:
    """Cycles per image along the height, 0, 1 … −1, and along the width; an even side's highest has no sign."""
    highest = (small[0] - 1) // 2
    return np.r_[0 : highest + 1, -highest:0], np.arange((small[1] + 1) // 2)


def _reweigh(weights: np.ndarray, size: Size, image: Tensor) -> tuple[Tensor, ...]:
    """The image of `size` whose low frequencies are `image`'s times `weights`; its others are zero."""
    rows, columns = weights.shape
    above, below = (rows + 1) // 2, rows // 2
    height, width = size
    spectrum = torch.fft.rfft2(image, norm="ortho")[..., :columns]
    top, bottom = spectrum[..., :above, :], spectrum[..., spectrum.shape[-2] - below :, :]
    kept = torch.cat((top, bottom), dim=-2) * constant(weights, image)
    padded = kept.new_zeros(*kept.shape[:-2], height, width // 2 + 1)
    padded[..., :above, :columns] = kept[..., :above, :]
    padded[..., height - below :, :columns] = kept[..., above:, :]
    return (torch.fft.irfft2(padded, s=size, norm="ortho"),)
