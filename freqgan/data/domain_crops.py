"""Crops of pictures in two domains, and one domain made of the other."""

from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from freqgan.data.augment import is_raster
from freqgan.data.base import Sample, height_and_width
from freqgan.data.cache import digest
from freqgan.data.crops import drawn_by_name, enlarged, part, recolored, sized, turned
from freqgan.data.degradations import Degradation
from freqgan.data.degradations.base import to_depth_of
from freqgan.data.domains import Domain
from freqgan.data.stage import Stage
from freqgan.errors import UserError
from freqgan.limits import Share
from freqgan.ops.keyed_random import numpy_generator


class DomainCrops(Stage):
    """Random crops of a pair, or of either half of an unpaired draw, and of all that lies over it.

    Pictures of the size of the crops are used whole, smaller ones are mirrored. With a degradation, one domain is made
    by it, of the crop and as much around it as it looks at: for sources whose domains are the same picture, that is
    what makes pairs. Training draws a degradation for each position of the run, evaluation for each name.

    Args:
        image_size: side of the crops, or height and width.
        degradation: what `degraded` goes through, or None.
        degraded: the domain that is made: "a" to learn to restore, "b" to learn to degrade.
        flip: mirror half of the crops.
        rotate: turn squares by 0, 90, 180 or 270 degrees, other crops by 0 or 180.
        zoom: crops are up to so many times smaller, and enlarged; all sizes between are as likely by their logarithm.
        jitter: brightness, contrast and saturation are multiplied by numbers that are at most this far from 1.

    Raises:
        UserError: the degradation changes the size, or `degraded` is no domain.
    """

    crops = True

    def __init__(
        self,
        *,
        image_size: int | tuple[int, int],
        degradation: Degradation | None = None,
        degraded: Domain = "a",
        flip: bool = False,
        rotate: bool = False,
        zoom: Annotated[float, Field(ge=1)] = 1.0,
        jitter: Share = 0.0,
    ) -> None:
        if degraded not in ("a", "b"):
            raise UserError(f"data.augment.degraded={degraded} must be a or b")
        if degradation is not None and degradation.scale != 1:
            got = f"data.augment.degradation makes sides {degradation.scale} times shorter"
            raise UserError(f"{got}, wanted both domains of one size: set data.scale=1")
        self.size, self.degradation = height_and_width(image_size), degradation
        self.degraded = "image" if degraded == "a" else "image_b"
        self.flip, self.rotate, self.zoom, self.jitter = flip, rotate, zoom, jitter

    def __call__(self, sample: Sample, *, seed: int, position: int) -> Sample:
        """The crop of position `position` of a run."""
        whole = {name: sized(value, (0, 0), self.size) for name, value in sample.items() if is_raster(value)}
        random = numpy_generator(seed, "crop", position)
        size = self._zoomed(random)
        room = [n - side for n, side in zip(_height_and_width(whole), size, strict=True)]
        top, left = (int(random.integers(free + 1)) for free in room)
        flip, turns = self.flip and random.random() < 0.5, int(random.integers(4)) if self.rotate else 0
        quarters = turns if self.size[0] == self.size[1] else 2 * (turns % 2)
        crop = {name: part(value, top, left, *size) for name, value in whole.items()}
        if self.degradation is not None and self.degraded in crop:
            draws = numpy_generator(seed, "degradation", position)
            crop[self.degraded] = self._made(whole[self.degraded], top, left, size, draws)
        crop = {name: turned(enlarged(value, self.size), flip, quarters) for name, value in crop.items()}
        if self.jitter:
            gains = random.uniform(1 - self.jitter, 1 + self.jitter, 3).tolist()
            crop |= {name: recolored(value, gains) for name, value in crop.items() if name.startswith("image")}
        return {**sample, **crop}

    def _zoomed(self, random: np.random.Generator) -> tuple[int, int]:
        """Height and width of a crop before it is enlarged."""
        factor = self.zoom ** random.random() if self.zoom > 1 else 1.0
        height, width = (max(round(side / factor), 1) for side in self.size)
        return height, width

    def evaluated(self, sample: Sample) -> Sample:
        """All of the pictures, with draws that hang on the name."""
        if self.degradation is None or self.degraded not in sample:
            return sample
        image = sample[self.degraded]
        draws = drawn_by_name(sample.get("name") or sample.get("name_b", ""))
        return {**sample, self.degraded: self._made(image, 0, 0, image.shape[-2:], draws)}

    def pairing(self) -> str:
        """Every setting of the degradation, and what it makes."""
        if self.degradation is None:
            return ""
        return digest(type(self).__name__, repr(self.degradation), self.degraded)

    def _made(
        self, image: Tensor, top: int, left: int, size: tuple[int, int] | torch.Size, random: np.random.Generator
    ) -> Tensor:
        """A part of an image as it is within the degraded whole, unless the degradation draws or cuts blocks."""
        assert self.degradation is not None
        margin, (height, width) = self.degradation.reach, size
        above, before = min(margin, top), min(margin, left)
        region = part(image, top - above, left - before, above + height + margin, before + width + margin)
        made = self.degradation(region, random)
        return to_depth_of(image, made[..., above : above + height, before : before + width])


def _height_and_width(rasters: dict[str, Tensor]) -> tuple[int, int]:
    height, width = next(iter(rasters.values())).shape[-2:]
    return height, width
