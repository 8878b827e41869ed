from collections.abc import Mapping

import pytest
import torch
from torch import Tensor, nn

from freqgan.features import FeatureNetwork


class Pixels(FeatureNetwork):
    """Stands in for a pre-trained network: the pixels themselves, as features."""

    name = "pixels"
    layers = ("flat",)

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim, self.images_seen, self.version = dim, 0, 1.0

    def read_weights(self) -> dict[str, Tensor]:
        return {"version": torch.tensor([self.version])}

    def build(self, weights: Mapping[str, Tensor]) -> nn.Sequential:
        network = nn.Sequential()
        network.add_module("flat", nn.Flatten())
        return network

    def prepare(self, images: Tensor) -> Tensor:
        self.images_seen += len(images)
        return images


@pytest.fixture
def pixels() -> type[Pixels]:
    return Pixels
