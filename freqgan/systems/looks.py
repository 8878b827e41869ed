"""How instances look: clusters of an encoder's features, class by class, and features for a label map without image.

Reference: Wang et al. 2018, §3.4, and the published code: of each class, k-means over the instances that cover more
than 1/64 of their image. Departure: a class without any so large has the clusters of all of its instances.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping

import torch
from jaxtyping import Float, Int
from torch import Tensor

from freqgan.networks import InstanceEncoder
from freqgan.ops.clusters import centres
from freqgan.ops.instances import MOST_LABELS, labels_of
from freqgan.ops.keyed_random import key, numpy_generator

LARGE = 1 / 64  # of an image's pixels
MOST_REGIONS = 1 << 62

Looks = Mapping[tuple[int, int], int]  # the number of a cluster, by label and instance id


def clusters(
    encoder: InstanceEncoder, samples: Iterable[tuple[Float[Tensor, "1 c h w"], Int[Tensor, "1 h w"]]]
) -> dict[int, Float[Tensor, "k f"]]:
    """The clusters of each class.

    Args:
        encoder: in evaluation mode.
        samples: an image in [-1, 1] and its regions, see `freqgan.ops.instances`.
    """
    found: dict[bool, dict[int, list[Tensor]]] = {True: defaultdict(list), False: defaultdict(list)}
    for image, regions in samples:
        features = encoder(image, regions)[0].flatten(1).T
        ids, inverse, counts = torch.unique(regions, return_inverse=True, return_counts=True)
        pixels = torch.empty_like(ids).scatter_(0, inverse.flatten(), torch.arange(inverse.numel(), device=ids.device))
        for label, pixel, count in zip(labels_of(ids).tolist(), pixels, counts.tolist(), strict=True):
            if label < len(encoder.counts):
                found[count > LARGE * inverse.numel()][label].append(features[pixel])
    return {
        label: centres(torch.stack(vectors), encoder.clusters, random=numpy_generator(0, "clusters", label))
        for label, vectors in sorted((found[False] | found[True]).items())
    }


def features_of(
    encoder: InstanceEncoder, regions: Int[Tensor, "1 h w"], looks: Looks, *, seed: int
) -> Float[Tensor, "1 f h w"]:
    """Features for every pixel: those of a cluster of its instance's class.

    Args:
        encoder: with its clusters.
        regions: see `freqgan.ops.instances`.
        looks: which cluster; for instances that are not named, one is drawn.
        seed: of the draws, each of which depends on its own label and id alone.
    """
    ids, inverse = torch.unique(regions, return_inverse=True)
    rows = []
    for region in ids.tolist():
        instance, label = divmod(region, MOST_LABELS)
        rows.append(encoder.look(label, look_of(label, instance, looks, seed=seed)))
    return torch.stack(rows)[inverse].permute(0, 3, 1, 2)


def look_of(label: int, instance: int, looks: Looks, *, seed: int) -> int:
    """The cluster that was chosen for an instance, or is drawn for it; counted round and round."""
    drawn = key(seed, "look", (instance * MOST_LABELS + label) % MOST_REGIONS)  # keys are of no negative ids
    return looks.get((label, instance), drawn)
