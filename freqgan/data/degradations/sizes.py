"""Fewer pixels, and there and back again."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from freqgan.data.degradations.base import Degradation, in_unit_range
from freqgan.errors import UserError
from freqgan.limits import Count
from freqgan.ops.resample import Kernel, reach, resize

_USUAL: tuple[Kernel, ...] = ("box", "bilinear", "bicubic")


@dataclass
class Bicubic(Degradation):
    """MATLAB's `imresize` by 1 / scale; of bytes it makes bytes, the very ones.

    Args:
        scale: each side becomes so many times shorter.
    """

    scale: Count = 4

    def __post_init__(self) -> None:
        self.reach = reach(1 / self.scale)

    def __call__(self, image: Tensor, random: np.random.Generator) -> Tensor:
        """Reduced; nothing is drawn."""
        height, width = image.shape[-2:]
        pixels = image if image.dtype == torch.uint8 else image.double()
        return resize(pixels, (height // self.scale, width // self.scale))


@dataclass
class RandomResize(Degradation):
    """A new size by a drawn factor, made with a drawn kernel; for use inside `Sized`.

    Args:
        factor: lowest and highest; doubling is as likely as halving where both are within.
        kernels: to choose from.
    """

    factor: tuple[float, float] = (0.25, 1.0)
    kernels: Sequence[Kernel] = _USUAL

    def __post_init__(self) -> None:
        if not 0 < self.factor[0] <= self.factor[1]:
            got = list(self.factor)
            raise UserError(
                f"data.augment.degradation: RandomResize has factor={got}, wanted [lowest, highest] above 0"
            )
        self.factor, self.kernels = (self.factor[0], self.factor[1]), tuple(self.kernels)
        self.reach = max(reach(self.factor[0], kernel=kernel) for kernel in self.kernels)

    def __call__(self, image: Tensor, random: np.random.Generator) -> Tensor:
        """Of a size of its own."""
        lowest, above = self.factor
        factor = lowest * (above / lowest) ** random.random()
        size = max(1, round(image.shape[-2] * factor)), max(1, round(image.shape[-1] * factor))
        return resize(in_unit_range(image), size, kernel=_one_of(self.kernels, random))


@dataclass
class Sized(Degradation):
    """Steps that may change the size in any way, and then 1 / scale of what the size was before them.

    With `RandomResize` alone and scale 1, an image is resized there and back.

    Args:
        steps: in order.
        scale: each side becomes so many times shorter.
        kernels: to choose from for the last resizing.
    """

    steps: Sequence[Degradation]
    scale: Count = 1
    kernels: Sequence[Kernel] = _USUAL

    def __post_init__(self) -> None:
        self.steps, self.kernels = tuple(self.steps), tuple(self.kernels)
        last = max(reach(1 / self.scale, kernel=kernel) for kernel in self.kernels)
        self.reach = sum(step.reach for step in self.steps) + last

    def __call__(self, image: Tensor, random: np.random.Generator) -> Tensor:
        """Through all steps, and back to size."""
        size = image.shape[-2] // self.scale, image.shape[-1] // self.scale
        image = in_unit_range(image)
        for step in self.steps:
            image = in_unit_range(step(image, random))
        return resize(image, size, kernel=_one_of(self.kernels, random))


def _one_of(kernels: Sequence[Kernel], random: np.random.Generator) -> Kernel:
    return kernels[int(random.integers(len(kernels)))]
