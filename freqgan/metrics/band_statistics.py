"""Distance between the values of each frequency band: do the coefficients have the right distribution?"""

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torchmetrics import Metric

from freqgan.metrics.histograms import BINS, histogram, scaled_wasserstein
from freqgan.ops.keyed_random import torch_generator


class BandStatisticsDistance(Metric):
    """Wasserstein-1 distance of the coefficient values of each band, in units of the real band's deviation.

    For a band: `scaled_wasserstein` over all coefficients of all images and channels. 0 for equal
    distributions; a shift by one deviation gives 1; a band generated as all zeros gives mean |x| / std, 0.8
    for a normal one.

    Args:
        transform: images (b, c, h, w) in [-1, 1] to a dict of bands, each (b, …).
        image_shape: (c, h, w) of the images.
        device: where the transform expects them.
        **kwargs: those of `torchmetrics.Metric`.

    Attributes:
        names: of the bands, in the transform's order.
        transform_hash: names the transform by what it makes of a fixed image.
    """

    full_state_update = False
    higher_is_better = False
    real_counts: Tensor
    fake_counts: Tensor

    def __init__(
        self,
        transform: Callable[[Tensor], dict[str, Tensor]],
        image_shape: Sequence[int],
        *,
        device: torch.device | str = "cpu",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.transform = transform
        noise = torch.rand((1, *image_shape), generator=torch_generator(0, "probe")) * 2 - 1
        bands = transform(noise.to(device))
        self.names = tuple(bands)
        self.transform_hash = _hash(bands)
        for kind in ("real", "fake"):
            zeros = torch.zeros(len(bands), BINS, dtype=torch.int64)
            self.add_state(f"{kind}_counts", zeros, dist_reduce_fx="sum")

    def real_key(self) -> str:
        """What the statistics of the real images depend on beside the images."""
        return self.transform_hash

    def update(self, images: Float[Tensor, "b c h w"], real: bool) -> None:
        """Adds images in [-1, 1] to the real or the fake set."""
        counts = torch.stack([histogram(band) for band in self.transform(images).values()])
        if real:
            self.real_counts += counts.to(self.real_counts.device)
        else:
            self.fake_counts += counts.to(self.fake_counts.device)

    def compute(self) -> dict[str, Tensor]:
        """`band_distance_<band>` of each band, float64 scalars."""
        scaled = scaled_wasserstein(self.real_counts, self.fake_counts)
        return {f"band_distance_{name}": value for name, value in zip(self.names, scaled, strict=True)}


def _hash(bands: dict[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name, band in bands.items():
        digest.update(f"{name} {tuple(band.shape)} ".encode())
        digest.update(band.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
