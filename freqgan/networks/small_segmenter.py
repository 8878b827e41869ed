"""A small network that segments, to be trained from nothing on a CPU.

Reference: the feature pyramid of Lin et al. 2017, with residual blocks (He et al. 2016) for the way down. Departures:
the mean of the smallest map is added to it, so that every pixel knows of the whole image (ParseNet, Liu et al. 2015),
and classes are told at half of the image's size and enlarged.
"""

from itertools import pairwise
from typing import final

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from freqgan.blocks import BatchNorm2d, HalvingConv2d, HalvingResidual
from freqgan.limits import Count, Several
from freqgan.networks.halving import widths
from freqgan.networks.segmentation import SegmentationNetwork
from freqgan.ops.padding import continued


@final
class SmallSegmenter(SegmentationNetwork):
    """Halvings, and a way back on which maps of equal size are added.

    Args:
        num_classes: that are told apart.
        in_channels: of the images.
        channels: width at half the image's size; it doubles at every halving.
        max_channels: cap of the width.
        halvings: of the size, at least 2.
        pyramid: width of the way back.
    """

    def __init__(
        self,
        *,
        num_classes: Count,
        in_channels: Count = 3,
        channels: Count = 24,
        max_channels: Count = 192,
        halvings: Several = 5,
        pyramid: Count = 48,
    ) -> None:
        super().__init__()
        self.stride = 2**halvings
        down = widths(halvings, channels=channels, max_channels=max_channels)
        self.stem = nn.Sequential(
            HalvingConv2d(in_channels, channels, bias=False), BatchNorm2d(channels), nn.ReLU(inplace=True)
        )
        self.blocks = nn.ModuleList(HalvingResidual(*sizes) for sizes in pairwise(down))
        self.whole = nn.Linear(down[-1], pyramid)
        self.beside = nn.ModuleList(nn.Conv2d(width, pyramid, 1) for width in down)
        self.smooth = nn.ModuleList(_smoothed(pyramid) for _ in down[:-1])
        self.to_classes = nn.Conv2d(pyramid, num_classes, 1)

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b n h w"]:
        """The logits; sides that are no multiples of the stride are continued by reflection, and cut off again."""
        height, width = images.shape[-2:]
        maps = [self.stem(continued(images, stride=self.stride, least=self.stride))]
        for block in self.blocks:
            maps.append(block(maps[-1]))
        x: Tensor = self.beside[-1](maps[-1]) + self.whole(maps[-1].mean((2, 3)))[..., None, None]
        for n in reversed(range(len(self.smooth))):
            x = self.smooth[n](F.interpolate(x, scale_factor=2.0) + self.beside[n](maps[n]))
        logits = self.to_classes(x)
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        return F.interpolate(logits, scale_factor=2.0, mode="bilinear")[..., :height, :width]

    def take_pretrained(self) -> None:
        """None: it learns from nothing."""


def _smoothed(channels: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, channels, 3, 1, 1, bias=False), BatchNorm2d(channels), nn.ReLU())
