"""The loss of networks that say of every pixel which class it is of.

References: Long et al., "Fully Convolutional Networks for Semantic Segmentation", 2015; Paszke et al., "ENet", 2016,
§4, for the weights of classes. Departure: the mean is over each image's own labelled pixels, and then over images, so
that it depends neither on what else is in the batch nor on processes.
"""

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor


def segmentation_loss(
    logits: Float[Tensor, "b n h w"], labels: Int[Tensor, "b h w"], weights: Float[Tensor, "n"] | None = None
) -> Float[Tensor, ""]:
    """Cross-entropy: mean over each image's pixels that have one of the n labels, then over images.

    Args:
        logits: of the classes.
        labels: any other id is don't-care; an image of nothing else has 0.
        weights: what the pixels of each class count; None for 1.

    >>> logits, labels = torch.zeros(2, 4, 1, 2), torch.tensor([[[1, 255]], [[255, 255]]])
    >>> round(segmentation_loss(logits, labels).item(), 4)  # ½ ln 4
    0.6931
    """
    known = (labels >= 0) & (labels < logits.shape[1])
    classes = labels.where(known, 0)
    losses = F.cross_entropy(logits.float(), classes, reduction="none") * known
    if weights is not None:
        losses = losses * weights[classes]
    mean: Tensor = (losses.sum((1, 2)) / known.sum((1, 2)).clamp(min=1)).mean()
    return mean


def rarity(label_maps: Iterable[Int[Tensor, "..."]], num_classes: int, *, least: float) -> Float[Tensor, "n"]:
    """Weights of classes: 1 / ln(least + share of all labelled pixels), times what makes their mean over these 1.

    Args:
        label_maps: in which pixels are counted, of any sizes; any other id than a class is don't-care.
        num_classes: n.
        least: greater than 1; the nearer to it, the more a rare class counts. ENet has 1.02.

    >>> [round(weight, 2) for weight in rarity([torch.tensor([[[0, 0, 0, 1, 255]]])], 2, least=1.02).tolist()]
    [0.74, 1.77]
    """
    counts = torch.zeros(num_classes, dtype=torch.int64)
    for labels in label_maps:
        known = (labels >= 0) & (labels < num_classes)
        counts += torch.bincount(labels[known], minlength=num_classes)
    shares = counts.double() / counts.sum().clamp(min=1)
    weights = 1 / (least + shares).log()
    return (weights / (weights * shares).sum().clamp(min=1e-12)).float()
