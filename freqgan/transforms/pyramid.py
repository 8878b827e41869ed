"""Transforms that split an image into a low image and high bands, and the low image again, level by level.

A split by resolution alone is Burt and Adelson's, "The Laplacian pyramid as a compact image code" (1983).
"""

from abc import abstractmethod
from collections.abc import Mapping
from itertools import repeat

from torch import Tensor

from freqgan.errors import UserError
from freqgan.transforms.base import Band, Transform, at_least_float32, multiple_above, no_resolutions, show_size

Size = tuple[int, int]
Shape = tuple[int, int, int]


class Pyramid(Transform):
    """One split, repeated on its own low image: `levels` times, or once at level 0, where no image is halved.

    Subclasses implement the split of one level: `_shapes`, `_split`, `_joined_size`, `_join`, and `_of_one_level`.
    All of them put the low image first.

    Args:
        kinds: the bands of one level and their frequency classes; the level's number is appended to each name,
            unless it is 0.
        levels: K, how often the low image is halved.
        separator: between kind and number.

    Raises:
        UserError: if `levels` is negative.
    """

    def __init__(self, kinds: Mapping[str, int], levels: int, *, separator: str = "") -> None:
        if levels < 0:
            raise UserError(f"transform.levels={levels} is no number of resolutions: set 0 for one, or more")
        level_names = {
            level: tuple(f"{kind}{separator}{level}" if level else kind for kind in kinds)
            for level in range(levels, 0, -1) or (0,)
        }
        high = (name for names in level_names.values() for name in names[1:])
        super().__init__((level_names[levels][0], *high), levels)
        self._level_names = level_names  # coarse to fine
        self._classes = tuple(kinds.values())

    def one_level(self) -> Transform:
        """This transform with one level: its first band is the image of the next one.

        Raises:
            UserError: if `levels` is 0.
        """
        if not self.levels:
            raise no_resolutions(self)
        return self if self.levels == 1 else self._of_one_level()

    def level_names(self, level: int) -> tuple[str, ...]:
        """What one level's split gives: the low image, a band only at the coarsest level, and the high bands."""
        return self._level_names[level]

    def lift(self, level: int, bands: Mapping[str, Tensor]) -> Tensor:
        """The next finer level's low image; of the finest level, the image.

        Args:
            level: from `levels`, the coarsest, to 1.
            bands: those of `level_names(level)` at least.
        """
        own = [bands[name] for name in self._level_names[level]]
        dtype = at_least_float32(*own)
        return self._join(*(band.to(dtype) for band in own))

    def every(self, image: Tensor) -> dict[str, Tensor]:
        """The bands, and with them the low image of every finer level, right before its high bands."""
        bands: dict[str, Tensor] = {}
        for names in reversed(self._level_names.values()):
            split = self._split(image)
            bands = dict(zip(names, split, strict=True)) | bands
            image = split[0]
        return bands

    def every_band(self, channels: int, height: int, width: int) -> tuple[Band, ...]:
        """What `every` returns for images of one size.

        Raises:
            UserError: if the transform does not accept the size.
        """
        self._check_sides(height, width)
        shape: Shape = (channels, height, width)
        bands: tuple[Band, ...] = ()
        for level, names in reversed(self._level_names.items()):
            shapes = self._shapes(shape, level)
            bands = (*map(Band, names, repeat(level), self._classes, shapes), *bands)
            shape = shapes[0]
        return bands

    def _check_sides(self, height: int, width: int) -> None:
        step = 2**self.levels
        if self.levels and min(height, width) <= step // 2:
            fits = (min(height, width) - 1).bit_length()
            fewer = f" or transform.levels={fits}" if fits else ""
            raise UserError(
                f"transform.levels={self.levels} needs image_size of at least {step // 2 + 1}, "
                f"got {show_size(height, width)}: set data.image_size={multiple_above(step, height, width)}{fewer}"
            )

    def _layout(self, channels: int, height: int, width: int) -> tuple[Band, ...]:
        return tuple(band for band in self.every_band(channels, height, width) if band.name in self._name_set)

    def _analyse(self, image: Tensor) -> dict[str, Tensor]:
        bands = self.every(image)
        return {name: bands[name] for name in self.names}

    def _image_shape(self, bands: Mapping[str, Tensor]) -> Shape:
        channels, height, width = bands[self.names[0]].shape[1:]
        for _, *high in self._level_names.values():
            height, width = self._joined_size((height, width), *[bands[name] for name in high])
        return channels, height, width

    def _synthesise(self, bands: Mapping[str, Tensor]) -> Tensor:
        image = bands[self.names[0]]
        for _, *high in self._level_names.values():
            image = self._join(image, *[bands[name] for name in high])
        return image

    @abstractmethod
    def _of_one_level(self) -> Transform: ...

    @abstractmethod
    def _shapes(self, shape: Shape, level: int) -> tuple[Shape, ...]: ...

    @abstractmethod
    def _split(self, image: Tensor) -> tuple[Tensor, ...]: ...

    @abstractmethod
    def _joined_size(self, low: Size, *high: Tensor) -> Size: ...

    @abstractmethod
    def _join(self, low: Tensor, *high: Tensor) -> Tensor: ...


def halved(shape: Shape) -> Shape:
    """(channels, ⌈height / 2⌉, ⌈width / 2⌉)."""
    channels, height, width = shape
    return channels, height - height // 2, width - width // 2
