"""Clusters of vectors by k-means."""

import numpy as np
import torch
from jaxtyping import Float
from scipy.cluster.vq import kmeans
from torch import Tensor

STARTS = 8
DECIMALS = 5  # in which vectors differ


def centres(vectors: Float[Tensor, "n f"], count: int, *, random: np.random.Generator) -> Float[Tensor, "k f"]:
    """Means of at most `count` clusters, the best of eight starts, in the order of their first coordinates.

    Args:
        vectors: at least one. Of fewer different ones than `count`, each is a cluster.
        count: of clusters.
        random: draws the vectors that a start begins with.

    >>> centres(torch.tensor([[5.0], [0.0], [1.0], [6.0]]), 2, random=np.random.default_rng(0)).tolist()
    [[0.5], [5.5]]
    """
    rows = vectors.detach().double().cpu().numpy()
    found = np.unique(rows.round(DECIMALS), axis=0)
    if len(found) > count:
        # Of all rows, not of the different ones: which of these there are may depend on a last digit.
        starts = (rows[random.choice(len(rows), count, replace=False)] for _ in range(STARTS))
        found, _ = min((kmeans(rows, start) for start in starts), key=lambda outcome: float(outcome[1]))
        found = found[np.lexsort(found.T[::-1])]
    return torch.from_numpy(found).to(vectors.device, vectors.dtype)
