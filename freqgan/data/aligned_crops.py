"""Crops of large images, each with the same place at fewer pixels or degraded in another way."""

from math import ceil

import numpy as np
from torch import Tensor

from freqgan.data.augment import is_raster
from freqgan.data.base import Sample
from freqgan.data.cache import digest
from freqgan.data.crops import drawn_by_name, part, sized, turned
from freqgan.data.degradations import Degradation
from freqgan.data.degradations.base import to_depth_of
from freqgan.data.stage import Stage
from freqgan.errors import UserError
from freqgan.limits import Count
from freqgan.ops.keyed_random import numpy_generator


class AlignedCrops(Stage):
    """Random squares of an image and of all that lies over it; "image_low" is cut out with it, or made from it.

    A low image is made of the crop and as much around it as the degradation looks at, so it is what the crop of
    the whole image's low image would be, unless the degradation draws or cuts blocks. Crops begin at multiples of
    the scale. What is left over at the right and below of a side that the scale does not divide is not used;
    images smaller than the crop are mirrored.

    Args:
        image_size: side of the crops of "image".
        scale: how many times shorter the sides of "image_low" are.
        degradation: makes "image_low" where the source has none; None leaves it out.
        flip: mirror half of the crops.
        rotate: turn by 0, 90, 180 or 270 degrees.

    Raises:
        UserError: the scale divides the size of the crops not, or is not that of the degradation.
    """

    crops = True

    def __init__(
        self,
        *,
        image_size: Count,
        scale: Count = 1,
        degradation: Degradation | None = None,
        flip: bool = True,
        rotate: bool = True,
    ) -> None:
        if image_size < scale or image_size % scale:
            near = max(image_size // scale, 1) * scale
            raise UserError(
                f"data.image_size={image_size} is not divisible by data.scale={scale}: set data.image_size={near}"
            )
        if degradation is not None and degradation.scale != scale:
            got = f"data.augment.degradation makes sides {degradation.scale} times shorter, wanted data.scale={scale}"
            raise UserError(f"{got}: set data.scale={degradation.scale}, or the scale of the degradation")
        self.image_size, self.scale, self.degradation = image_size, scale, degradation
        self.flip, self.rotate = flip, rotate

    def __call__(self, sample: Sample, *, seed: int, position: int) -> Sample:
        """The crop of position `position` of a run."""
        sample = self._fitted(sample, self.image_size)
        side = self.image_size // self.scale
        height, width = (n // self.scale for n in sample["image"].shape[-2:])
        random = numpy_generator(seed, "crop", position)
        top, left = (int(random.integers(n - side + 1)) for n in (height, width))
        flip, quarters = self.flip and random.random() < 0.5, int(random.integers(4)) if self.rotate else 0
        crop = {
            name: part(value, top, left, side, side, 1 if name == "image_low" else self.scale)
            if is_raster(value)
            else value
            for name, value in sample.items()
        }
        if self.degradation is not None and "image_low" not in sample:
            draws = numpy_generator(seed, "degradation", position)
            crop["image_low"] = self._low(sample["image"], top, left, side, side, draws)
        return {name: turned(value, flip, quarters) if is_raster(value) else value for name, value in crop.items()}

    def evaluated(self, sample: Sample) -> Sample:
        """All of the image, cut to multiples of the scale, and its low image, whose draws hang on its name."""
        sample = self._fitted(sample, self.scale)
        if self.degradation is not None and "image_low" not in sample:
            height, width = (n // self.scale for n in sample["image"].shape[-2:])
            draws = drawn_by_name(sample.get("name", ""))
            sample["image_low"] = self._low(sample["image"], 0, 0, height, width, draws)
        return sample

    def pairing(self) -> str:
        """The scale and every setting of the degradation."""
        return digest(type(self).__name__, self.scale, repr(self.degradation))

    def _fitted(self, sample: Sample, least: int) -> Sample:
        """Everything at a size that the scale divides, of at least `least`, and aligned."""
        units = [n // self.scale for n in sample["image"].shape[-2:]]
        low = sample.get("image_low")
        if low is not None:
            units = [min(pair) for pair in zip(units, low.shape[-2:], strict=True)]
        fitted = dict(sample)
        for name in filter(lambda name: is_raster(sample[name]), sample):
            of_low = name == "image_low"
            factor = 1 if of_low else self.scale
            # A single image that is smaller than the crop is mirrored at its own edge, before anything is cut off.
            edges = [n * factor if low is not None or n * self.scale >= least else 0 for n in units]
            side = least // self.scale * factor
            fitted[name] = sized(sample[name], edges, (side, side))
        return fitted

    def _low(self, image: Tensor, top: int, left: int, height: int, width: int, random: np.random.Generator) -> Tensor:
        """The low image of a part, whose place and size are counted in its own pixels."""
        assert self.degradation is not None
        margin = ceil(self.degradation.reach / self.scale)
        above, before = min(margin, top), min(margin, left)
        region = part(image, top - above, left - before, above + height + margin, before + width + margin, self.scale)
        low = self.degradation(region, random)
        return to_depth_of(image, low[..., above : above + height, before : before + width])
