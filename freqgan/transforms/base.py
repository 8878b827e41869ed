"""The contract of the invertible frequency transforms."""

import functools
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from freqgan.errors import UserError


@dataclass(frozen=True)
class Band:
    """One band of a transform for one image size.

    Attributes:
        name: the key in `Transform.forward`'s result.
        level: the resolution level, 1 the finest; 0 where a transform has no pyramid of resolutions.
        frequency_class: 0 for the lowest frequencies of the level, rising.
        shape: (channels, height, width).
    """

    name: str
    level: int
    frequency_class: int
    shape: tuple[int, int, int]


class Transform(nn.Module, ABC):
    """An image batch to named bands, coarse to fine, and back without loss.

    Both ways work in float32 at least, inside autocast too; float64 stays float64. They are linear and
    differentiable any number of times. A transform has no weights and no buffers.

    Subclasses implement `_layout`, `_analyse`, `_image_shape`, `_synthesise` and `one_level`.

    Args:
        names: of the bands, coarse to fine, whatever the image.
        levels: how often the low image is halved; 0 without a pyramid of resolutions.
    """

    def __init__(self, names: tuple[str, ...], levels: int = 0) -> None:
        super().__init__()
        self.names, self.levels = names, levels
        self._name_set = frozenset(names)
        self._layouts: dict[tuple[int, int, int], tuple[Band, ...]] = {}

    def forward(self, image: Float[Tensor, "b c h w"]) -> dict[str, Tensor]:
        """The image's bands by name, coarse to fine.

        Raises:
            UserError: if the transform does not accept the image's size.
        """
        if image.ndim != 4:
            raise ValueError(f"an image batch has shape (b, c, h, w), got {tuple(image.shape)}")
        self.bands((image.shape[-2], image.shape[-1]), image.shape[1])
        return self._analyse(image.to(at_least_float32(image)))

    def inverse(self, bands: Mapping[str, Tensor]) -> Float[Tensor, "b c h w"]:
        """The image whose bands these are; its size follows from their shapes.

        Raises:
            ValueError: if a band is missing, unknown, or of a shape that does not fit the others.
        """
        return self._synthesise(self._checked(bands))

    def _checked(self, bands: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The bands coarse to fine, in float32 at least, if they make an image."""
        if bands.keys() != self._name_set:
            raise ValueError(f"{type(self).__name__} needs the bands {list(self.names)}, got {list(bands)}")
        channels, height, width = self._image_shape(bands)
        for band in self.bands((height, width), channels):
            if bands[band.name].shape[1:] != band.shape:
                got = {name: tuple(value.shape) for name, value in bands.items()}
                raise ValueError(
                    f"band {band.name} of a {height}×{width} image has shape (b, *{band.shape}), got {got}"
                )
        dtype = at_least_float32(*bands.values())
        return {name: bands[name].to(dtype) for name in self.names}

    def bands(self, image_size: int | tuple[int, int], channels: int = 3) -> tuple[Band, ...]:
        """What `forward` returns for images of one size, coarse to fine.

        Args:
            image_size: the side of square images, or (height, width).
            channels: of the images.

        Raises:
            UserError: if the transform does not accept the size; it names one that it does.
        """
        height, width = (image_size, image_size) if isinstance(image_size, int) else image_size
        key = (channels, height, width)
        if key not in self._layouts:
            self._layouts[key] = self._layout(*key)
        return self._layouts[key]

    @abstractmethod
    def one_level(self) -> "Transform":
        """This transform with one level: its first band is the image of the next one.

        Raises:
            UserError: if the transform has no resolutions.
        """

    @abstractmethod
    def _layout(self, channels: int, height: int, width: int) -> tuple[Band, ...]: ...

    @abstractmethod
    def _analyse(self, image: Tensor) -> dict[str, Tensor]: ...

    @abstractmethod
    def _image_shape(self, bands: Mapping[str, Tensor]) -> tuple[int, int, int]: ...

    @abstractmethod
    def _synthesise(self, bands: Mapping[str, Tensor]) -> Tensor: ...


def show_size(height: int, width: int) -> str:
    """An image size as a message gives it: one number for a square."""
    return f"{height}" if height == width else f"[{height},{width}]"


def multiple_above(step: int, height: int, width: int) -> int:
    """The side of the smallest square that `step` divides and the image fits in."""
    return -(-max(height, width) // step) * step


def no_resolutions(transform: Transform) -> UserError:
    """What to say of a transform that has no pyramid where one is needed."""
    return UserError(
        f"transform {type(transform).__name__} has no resolutions as it is set: set transform=wavelet_haar, "
        "or transform.levels=1 with transform=fourier or dct"
    )


def at_least_float32(*tensors: Tensor) -> torch.dtype:
    """The precision in which all of the tensors fit, float32 or float64."""
    return functools.reduce(torch.promote_types, (x.dtype for x in tensors), torch.float32)
