"""A transform whose bands are divided by a stored scale each, measured once, so that networks see comparable ranges.

The low band of an orthonormal Haar transform doubles its range at every level, and high bands peak sharply at zero.
"""

from collections.abc import Iterable, Mapping
from typing import Literal, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from freqgan.transforms.base import Transform

Statistic = Literal["max", "percentile", "rms"]


@final
class UnitScale(nn.Module):
    """Bands at unit scale, and back.

    Args:
        transform: splits images into bands and joins them.
        image_size: height and width of the images.
        channels: channels of the images.

    Attributes:
        bands: what the transform makes of an image.
        scales: a number per band, from coarse to fine; part of the state, 1 until `calibrate`.
    """

    def __init__(self, transform: Transform, *, image_size: int, channels: int) -> None:
        super().__init__()
        self.transform = transform
        self.bands = transform.bands((image_size, image_size), channels)
        self.register_buffer("scales", torch.ones(len(self.bands)))
        self.scales: Tensor

    def forward(self, images: Float[Tensor, "b c h w"]) -> dict[str, Tensor]:
        """Bands at unit scale."""
        bands = self.transform(images)
        return {band.name: bands[band.name] / scale for band, scale in zip(self.bands, self.scales, strict=True)}

    def inverse(self, bands: Mapping[str, Tensor]) -> Float[Tensor, "b c h w"]:
        """The image of bands at unit scale."""
        # A scale of one dimension promotes bf16 to its float32; one of none would be rounded to bf16.
        scales = zip(self.bands, self.scales.split(1), strict=True)
        return self.transform.inverse({band.name: bands[band.name] * scale for band, scale in scales})

    def calibrate(self, images: Iterable[Float[Tensor, "b c h w"]], statistic: Statistic) -> None:
        """Measures every scale.

        Args:
            images: batches of real images in [-1, 1].
            statistic: the greatest magnitude, the greatest of the batches' 99.9th percentiles of magnitudes, or the
                root mean square.
        """
        parts: list[list[Tensor]] = [[] for _ in self.bands]
        counts: list[int] = []
        for batch in images:
            counts.append(len(batch))
            bands = self.transform(batch.to(self.scales.device))
            for part, band in zip(parts, self.bands, strict=True):
                part.append(_magnitude(bands[band.name], statistic))
        shares = self.scales.new_tensor(counts) / sum(counts)
        for i, part in enumerate(parts):
            values = torch.stack(part)
            scale = (shares * values.square()).sum().sqrt() if statistic == "rms" else values.max()
            self.scales[i] = scale.clamp_min(1e-6)


def _magnitude(band: Tensor, statistic: Statistic) -> Tensor:
    sizes = band.abs().flatten()
    match statistic:
        case "max":
            return sizes.max()
        case "percentile":
            return sizes.kthvalue(max(1, int(0.999 * sizes.numel()))).values
        case "rms":
            return sizes.square().mean().sqrt()
