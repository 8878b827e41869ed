"""A transform whose bands are divided by a stored scale each, measured once, so that networks see comparable ranges.

The low band of an orthonormal Haar transform doubles its range at every level, and high bands peak sharply at zero.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Literal, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from freqgan.transforms.base import Transform, at_least_float32
from freqgan.transforms.every_low import EveryLow
from freqgan.transforms.pyramid import Pyramid

Statistic = Literal["max", "percentile", "rms"]


@final
class UnitScale(nn.Module):
    """Bands at unit scale, and back; with several resolutions, the low image of each is among them.

    Args:
        transform: splits images into bands and joins them.
        image_size: height and width of the images.
        channels: channels of the images.
        statistic: what `calibrate` measures: the greatest magnitude, the greatest of the batches' 99.9th percentiles of
            magnitudes, or the root mean square.
        companding: μ of the μ-law that high bands are compressed by, 0 for none. Most of their values are near zero; at
            255 a network's error of 1 % there becomes one of 0.02 %.

    Attributes:
        bands: what `forward` gives, coarse to fine.
        scales: a number per band, from coarse to fine; part of the state, 1 until `calibrate`.
    """

    def __init__(
        self,
        transform: Transform,
        *,
        image_size: int,
        channels: int,
        statistic: Statistic = "max",
        companding: float = 0.0,
    ) -> None:
        super().__init__()
        self.statistic = statistic
        self.companding = companding
        self.transform = EveryLow(transform) if transform.levels > 1 else transform
        self.bands = self.transform.bands((image_size, image_size), channels)
        self.names = [band.name for band in self.bands]
        self._high = {band.name for band in self.bands if band.frequency_class}
        self.register_buffer("scales", torch.ones(len(self.bands)))
        self.scales: Tensor

    def forward(self, images: Float[Tensor, "b c h w"]) -> dict[str, Tensor]:
        """Bands at unit scale."""
        return self.scaled(self.transform(images))

    def scaled(self, raw: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The transform's bands, some or all, at unit scale."""
        return {name: self._compressed(name, band / self._scale(name)) for name, band in raw.items()}

    def unscaled(self, bands: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The transform's bands, some or all, of those at unit scale."""
        return {name: self._expanded(name, band) * self._scale(name) for name, band in bands.items()}

    def level_names(self, level: int) -> list[str]:
        """Bands of one level, its low image first."""
        return [band.name for band in self.bands if band.level == level]

    def lift(self, level: int, bands: Mapping[str, Tensor]) -> Float[Tensor, "b c h w"]:
        """What a level's bands at unit scale make: the next finer level's low image at unit scale, or the image.

        Args:
            level: from the coarsest to 1; 0 for a transform without resolutions.
            bands: those of `level_names(level)` at least.
        """
        raw = self.unscaled({name: bands[name] for name in self.level_names(level)})
        if level == 0:
            return self.transform.inverse(raw)
        assert isinstance(self.transform, EveryLow | Pyramid)
        low: Tensor = self.transform.lift(level, raw)
        return low if level == 1 else low / self._scale(self.level_names(level - 1)[0])

    def image(self, bands: Mapping[str, Tensor]) -> Float[Tensor, "b c h w"]:
        """The image of bands at unit scale: what those of the finest level make."""
        return self.lift(self.bands[-1].level, bands)

    def _scale(self, name: str) -> Tensor:
        """Of one dimension, which promotes bf16 to its float32; one of none would be rounded to bf16."""
        return self.scales[self.names.index(name)][None]

    def _compressed(self, name: str, band: Tensor) -> Tensor:
        return compress(band, self.companding) if self.companding and name in self._high else band

    def _expanded(self, name: str, band: Tensor) -> Tensor:
        if not self.companding or name not in self._high:
            return band
        return expand(band.to(at_least_float32(band)), self.companding)  # bf16 would round the exponent

    def calibrate(self, images: Iterable[Float[Tensor, "b c h w"]]) -> None:
        """Measures every scale on batches of real images in [-1, 1]."""
        parts: list[list[Tensor]] = [[] for _ in self.bands]
        counts: list[int] = []
        for batch in images:
            counts.append(len(batch))
            bands = self.transform(batch.to(self.scales.device))
            for part, name in zip(parts, self.names, strict=True):
                part.append(_magnitude(bands[name], self.statistic))
        shares = self.scales.new_tensor(counts) / sum(counts)
        for i, part in enumerate(parts):
            values = torch.stack(part)
            scale = (shares * values.square()).sum().sqrt() if self.statistic == "rms" else values.max()
            self.scales[i] = scale.clamp_min(1e-6)


def compress(values: Tensor, mu: float) -> Tensor:
    """The μ-law of telephony (ITU-T G.711): sign(x) · ln(1 + μ|x|) / ln(1 + μ), [-1, 1] to itself.

    >>> round(compress(torch.tensor(0.1), 255.0).item(), 3)
    0.591
    """
    return values.sign() * (values.abs() * mu).log1p() / math.log1p(mu)


def expand(values: Tensor, mu: float) -> Tensor:
    """The inverse of `compress`: sign(y) · ((1 + μ)^|y| − 1) / μ.

    >>> round(expand(torch.tensor(0.591), 255.0).item(), 3)
    0.1
    """
    return values.sign() * (values.abs() * math.log1p(mu)).expm1() / mu


def _magnitude(band: Tensor, statistic: Statistic) -> Tensor:
    sizes = band.abs().flatten()
    match statistic:
        case "max":
            return sizes.max()
        case "percentile":
            return sizes.kthvalue(max(1, int(0.999 * sizes.numel()))).values
        case "rms":
            return sizes.square().mean().sqrt()
