"""Precision, recall, density and coverage of feature sets.

References: precision and recall, Kynkäänniemi et al., "Improved Precision and Recall Metric for Assessing
Generative Models", 2019; density and coverage, Naeem et al., "Reliable Fidelity and Diversity Metrics for
Generative Models", 2020. As in the latter's code, a point on the rim of a ball is outside of it.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

_BLOCK = 1024  # rows of a distance matrix held at once


def prdc(real: Float[Tensor, "n d"], fake: Float[Tensor, "m d"], k: int = 5) -> dict[str, Tensor]:
    """The four measures from k-nearest-neighbour balls around each feature vector.

    precision: share of fakes inside some real ball; recall: share of reals inside some fake ball;
    density: how many real balls a fake lies in, over k; coverage: share of real balls with a fake inside.

    Args:
        real: n > k vectors.
        fake: m > k vectors. Recall and coverage depend on n and m: published figures have n = m.
        k: a ball's radius is the distance to its k-th nearest neighbour of the same set.

    Returns:
        `precision`, `recall` and `coverage` in [0, 1] and `density` ≥ 0, float64 scalars.

    Raises:
        ValueError: a set with k vectors or fewer.
    """
    if min(len(real), len(fake)) <= k:
        raise ValueError(f"k={k} neighbours need more than {k} vectors, got {len(real)} real, {len(fake)} fake")
    center = real.double().mean(0)  # distances come from dot products, which cancel badly far from the origin
    real, fake = real.double() - center, fake.double() - center
    real_radii, fake_radii = _radii(real, k), _radii(fake, k)
    balls_around_fake = torch.zeros(len(fake), dtype=torch.float64, device=fake.device)
    in_fake_ball, has_fake = [], []
    for rows, radii in zip(real.split(_BLOCK), real_radii.split(_BLOCK), strict=True):
        distances = _distances(rows, fake)
        inside_real = distances < radii[:, None]
        balls_around_fake += inside_real.sum(0)
        has_fake.append(inside_real.any(1))
        in_fake_ball.append((distances < fake_radii).any(1))
    return {
        "precision": (balls_around_fake > 0).double().mean(),
        "recall": torch.cat(in_fake_ball).double().mean(),
        "density": balls_around_fake.mean() / k,
        "coverage": torch.cat(has_fake).double().mean(),
    }


class PRDC(Metric):
    """`prdc` over features that arrive in batches.

    Args:
        k: which nearest neighbour sets a ball's radius.
        **kwargs: those of `torchmetrics.Metric`.
    """

    full_state_update = False
    real_features: list[Tensor]
    fake_features: list[Tensor]

    def __init__(self, k: int = 5, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.k = k
        self.add_state("real_features", [], dist_reduce_fx="cat")
        self.add_state("fake_features", [], dist_reduce_fx="cat")

    def update(self, features: Float[Tensor, "b d"], real: bool) -> None:
        """Adds feature vectors to the real or the fake set."""
        (self.real_features if real else self.fake_features).append(features)

    def compute(self) -> dict[str, Tensor]:
        """`precision`, `recall`, `density` and `coverage` of all features so far."""
        return prdc(dim_zero_cat(self.real_features), dim_zero_cat(self.fake_features), self.k)


def _radii(x: Tensor, k: int) -> Tensor:
    """Distance of each row to its k-th nearest other row."""
    return torch.cat([_distances(rows, x).kthvalue(k + 1, dim=1).values for rows in x.split(_BLOCK)])


def _distances(x: Tensor, y: Tensor) -> Tensor:
    return torch.cdist(x, y, compute_mode="use_mm_for_euclid_dist")
