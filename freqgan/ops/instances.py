"""Label maps and instance maps: classes as channels, where instances end, what is true of each, and which there are.

An instance is what has one label and one id. Ids are names: only `numbers` looks at their order, and nothing at their
size, so that every other result stays the same, bit for bit, whatever the instances of an image are called.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int, Integer
from torch import Tensor

from freqgan.ops.components import components

MOST_LABELS = 1 << 16


def one_hot(label_map: Integer[Tensor, "b h w"], num_classes: int) -> Float[Tensor, "b n h w"]:
    """A channel for each class, float32; pixels of any other label, such as the don't-care id 255, have zeros alone.

    >>> one_hot(torch.tensor([[[1, 255, 0]]]), 2).tolist()
    [[[[0.0, 0.0, 1.0]], [[1.0, 0.0, 0.0]]]]
    """
    classes = torch.arange(num_classes, device=label_map.device).view(1, -1, 1, 1)
    return (label_map.unsqueeze(1) == classes).float()


def regions(label_map: Integer[Tensor, "b h w"], instance_map: Integer[Tensor, "b h w"]) -> Int[Tensor, "b h w"]:
    """A number for each instance of an image: equal where both the label and the id are."""
    return instance_map.long() * MOST_LABELS + label_map.long()


def labels_of(regions: Int[Tensor, "*shape"]) -> Int[Tensor, "*shape"]:
    """The labels that `regions` were made of.

    >>> labels_of(regions(torch.tensor([[[3, 255]]]), torch.tensor([[[26001, 0]]]))).tolist()
    [[[3, 255]]]
    """
    return regions % MOST_LABELS


def boundaries(regions: Int[Tensor, "b h w"]) -> Float[Tensor, "b 1 h w"]:
    """1 where any of a pixel's four neighbours is of another instance, else 0, float32 (Wang et al. 2018, §3.3).

    Both sides of a border are marked; that of the image is none.

    >>> boundaries(torch.tensor([[[7, 7, 4, 4]]])).flatten().tolist()
    [0.0, 1.0, 1.0, 0.0]
    """
    edge = torch.zeros_like(regions, dtype=torch.bool)
    across, down = regions[..., 1:] != regions[..., :-1], regions[:, 1:] != regions[:, :-1]
    edge[..., 1:] |= across
    edge[..., :-1] |= across
    edge[:, 1:] |= down
    edge[:, :-1] |= down
    return edge.unsqueeze(1).float()


def numbers(instance_map: Integer[Tensor, "b h w"]) -> Int[Tensor, "b h w"]:
    """The number of each pixel's instance among those of its image, from 0, in the order of their ids.

    >>> numbers(torch.tensor([[[26001, 7, 26002, 7]]])).tolist()
    [[[1, 0, 2, 0]]]
    """
    if instance_map.is_meta:  # how many there are depends on the values
        return torch.zeros_like(instance_map)
    return torch.stack([torch.unique(one, return_inverse=True)[1] for one in instance_map])


def instance_means(values: Float[Tensor, "b c h w"], regions: Int[Tensor, "b h w"]) -> Float[Tensor, "b c h w"]:
    """The mean of every channel over each instance, at all of its pixels, in float32 at least.

    >>> instance_means(torch.tensor([[[[1.0, 5.0, 3.0]]]]), torch.tensor([[[9, 2, 9]]])).flatten().tolist()
    [2.0, 5.0, 2.0]
    """
    values = values.to(torch.promote_types(values.dtype, torch.float32))
    if values.is_meta:
        return values
    spread = []
    for one, region in zip(values, regions, strict=True):
        _, inverse, counts = torch.unique(region, return_inverse=True, return_counts=True)
        sums = one.new_zeros(len(counts), len(one)).index_add(0, inverse.flatten(), one.flatten(1).T)
        spread.append((sums / counts.unsqueeze(1))[inverse].permute(2, 0, 1))
    return torch.stack(spread)


def derived(label_map: Integer[Tensor, "b h w"], things: Sequence[int]) -> Int[Tensor, "b h w"]:
    """Instances where only labels exist: the connected parts of each of some classes, see `components`.

    Args:
        label_map: on any device; the parts are found on the CPU.
        things: those classes.

    >>> derived(torch.tensor([[[3, 5, 3, 5, 5]]]), [3]).tolist()
    [[[1000, 5, 1001, 5, 5]]]
    """
    found = [torch.from_numpy(components(labels.numpy(), things)) for labels in label_map.cpu()]
    return torch.stack(found).to(label_map.device, torch.int64)
