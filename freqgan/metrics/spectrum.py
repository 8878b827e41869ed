"""Distance of radial power spectra: what upsampling leaves behind and feature networks overlook.

Reference: Durall et al., "Watch your Up-Convolution: CNN Based Generative Deep Neural Networks are Failing to
Reproduce Spectral Distributions", 2020, the azimuthal integral. Departures: the mean over each ring instead
of the sum; all channels instead of grey; rings reach into the corners, where checkerboards live; decibels, so
that the weak high frequencies count as much as the strong low ones.
"""

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torchmetrics import Metric

from freqgan.metrics.eight_bit import EIGHT_BIT_NOISE


def num_rings(size: int) -> int:
    """Rings of a spectrum, up to the corner at size/√2 cycles per shorter side.

    >>> num_rings(32)
    24
    """
    return round(size * math.sqrt(0.5)) + 1


def radial_power_spectrum(images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b r"]:
    """Mean power |F|² of the orthonormal Fourier transform over rings of equal frequency, and channels.

    Ring k holds the coefficients with round(s·√(fx² + fy²)) = k, where s is the shorter side and fx, fy are
    in cycles per pixel. White noise of variance σ² has power σ² in every ring.

    Returns:
        float64, `num_rings(min(h, w))` values per image; ring 0 is the mean of the image.
    """
    size = min(images.shape[-2:])
    fy, fx = (torch.fft.fftfreq(side, dtype=torch.float64) for side in images.shape[-2:])
    ring = (size * torch.hypot(fy[:, None], fx)).round().long().flatten().to(images.device)
    power = torch.fft.fft2(images.double(), norm="ortho").abs().square().mean(1).flatten(1)
    sums = power.new_zeros(len(images), num_rings(size)).index_add_(1, ring, power)
    members = torch.bincount(ring, minlength=num_rings(size)).clamp(min=1)
    mean: Tensor = sums / members
    return mean


class SpectrumDistance(Metric):
    """Mean absolute difference in decibel between the radial power spectra of two sets of images.

    The mean over k ≥ 1 of |10·log10((P_real(k) + ε) / (P_fake(k) + ε))|, with P the mean over a set of
    `radial_power_spectrum` and ε the power of 8-bit rounding noise. 0 for equal spectra; 3 dB is a factor of
    two.

    Args:
        image_size: the shorter side of the images.
        **kwargs: those of `torchmetrics.Metric`.
    """

    full_state_update = False
    higher_is_better = False
    real_power: Tensor
    real_images: Tensor
    fake_power: Tensor
    fake_images: Tensor

    def __init__(self, image_size: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        for kind in ("real", "fake"):
            zeros = torch.zeros(num_rings(image_size), dtype=torch.float64)
            self.add_state(f"{kind}_power", zeros, dist_reduce_fx="sum")
            self.add_state(f"{kind}_images", torch.tensor(0), dist_reduce_fx="sum")

    def real_key(self) -> str:
        """What the statistics of the real images depend on beside the images."""
        return "radial power"

    def update(self, images: Float[Tensor, "b c h w"], real: bool) -> None:
        """Adds images in [-1, 1] to the real or the fake set."""
        power = radial_power_spectrum(images).sum(0).to(self.real_power.device)
        if real:
            self.real_power += power
            self.real_images += len(images)
        else:
            self.fake_power += power
            self.fake_images += len(images)

    def compute(self) -> dict[str, Tensor]:
        """`spectrum_distance` in decibel, a float64 scalar."""
        real, fake = self.real_power / self.real_images, self.fake_power / self.fake_images
        decibel = 10 * ((real + EIGHT_BIT_NOISE) / (fake + EIGHT_BIT_NOISE)).log10()
        return {"spectrum_distance": decibel[1:].abs().mean()}
