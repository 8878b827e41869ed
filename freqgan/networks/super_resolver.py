"""What every super-resolution network is: images at growing scales from one small image."""

import copy
from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from itertools import pairwise

from jaxtyping import Float
from torch import Tensor, nn

from freqgan.errors import UserError
from freqgan.networks.folding_convolution import FoldingConv2d


class SuperResolver(nn.Module, ABC):
    """Low-resolution image to an image at each of its scales.

    Args:
        scales: factors of the images' sizes, each a multiple of the one before.

    Attributes:
        scale: the last of them.

    Raises:
        UserError: the scales do not grow so.
    """

    def __init__(self, *, scales: Sequence[int]) -> None:
        super().__init__()
        grow = all(b > a and b % a == 0 for a, b in pairwise(scales))
        if not scales or scales[0] < 1 or not grow:
            raise UserError(
                f"model.generator.scales={list(scales)} must be whole numbers, each a multiple of the one before and "
                "greater: as in [1, 2, 4]"
            )
        self.scales = tuple(scales)
        self.scale = self.scales[-1]

    @property
    @abstractmethod
    def halo(self) -> int:
        """Pixels of the low-resolution image beyond which a pixel of the last image cannot depend on it."""

    @abstractmethod
    def images(self, low: Float[Tensor, "b c h w"], wanted: Collection[int]) -> dict[int, Tensor]:
        """The images of the wanted scales, in [-1, 1] or a little beyond; nothing else is computed."""

    def forward(self, low: Float[Tensor, "b c h w"]) -> dict[int, Tensor]:
        """The images of all scales, coarse to fine, from one in [-1, 1]."""
        return self.images(low, self.scales)

    def upscale(self, low: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c H W"]:
        """The last image alone."""
        image: Tensor = self.images(low, (self.scale,))[self.scale]
        return image

    def folded(self) -> "SuperResolver":
        """A copy for inference with the same results, in which convolutions of several paths are plain ones."""
        twin = copy.deepcopy(self).eval().requires_grad_(False)
        for parent in list(twin.modules()):
            for name, child in parent.named_children():
                if isinstance(child, FoldingConv2d):
                    setattr(parent, name, child.folded().requires_grad_(False))
        return twin
