"""The image as its own only band: with it the frequency GAN is the plain GAN, its baseline."""

from collections.abc import Mapping
from typing import final

from torch import Tensor

from freqgan.transforms.base import Band, Transform, no_resolutions


@final
class Identity(Transform):
    """One band, `image`, of level 0 and class 0."""

    def __init__(self) -> None:
        super().__init__(("image",))

    def one_level(self) -> Transform:
        """Impossible: the image is all there is."""
        raise no_resolutions(self)

    def _layout(self, channels: int, height: int, width: int) -> tuple[Band, ...]:
        return (Band("image", level=0, frequency_class=0, shape=(channels, height, width)),)

    def _analyse(self, image: Tensor) -> dict[str, Tensor]:
        return {"image": image}

    def _image_shape(self, bands: Mapping[str, Tensor]) -> tuple[int, int, int]:
        _, channels, height, width = bands["image"].shape
        return channels, height, width

    def _synthesise(self, bands: Mapping[str, Tensor]) -> Tensor:
        return bands["image"]
