"""What every network is that makes an image of an image of the same size."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from freqgan.blocks import EnlargingConv2d
from freqgan.errors import UserError
from freqgan.ops.padding import continued


class Translator(nn.Module, ABC):
    """Image to image of any height and width: continued by reflection to what the layers can halve, and cut back.

    Args:
        stride: what the sides have to be multiples of.
        least: the shortest side that the layers accept.
        whole: whether each pixel of a result depends on the whole image, as by norms of an image's own statistics.
        noisy: whether results for one image differ outside training, too.

    Attributes:
        stride: as given; tiles of a large image have to begin at multiples of it.
        noisy: as given.
    """

    def __init__(self, *, stride: int, least: int, whole: bool, noisy: bool = False) -> None:
        super().__init__()
        self.stride, self.least, self.whole, self.noisy = stride, least, whole, noisy

    @abstractmethod
    def translated(self, image: Float[Tensor, "b i h w"]) -> Float[Tensor, "b o h w"]:
        """The result, in [-1, 1], for sides that are multiples of the stride and not too short."""

    def forward(self, image: Float[Tensor, "b i h w"]) -> Float[Tensor, "b o h w"]:
        """The result for an image in [-1, 1], in [-1, 1] and in float32 at least."""
        height, width = image.shape[-2:]
        result = self.translated(continued(image, stride=self.stride, least=self.least))[..., :height, :width]
        return result.to(torch.promote_types(result.dtype, torch.float32))

    @property
    def halo(self) -> int | None:
        """Pixels beyond which no pixel of the result depends on the image; None where each depends on all of it."""
        return None if self.whole else reach(self, self.stride)


def reach(network: nn.Module, stride: int) -> int:
    """How far a pixel of the result depends on others through all convolutions, one after the other.

    Args:
        network: whose convolutions are registered in the order that they are applied in.
        stride: after how many pixels the same dependence begins again.

    >>> reach(nn.Sequential(nn.Conv2d(1, 1, 4, 2, 1), nn.ConvTranspose2d(1, 1, 4, 2, 1)), 2)
    3
    """
    layers = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.AvgPool2d)]
    farthest = 0
    for pixel in range(stride):
        first = last = pixel
        for layer in reversed(layers):
            kernel, step, padding = (_of_rows(size) for size in (layer.kernel_size, layer.stride, layer.padding))
            if isinstance(layer, EnlargingConv2d):  # computed as a transposed one
                kernel, step, padding = 4, 2, 1
            if isinstance(layer, nn.ConvTranspose2d | EnlargingConv2d):
                first, last = -((kernel - 1 - first - padding) // step), (last + padding) // step
            else:
                first, last = step * first - padding, step * last - padding + kernel - 1
        farthest = max(farthest, pixel - first, last - pixel)
    return farthest


def _of_rows(size: int | str | tuple[int, ...]) -> int:
    """A layer's kernel, stride or padding, which is as large for columns."""
    return int(size[0] if isinstance(size, tuple) else size)


def halvings_to(centre: int, image_size: int | Sequence[int], *, wanted: int | None, most: int | None = None) -> int:
    """How often images are halved: as wanted, or, if that is None, until a side has `centre` pixels, `most` at most.

    Raises:
        UserError: nothing of the training images would be left.

    >>> halvings_to(4, 64, wanted=None), halvings_to(4, [96, 48], wanted=2)
    (4, 2)
    """
    side = shorter_side(image_size)
    if wanted is None:
        fitting = max((side // centre).bit_length() - 1, 1)
        return fitting if most is None else min(fitting, most)
    if wanted > (possible := side.bit_length() - 1):
        raise UserError(f"a generator's halvings={wanted}: {side} pixels can be halved {possible} times, set null")
    return wanted


def shorter_side(image_size: int | Sequence[int]) -> int:
    """Of a square, or of a height and a width.

    >>> shorter_side(64), shorter_side([96, 48])
    (64, 48)
    """
    return image_size if isinstance(image_size, int) else min(image_size)
