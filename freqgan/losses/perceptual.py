"""Perceptual loss: distance of the features that a pre-trained network has of two images.

Reference: Johnson et al., "Perceptual Losses for Real-Time Style Transfer and Super-Resolution", 2016; patent
CN111369440A, [0104]–[0110]: the L1 distance of φ_ij, the features after convolution i and activation j of VGG19, for
example. Departure: ESRGAN takes VGG19's features before the activation.
"""

from collections.abc import Mapping
from typing import final

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from freqgan.errors import UserError
from freqgan.features import FeatureNetwork
from freqgan.limits import Count, NonNegative

Features = Mapping[str, Float[Tensor, "b *shape"]]


def perceptual(fake: Features, real: Features, weights: Mapping[str, float]) -> Float[Tensor, ""]:
    """Σ over layers of weight · E |φ(fake) − φ(real)|.

    Args:
        fake: features of generated images, by layer.
        real: those of the images that they should be.
        weights: by layer.

    >>> fake, real = {"a": torch.tensor([[1.0, 4.0]])}, {"a": torch.tensor([[0.0, 2.0]])}
    >>> perceptual(fake, real, {"a": 10.0}).item()  # 10 · (1 + 2) / 2
    15.0
    """
    return torch.stack([weight * (fake[x] - real[x]).abs().mean() for x, weight in weights.items()]).sum()


@final
class PerceptualLoss(nn.Module):
    """L1 distance of the activations of chosen layers.

    Args:
        network: a frozen pre-trained network.
        layers: weight of each layer; they come right after an activation, so that their features are at least 0.
        min_side: images whose shorter side has fewer pixels are enlarged to it, bilinearly: of less than 32 the deep
            layers of VGG19 have a single position.

    Raises:
        UserError: a layer that the network does not have or that is no activation, or none.
    """

    def __init__(self, network: FeatureNetwork, *, layers: dict[str, NonNegative], min_side: Count = 32) -> None:
        super().__init__()
        if not layers or set(layers) - set(network.activations):
            got = ", ".join(name for name in layers if name not in network.activations) or "none"
            there = ", ".join(network.activations)
            raise UserError(f"model.perceptual.layers: got {got}, set it to weights of some of {there}")
        self.network = network
        self.layers = dict(layers)
        self.min_side = min_side

    def forward(self, fake: Float[Tensor, "b c h w"], real: Float[Tensor, "b c h w"]) -> Float[Tensor, ""]:
        """The distance of images in [-1, 1]; gradients reach the generated ones alone."""
        with torch.no_grad():
            of_real = self.network.extract(self._enlarged(real), [*self.layers])
        of_fake = self.network.extract(self._enlarged(fake), [*self.layers])
        return perceptual(of_fake, of_real, self.layers)

    def _enlarged(self, images: Tensor) -> Tensor:
        height, width = images.shape[-2:]
        factor = self.min_side / min(height, width)
        if factor <= 1:
            return images
        size = (round(height * factor), round(width * factor))
        return F.interpolate(images.float(), size, mode="bilinear", align_corners=False)
