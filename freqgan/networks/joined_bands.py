"""Bands as the images that networks work on: several of them as one, others beside them as context."""

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from freqgan.networks.band_gans import BandGAN

Shapes = Mapping[str, tuple[int, int, int]]


def joined_bands(gan: BandGAN, bands: Mapping[str, Tensor]) -> Float[Tensor, "b c h w"]:
    """A GAN's bands as one image of the smallest one's size; the pixels of larger ones become channels."""
    parts = []
    for name in gan.bands:
        factor = bands[name].shape[-1] // gan.shape[2]
        parts.append(F.pixel_unshuffle(bands[name], factor) if factor > 1 else bands[name])
    return torch.cat(parts, 1) if len(parts) > 1 else parts[0]


def parted_bands(gan: BandGAN, image: Float[Tensor, "b c h w"], shapes: Shapes) -> dict[str, Tensor]:
    """The bands that `joined_bands` made one image of."""
    factors = [shapes[name][2] // gan.shape[2] for name in gan.bands]
    channels = [shapes[name][0] * factor**2 for name, factor in zip(gan.bands, factors, strict=True)]
    parts = image.split(channels, 1)
    return {
        name: F.pixel_shuffle(part, factor) if factor > 1 else part
        for name, part, factor in zip(gan.bands, parts, factors, strict=True)
    }


def context_image(
    bands: Mapping[str, Tensor], sources: Sequence[str], size: tuple[int, int]
) -> Float[Tensor, "b k h w"] | None:
    """The source bands at one size, concatenated over channels; None where there are no sources.

    Coarser bands are repeated, which loses nothing; finer ones are averaged over areas.
    """
    if not sources:
        return None
    resized = []
    for name in sources:
        band = bands[name]
        if band.shape[-2:] != size:
            band = F.interpolate(band, size, mode="nearest" if band.shape[-1] < size[1] else "area")
        resized.append(band)
    return torch.cat(resized, 1)


def context_channels(sources: Sequence[str], shapes: Shapes) -> int:
    """Channels of `context_image`."""
    return sum(shapes[name][0] for name in sources)
