"""Layers that enlarge features (Shi et al. 2016, ESPCN; Odena et al. 2016 for interpolation before a convolution)."""

from collections.abc import Iterator
from typing import Literal, final

from torch import nn

Upsampler = Literal["pixel_shuffle", "interpolation"]


@final
class Upsampling(nn.Sequential):
    """Convolutions of 3×3 that enlarge, a prime factor each, with an activation behind each where there is one.

    Args:
        inputs: channels of the input.
        outputs: channels of the output.
        factor: by which both sides grow; 1 does nothing.
        upsampler: `pixel_shuffle` makes the new pixels by channels, `interpolation` repeats pixels and convolves those.
        slope: of the leaky ReLU behind each; None for no activation.
    """

    def __init__(
        self, inputs: int, outputs: int, factor: int, *, upsampler: Upsampler, slope: float | None = None
    ) -> None:
        layers: list[nn.Module] = []
        self.factors = list(prime_factors(factor))
        for prime in self.factors:
            if upsampler == "pixel_shuffle":
                layers += [nn.Conv2d(inputs, outputs * prime**2, 3, 1, 1), nn.PixelShuffle(prime)]
            else:
                layers += [nn.Upsample(scale_factor=prime, mode="nearest"), nn.Conv2d(inputs, outputs, 3, 1, 1)]
            if slope is not None:
                layers.append(nn.LeakyReLU(slope, inplace=True))
            inputs = outputs
        super().__init__(*layers)
        self.upsampler = upsampler
        self.outputs = inputs  # with nothing to do, those of the input

    def reach(self, pixels: int) -> int:
        """How far the input counts for what lies within so many pixels of the output."""
        for prime in reversed(self.factors):
            pixels = -(-pixels // prime) + 1 if self.upsampler == "pixel_shuffle" else -(-(pixels + 1) // prime)
        return pixels


def prime_factors(number: int) -> Iterator[int]:
    """Prime factors, small ones first.

    >>> list(prime_factors(12)), list(prime_factors(1))
    ([2, 2, 3], [])
    """
    divisor = 2
    while number > 1:
        while number % divisor == 0:
            yield divisor
            number //= divisor
        divisor += 1
