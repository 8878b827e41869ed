"""Colours of labels, for label maps that are looked at, or translated as pictures.

The palette is that of PASCAL VOC (Everingham et al. 2010): label i has the colour whose channels take bits 0, 1 and 2
of i as their highest ones, the next three bits as their next ones, and so on. Label 0 is black.
"""

from functools import lru_cache

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor


@lru_cache
def label_colors(num_labels: int) -> UInt8[Tensor, "n 3"]:
    """The colours of labels 0 … num_labels - 1, at most 256.

    >>> label_colors(9)[[1, 2, 4, 8]].tolist()
    [[128, 0, 0], [0, 128, 0], [0, 0, 128], [64, 0, 0]]
    """
    labels = torch.arange(num_labels)
    colors = torch.zeros(num_labels, 3, dtype=torch.int64)
    for level in range(3):
        for channel in range(3):
            colors[:, channel] |= (labels >> (3 * level + channel) & 1) << (7 - level)
    return colors.to(torch.uint8)


def painted_labels(labels: UInt8[Tensor, "h w"]) -> UInt8[Tensor, "3 h w"]:
    """A label map in the colours of its labels."""
    return label_colors(256)[labels.long()].permute(2, 0, 1).contiguous()


def label_pictures(labels: Int[Tensor, "b h w"]) -> Float[Tensor, "b 3 h w"]:
    """Label maps in the colours of their labels, 0 to 255, as images in [-1, 1].

    >>> label_pictures(torch.tensor([[[0, 255]]])).mul(127.5).add(127.5).round().flatten().tolist()
    [0.0, 224.0, 0.0, 224.0, 0.0, 192.0]
    """
    return label_colors(256).to(labels.device)[labels].permute(0, 3, 1, 2) / 127.5 - 1


def nearest_labels(image: Float[Tensor, "b 3 h w"], num_labels: int) -> Int[Tensor, "b h w"]:
    """The labels whose colours are nearest to those of an image in [-1, 1], the inverse of painting.

    >>> nearest_labels(painted_labels(torch.tensor([[0, 7, 3]], dtype=torch.uint8))[None] / 127.5 - 0.9, 9).tolist()
    [[[0, 7, 3]]]
    """
    colors = label_colors(num_labels).to(image.device, image.dtype) / 127.5 - 1
    pixels = image.movedim(1, -1)
    distances = torch.cdist(pixels.flatten(1, 2), colors.expand(len(image), -1, -1))
    return distances.argmin(-1).view(pixels.shape[:3])
