"""What the source says the bands are for: high ones carry contours and detail, low ones grey and colour.

Reference: patent CN112529975A, [0033]. Each claim has a distance of its own, made without any frequency transform, so
that no model's own transform is its judge.
"""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from freqgan.metrics.eight_bit import EIGHT_BIT_NOISE
from freqgan.metrics.histograms import BINS, histogram, scaled_wasserstein
from freqgan.ops.color import rgb_to_ycbcr
from freqgan.ops.keyed_random import torch_generator

_SCALES = 2
_SIDE = 8  # of the areas' averages
_BASES = 2  # orthonormal ones, whose vectors are the directions


class ContentDistance(Metric):
    """Distances in detail, in grey and in colour between two sets of images; 0 for equal sets.

    - `detail_distance`: `scaled_wasserstein` between the magnitudes of the luminance's gradient, forward differences at
      every pixel; the mean over two scales, the image's own and that of 2×2 averages. Flat images give mean / std of
      the real magnitudes.
    - `grey_distance`: `sliced_wasserstein` between the luminance averaged over 8×8 areas, vectors of 64 numbers.
    - `colour_distance`: the same of Cb and Cr, vectors of 128 numbers; absent where images have one channel.

    Args:
        image_shape: (c, h, w) of the images, c 1 or 3, sides of 4 at least.
        **kwargs: those of `torchmetrics.Metric`.
    """

    full_state_update = False
    higher_is_better = False
    real_gradients: Tensor
    fake_gradients: Tensor
    real_areas: list[Tensor]
    fake_areas: list[Tensor]

    def __init__(self, image_shape: Sequence[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        channels, height, width = image_shape
        if channels not in (1, 3) or min(height, width) < 4:
            raise ValueError(f"content is measured on images (1 or 3, 4 or more, 4 or more), got {tuple(image_shape)}")
        for kind in ("real", "fake"):
            self.add_state(f"{kind}_gradients", torch.zeros(_SCALES, BINS, dtype=torch.int64), dist_reduce_fx="sum")
            self.add_state(f"{kind}_areas", [], dist_reduce_fx="cat")

    def real_key(self) -> str:
        """What the statistics of the real images depend on beside the images."""
        return "luminance gradients, averages of areas"

    def update(self, images: Float[Tensor, "b c h w"], real: bool) -> None:
        """Adds images in [-1, 1] to the real or the fake set."""
        images = images.float() if images.shape[1] == 1 else rgb_to_ycbcr(images.float())
        luminance = images[:, :1]
        counts = torch.stack([histogram(gradient_magnitude(F.avg_pool2d(luminance, 2**i))) for i in range(_SCALES)])
        areas = F.adaptive_avg_pool2d(images, _SIDE).flatten(2).cpu()  # (b, c, 64)
        if real:
            self.real_gradients += counts.to(self.real_gradients.device)
            self.real_areas.append(areas)
        else:
            self.fake_gradients += counts.to(self.fake_gradients.device)
            self.fake_areas.append(areas)

    def compute(self) -> dict[str, Tensor]:
        """`detail_distance`, `grey_distance` and, of images with colour, `colour_distance`; float64 scalars."""
        real, fake = dim_zero_cat(self.real_areas), dim_zero_cat(self.fake_areas)
        detail = scaled_wasserstein(self.real_gradients, self.fake_gradients).mean()
        grey = sliced_wasserstein(real[:, 0], fake[:, 0])
        found = {"detail_distance": detail, "grey_distance": grey}
        if real.shape[1] == 1:
            return found
        return found | {"colour_distance": sliced_wasserstein(real[:, 1:].flatten(1), fake[:, 1:].flatten(1))}


def gradient_magnitude(image: Float[Tensor, "b 1 h w"]) -> Float[Tensor, "b 1 h-1 w-1"]:
    """√(dx² + dy²) of the differences to the right and the lower neighbour.

    >>> gradient_magnitude(torch.tensor([[0.0, 3.0], [4.0, 9.0]]).view(1, 1, 2, 2)).item()
    5.0
    """
    corner = image[..., :-1, :-1]
    return torch.hypot(image[..., :-1, 1:] - corner, image[..., 1:, :-1] - corner)


def sliced_wasserstein(real: Float[Tensor, "n d"], fake: Float[Tensor, "m d"]) -> Float[Tensor, ""]:
    """Sliced Wasserstein-2 distance over the root mean variance of the real vectors along the same directions.

    SW2² is the mean over directions of W2² between the projections (Bonneel et al., "Sliced and Radon Wasserstein
    Barycenters of Measures", 2015, eq. 5); here the directions are the vectors of two fixed orthonormal bases. Hence a
    shift by δ gives exactly |δ| / √(trace of the real covariance), and a set that holds nothing but the real mean
    exactly 1. Two samples of one distribution are not at 0: compare at equal n and m only.

    Returns:
        A float64 scalar.
    """
    directions = _directions(real.shape[1]).to(real.device)
    # Distances are small beside the vectors' common offset, so that is taken off first.
    center = real.double().mean(0)
    real, fake = ((vectors.double() - center) @ directions for vectors in (real, fake))
    squared = torch.stack([_squared_wasserstein(a, b) for a, b in zip(real.T, fake.T, strict=True)]).mean()
    scaled: Tensor = (squared / real.square().mean().clamp(min=EIGHT_BIT_NOISE)).sqrt()
    return scaled


def _directions(dim: int) -> Float[Tensor, "d k"]:
    """The same unit vectors every time, as columns; k is a multiple of d."""
    noise = torch.randn(_BASES, dim, dim, generator=torch_generator(0, "directions"), dtype=torch.float64)
    return torch.cat([*torch.linalg.qr(noise).Q], 1)


def _squared_wasserstein(a: Float[Tensor, "n"], b: Float[Tensor, "m"]) -> Float[Tensor, ""]:
    """W2² = ∫ (a's quantile(u) − b's quantile(u))² du of two samples, which may differ in number.

    Both quantile functions are steps; with u counted in units of 1 / (n·m), the steps are at whole numbers.
    """
    n, m = len(a), len(b)
    starts = torch.cat((torch.arange(n, device=a.device) * m, torch.arange(m, device=a.device) * n)).unique()
    widths = torch.cat((starts, starts.new_tensor([n * m]))).diff()
    gap = a.sort().values[starts // m] - b.sort().values[starts // n]
    squared: Tensor = (gap.square() * widths).sum() / (n * m)
    return squared
