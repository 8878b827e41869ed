"""A pyramid with a low band at every resolution.

Reference: patent CN112529975A, claims 4 and 7, [0134]–[0136]: all low sub-images enter the synthesis; how is not said.
Reading: each is a weighted mean of its own band and of what the coarser levels make.
"""

from collections.abc import Mapping
from typing import final

from torch import Tensor

from freqgan.transforms.base import Band, Transform, no_resolutions
from freqgan.transforms.pyramid import Pyramid


@final
class EveryLow(Transform):
    """The bands of a pyramid and the low image of every finer level, right before that level's high bands.

    For Haar on three levels `LL3 HL3 LH3 HH3 LL2 HL2 LH2 HH2 LL1 HL1 LH1 HH1`. Any bands have an inverse, but only an
    image's own bands come back from `forward(inverse(bands))`. With one level nothing is added.

    Args:
        transform: a pyramid of at least one level.

    Raises:
        UserError: if the transform has no resolutions.
    """

    def __init__(self, transform: Transform) -> None:
        if not isinstance(transform, Pyramid) or not transform.levels:
            raise no_resolutions(transform)
        numbers = range(transform.levels, 0, -1)
        super().__init__(tuple(name for level in numbers for name in transform.level_names(level)), transform.levels)
        self.transform = transform

    def one_level(self) -> Transform:
        """The pyramid with one level: its first band is the image of the next one."""
        return self.transform.one_level()

    def low_names(self) -> tuple[str, ...]:
        """The low bands that the pyramid itself does not have, coarse to fine."""
        return tuple(self.transform.level_names(level)[0] for level in range(self.levels - 1, 0, -1))

    def lift(self, level: int, bands: Mapping[str, Tensor]) -> Tensor:
        """The next finer level's low image, or the image, that one level's bands make: see `Pyramid.lift`."""
        return self.transform.lift(level, bands)

    def blend(self, bands: Mapping[str, Tensor], shares: Mapping[str, Tensor]) -> Tensor:
        """The image of these bands, from coarse to fine: low = s · own low + (1 − s) · lift of the coarser level.

        Args:
            bands: as `forward` gives them; if they are an image's own, the shares make no difference.
            shares: s by the name of a low band, numbers in [0, 1] that broadcast to it; 1/2 where none is given.

        Raises:
            ValueError: if a band is missing, unknown or of the wrong shape, or a share belongs to no low band.
        """
        if unknown := shares.keys() - set(self.low_names()):
            raise ValueError(f"shares belong to the low bands {list(self.low_names())}, got {sorted(unknown)}")
        return self._blend(self._checked(bands), shares)

    def _blend(self, bands: dict[str, Tensor], shares: Mapping[str, Tensor]) -> Tensor:
        for level in range(self.levels, 1, -1):
            low = self.transform.level_names(level - 1)[0]
            share = shares.get(low, 0.5)
            bands[low] = share * bands[low] + (1 - share) * self.lift(level, bands)
        return self.lift(1, bands)

    def _layout(self, channels: int, height: int, width: int) -> tuple[Band, ...]:
        return self.transform.every_band(channels, height, width)

    def _analyse(self, image: Tensor) -> dict[str, Tensor]:
        return self.transform.every(image)

    def _image_shape(self, bands: Mapping[str, Tensor]) -> tuple[int, int, int]:
        return self.transform._image_shape(bands)

    def _synthesise(self, bands: Mapping[str, Tensor]) -> Tensor:
        return self._blend(dict(bands), {})
