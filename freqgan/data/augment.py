"""Augmentation as a function of (seed, position in the run): workers, ranks and resumes draw the same."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from freqgan.data.base import Sample
from freqgan.data.captions import one_caption
from freqgan.data.stage import Stage
from freqgan.errors import UserError
from freqgan.ops.keyed_random import key, numpy_generator

_BLOCK = 4096


class Augment(Stage):
    """Changes a training sample; its label and instance maps and its second image move along.

    Args:
        horizontal_flip: mirror half of the samples.
        transforms: transforms of `torchvision.transforms.v2`, or anything that draws from torch's global
            generator only, in this order. Labels and instances pass as masks.
        caption: keep all captions of a sample, or draw one of them, so that "caption" is a str.

    Raises:
        UserError: `caption` is neither.
    """

    def __init__(
        self,
        *,
        horizontal_flip: bool = False,
        transforms: Sequence[Callable[[Any], Any]] = (),
        caption: Literal["all", "one"] = "all",
    ) -> None:
        if caption not in ("all", "one"):
            raise UserError(f"data.augment.caption={caption} must be one of all, one")
        self.horizontal_flip, self.transforms, self.caption = horizontal_flip, list(transforms), caption

    def __call__(self, sample: Sample, *, seed: int, position: int) -> Sample:
        """The sample as position `position` of a run sees it.

        Raises:
            UserError: the transforms change the size of the image, or there is no caption to draw.
        """
        if self.caption == "one":
            sample = one_caption(sample, seed=seed, position=position)
        if self.horizontal_flip and _uniform_block(seed, position // _BLOCK)[position % _BLOCK] < 0.5:
            sample = {name: value.flip(-1) if is_raster(value) else value for name, value in sample.items()}
        return self._transformed(sample, seed, position) if self.transforms else sample

    def evaluated(self, sample: Sample) -> Sample:
        """The sample as it is."""
        return sample

    def pairing(self) -> str:
        """Nothing: pairs are the source's matter."""
        return ""

    def _transformed(self, sample: Sample, seed: int, position: int) -> Sample:
        from torchvision import tv_tensors

        wrapped = dict(sample)
        for name in filter(lambda name: is_raster(sample[name]), sample):
            kind = tv_tensors.Image if name.startswith("image") else tv_tensors.Mask
            wrapped[name] = kind(sample[name])
        with torch.random.fork_rng(devices=()):
            torch.default_generator.manual_seed(key(seed, "augment", position))
            for transform in self.transforms:
                wrapped = transform(wrapped)
        result = {name: value.as_subclass(Tensor) if is_raster(value) else value for name, value in wrapped.items()}
        for name in filter(lambda name: is_raster(sample[name]), sample):
            got, wanted = tuple(result[name].shape), tuple(sample[name].shape)
            if got != wanted:
                raise UserError(f"data.augment.transforms made an image {got} of {wanted}: the size must stay as it is")
        return result


def is_raster(value: object) -> bool:
    """Whether a value of a sample lies over the image, pixel by pixel."""
    return isinstance(value, Tensor) and value.ndim >= 2


@lru_cache(maxsize=4)
def _uniform_block(seed: int, block: int) -> np.ndarray:
    # One generator per block: a generator per sample would cost more than the rest of the loader.
    return numpy_generator(seed, "flip", block).random(_BLOCK)
