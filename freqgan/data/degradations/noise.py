"""Noise of sensors, and what a JPEG file loses."""

import io
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from freqgan.data.decode import decode
from freqgan.data.degradations.base import Degradation, Span, check_span, draw, in_unit_range, to_depth_of

_BYTES = torch.zeros(0, dtype=torch.uint8)


@dataclass
class GaussianNoise(Degradation):
    """Independent normal noise.

    Args:
        sigma: standard deviation in steps of 8 bits, 1/255 of white.
        grey: share of images whose channels have the same noise.
    """

    sigma: Span = (1.0, 30.0)
    grey: float = 0.0

    def __post_init__(self) -> None:
        check_span(self, "sigma", 0)
        check_span(self, "grey", 0, 1)

    def __call__(self, image: Tensor, random: np.random.Generator) -> Tensor:
        """With noise of its own strength."""
        sigma = draw(self.sigma, random) / 255
        channels = 1 if self.grey and random.random() < self.grey else len(image)
        noise = random.standard_normal((channels, *image.shape[1:]))
        return in_unit_range(image) + sigma * torch.from_numpy(noise)


@dataclass
class PoissonNoise(Degradation):
    """The noise of counting light: brighter is noisier.

    Args:
        photons: that are counted at white; fewer are noisier.
    """

    photons: Span = (50.0, 1000.0)

    def __post_init__(self) -> None:
        check_span(self, "photons", 1)

    def __call__(self, image: Tensor, random: np.random.Generator) -> Tensor:
        """With the noise of its own exposure."""
        photons = draw(self.photons, random)
        expected = in_unit_range(image).clamp(min=0) * photons
        return torch.from_numpy(random.poisson(expected.numpy())) / photons


@dataclass
class JPEG(Degradation):
    """Compressed and decompressed by Pillow, colour at half the resolution; rounded to bytes on the way.

    Args:
        quality: 1 to 100, as Pillow counts it; whole numbers are drawn.
    """

    quality: Span = (30.0, 95.0)

    def __post_init__(self) -> None:
        check_span(self, "quality", 1, 100)

    def __call__(self, image: Tensor, random: np.random.Generator) -> Tensor:
        """As bytes."""
        pixels = to_depth_of(_BYTES, image).permute(1, 2, 0).numpy()
        file = io.BytesIO()
        Image.fromarray(pixels if pixels.shape[2] == 3 else pixels[..., 0]).save(
            file, "JPEG", quality=round(draw(self.quality, random))
        )
        decoded = np.array(decode(file)).reshape(pixels.shape)
        return torch.from_numpy(decoded).permute(2, 0, 1)
