"""The distances between two sets of images that share the features of one network."""

import warnings
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torchmetrics import Metric
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import KernelInceptionDistance
from torchmetrics.utilities import dim_zero_cat

from freqgan.errors import UserError
from freqgan.features import FeatureNetwork
from freqgan.metrics.prdc import prdc
from freqgan.ops.keyed_random import key, permutation

_BLOCK = 4096  # feature vectors held in float64 at once


class FeatureDistances(Metric):
    """Fréchet and kernel distance, precision, recall, density and coverage; the network runs once per image.

    Fréchet and kernel distance are torchmetrics' own, fed with features in float64. With fewer images than
    features the covariances are singular: the Fréchet distance is still defined but, as always, biased
    upwards by an amount that depends on the number of images, so compare it at equal numbers only. Precision
    and its kin compare sets of equal size: the larger set is sampled, always in the same way. Nothing here
    draws from, or changes, a global random generator.

    Args:
        features: the network.
        k: neighbours that span a ball for precision, recall, density and coverage.
        kid_subsets: random subsets over which the unbiased kernel distance is averaged.
        kid_subset_size: images per subset; fewer if a set has fewer.
        **kwargs: those of `torchmetrics.Metric`.
    """

    full_state_update = False
    real_features: list[Tensor]
    fake_features: list[Tensor]

    def __init__(
        self,
        features: FeatureNetwork,
        *,
        k: int = 5,
        kid_subsets: int = 10,
        kid_subset_size: int = 1000,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.network = features
        self.k, self.kid_subsets, self.kid_subset_size = k, kid_subsets, kid_subset_size
        self.add_state("real_features", [], dist_reduce_fx="cat")
        self.add_state("fake_features", [], dist_reduce_fx="cat")

    def real_key(self) -> str:
        """What the statistics of the real images depend on beside the images."""
        return f"{self.network.name} {self.network.weights_hash()}"

    def update(self, images: Float[Tensor, "b c h w"], real: bool) -> None:
        """Adds images in [-1, 1] to the real or the fake set."""
        (self.real_features if real else self.fake_features).append(self.network(images).cpu())

    def compute(self) -> dict[str, Tensor]:
        """`fd` (`fid` for the published Inception), `kid`, `precision`, `recall`, `density`, `coverage`.

        Raises:
            UserError: fewer than k + 1 images in one of the sets.
        """
        counts = [sum(map(len, features)) for features in (self.real_features, self.fake_features)]
        fewest = min(counts)
        if fewest <= self.k:
            wanted = f"{self.k + 1} real and {self.k + 1} generated images or more, got {counts[0]} and {counts[1]}"
            if self.k == 1:  # neighbours are not asked for, but a distribution needs two images
                fix = "raise data.val_fraction or metrics.num_images"
                raise UserError(f"the Fréchet distance needs {wanted}: {fix}")
            raise UserError(f"metrics.k={self.k} needs {wanted}: compare more images, or set metrics.k lower")
        real, fake = dim_zero_cat(self.real_features), dim_zero_cat(self.fake_features)
        return {
            self.network.frechet_name: frechet_distance(real, fake),
            "kid": kernel_distance(real, fake, subsets=self.kid_subsets, subset_size=self.kid_subset_size),
            **prdc(_sample(real, fewest), _sample(fake, fewest), self.k),
        }


def frechet_distance(real: Float[Tensor, "n d"], fake: Float[Tensor, "m d"]) -> Float[Tensor, ""]:
    """Fréchet distance of two sets of features, at least two of each: torchmetrics' own, in float64."""
    metric = FrechetInceptionDistance(feature=_Computed(real.shape[1]), sync_on_compute=False)
    for features, is_real in ((real, True), (fake, False)):
        for block in features.split(_BLOCK):
            metric.update(block.double(), real=is_real)
    distance: Tensor = metric.compute()
    return distance


def kernel_distance(
    real: Float[Tensor, "n d"], fake: Float[Tensor, "m d"], *, subsets: int, subset_size: int
) -> Float[Tensor, ""]:
    """Unbiased kernel distance of two sets of features, at least two of each: torchmetrics' own, in float64.

    Args:
        real: features of one set.
        fake: of the other.
        subsets: random ones, always the same, over which it is averaged.
        subset_size: of each; fewer if a set has fewer.
    """
    with warnings.catch_warnings(action="ignore"):  # that it stores the features, which is what we want
        metric = KernelInceptionDistance(
            feature=_Computed(real.shape[1]),
            subsets=subsets,
            subset_size=min(len(real), len(fake), subset_size),
            sync_on_compute=False,
        )
    metric.update(real.double(), real=True)
    metric.update(fake.double(), real=False)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(key(0, "kid"))  # torch.manual_seed would touch the GPUs' too
        mean: Tensor = metric.compute()[0]
    return mean


class _Computed(nn.Module):
    """Stands where torchmetrics wants a network, for features that are there already."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.num_features = num_features

    def forward(self, features: Tensor) -> Tensor:
        return features


def _sample(features: Tensor, count: int) -> Tensor:
    """`count` rows; data sets are often sorted, so not simply the first ones."""
    if len(features) == count:
        return features
    return features[torch.from_numpy(permutation(0, "prdc", 0, len(features))[:count].copy())]
