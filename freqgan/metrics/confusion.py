"""How often pixels of a class are taken for another, and what that comes to.

Reference: Long et al., "Fully Convolutional Networks for Semantic Segmentation", 2015, §5.
"""

import torch
from jaxtyping import Int
from torch import Tensor

from freqgan.errors import UserError


def confusion(found: Int[Tensor, "b h w"], labels: Int[Tensor, "b h w"], num_classes: int) -> Int[Tensor, "n n"]:
    """Pixels by their label (rows) and the class that was found (columns), on the CPU.

    Args:
        found: classes.
        labels: true ones; pixels of any other id than a class are left out.
        num_classes: n.

    >>> confusion(torch.tensor([[[0, 1, 1, 0]]]), torch.tensor([[[0, 1, 0, 255]]]), 2).tolist()
    [[1, 1], [0, 1]]
    """
    labels = labels.to(found.device)
    known = (labels >= 0) & (labels < num_classes)
    pairs = labels[known].long() * num_classes + found[known]
    counts: Tensor = torch.bincount(pairs, minlength=num_classes**2).view(num_classes, num_classes).cpu()
    return counts


def class_ious(counts: Int[Tensor, "n n"]) -> list[float]:
    """Intersection over union of each class; NaN for one that is neither there nor found."""
    right = counts.diagonal()
    union = counts.sum(0) + counts.sum(1) - right
    ious: list[float] = (right.double() / union).tolist()
    return ious


def segmentation_scores(counts: Int[Tensor, "n n"]) -> dict[str, float]:
    """`mean_iou`, `pixel_accuracy` and `class_accuracy`, all in [0, 1].

    The mean IoU is over the classes that are there or were found: one that is in no label map and in no result is left
    out of it. The class accuracy is the mean share of each class's pixels that were found, over the classes that are
    there.

    Raises:
        UserError: no pixel has a label.

    >>> segmentation_scores(torch.tensor([[3, 1, 0], [0, 4, 0], [0, 0, 0]]))
    {'mean_iou': 0.775, 'pixel_accuracy': 0.875, 'class_accuracy': 0.875}
    """
    right, there = counts.diagonal().double(), counts.sum(1)
    if not there.any():
        raise UserError("no pixel of these label maps has a class: set data.num_classes or data.source.ids")
    ious, shares = torch.tensor(class_ious(counts), dtype=torch.float64), right / there
    return {
        "mean_iou": float(ious.nanmean()),
        "pixel_accuracy": float(right.sum() / there.sum()),
        "class_accuracy": float(shares.nanmean()),
    }
