"""The contract of the invertible frequency transforms."""

import functools
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn


@dataclass(frozen=True)
class Band:
    """One band of a transform for one image size.

    Attributes:
        name: the key in `Transform.forward`'s result.
        level: the resolution level, 1 the finest; 0 where a transform has no pyramid of resolutions.
        frequency_class: 0 for the lowest frequencies, rising.
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

    Subclasses implement `_layout`, `_analyse`, `_image_shape` and `_synthesise`.

    Args:
        names: of the bands, coarse to fine, whatever the image.
    """

    def __init__(self, names: tuple[str, ...]) -> None:
        super().__init__()
        self.names = names
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
        return self._analyse(image.to(_at_least_float32(image)))

    def inverse(self, bands: Mapping[str, Tensor]) -> Float[Tensor, "b c h w"]:
        """The image whose bands these are; its size follows from their shapes.

        Raises:
            ValueError: if a band is missing, unknown, or of a shape that does not fit the others.
        """
        if bands.keys() != self._name_set:
            raise ValueError(f"{type(self).__name__} needs the bands {list(self.names)}, got {list(bands)}")
        channels, height, width = self._image_shape(bands)
        for band in self.bands((height, width), channels):
            if bands[band.name].shape[1:] != band.shape:
                got = {name: tuple(value.shape) for name, value in bands.items()}
                raise ValueError(
                    f"band {band.name} of a {height}×{width} image has shape (b, *{band.shape}), got {got}"
                )
        dtype = _at_least_float32(*bands.values())
        return self._synthesise({name: bands[name].to(dtype) for name in self.names})

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
    def _layout(self, channels: int, height: int, width: int) -> tuple[Band, ...]: ...

    @abstractmethod
    def _analyse(self, image: Tensor) -> dict[str, Tensor]: ...

    @abstractmethod
    def _image_shape(self, bands: Mapping[str, Tensor]) -> tuple[int, int, int]: ...

    @abstractmethod
    def _synthesise(self, bands: Mapping[str, Tensor]) -> Tensor: ...


def _at_least_float32(*tensors: Tensor) -> torch.dtype:
    return functools.reduce(torch.promote_types, (x.dtype for x in tensors), torch.float32)
