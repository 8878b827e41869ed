"""Distance between the feature statistics of generated and of real images, which need not be pairs.

Reference: none; the nearest are the style loss over a pre-trained network's channels (Gatys et al. 2016, here by mean
and deviation as in Huang and Belongie 2017, eq. 13) and the Fréchet distance of features (Heusel et al. 2017), which
`squared` is for Gaussians of independent channels. Departure: statistics are those of the whole batch.
"""

from collections.abc import Sequence
from typing import Literal, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from freqgan.errors import UserError
from freqgan.features import FeatureNetwork
from freqgan.ops.moments import global_moments

Distance = Literal["l1", "squared"]

_EPS = 1e-8  # of a variance: a silent channel has a deviation with a finite gradient, and a silent layer a scale


def feature_statistics(
    fake: Float[Tensor, "b c *positions"], real: Float[Tensor, "n c *places"], *, distance: Distance = "l1"
) -> Float[Tensor, ""]:
    """Distance of one layer's statistics, in units of the real features' own spread.

    With mean μ and deviation σ of a channel over the images of all processes and all positions, and the mean E over
    channels,

        l1:       E(|μ_fake − μ_real| + |σ_fake − σ_real|) / √E(σ_real²)
        squared:  E((μ_fake − μ_real)² + (σ_fake − σ_real)²) / E(σ_real²)

    The scale makes layers count equally, whose features differ a thousandfold in size. It is one per layer: with one
    per channel, those that real images hardly excite would decide.

    Args:
        fake: features of generated images, a vector or a map of vectors each.
        real: those of real images; constants of the loss.
        distance: `squared` cares more for the channels that are far off.

    >>> fake, real = torch.tensor([[3.0], [7.0]]), torch.tensor([[0.0], [2.0]])
    >>> round(feature_statistics(fake, real).item(), 4)  # (|5 − 1| + |2 − 1|) / 1
    5.0
    >>> round(feature_statistics(fake, real, distance="squared").item(), 4)  # (4² + 1²) / 1²
    17.0
    """
    with torch.no_grad():
        real_mean, real_variance = global_moments(real)
        real_deviation = (real_variance + _EPS).sqrt()
        spread = real_variance.mean() + _EPS
    mean, variance = global_moments(fake)
    difference = torch.stack([mean - real_mean, (variance + _EPS).sqrt() - real_deviation])  # (2, c)
    if distance == "l1":
        return difference.abs().sum(0).mean() / spread.sqrt()
    return difference.square().sum(0).mean() / spread


@final
class FeatureStatistics(nn.Module):
    """Mean over layers of the distance between the feature statistics of generated and of real images.

    Args:
        network: a frozen pre-trained network.
        layers: names of its layers; null takes all of them.
        distance: see `feature_statistics`.

    Raises:
        UserError: a layer that the network does not have, or none.
    """

    def __init__(
        self, network: FeatureNetwork, *, layers: Sequence[str] | None = None, distance: Distance = "l1"
    ) -> None:
        super().__init__()
        chosen = network.layers if layers is None else tuple(dict.fromkeys(layers))
        if not chosen or set(chosen) - set(network.layers):
            got = ", ".join(name for name in chosen if name not in network.layers) or "none"
            raise UserError(f"layers of {network.name}: got {got}, set layers to some of {', '.join(network.layers)}")
        self.network = network
        self.layers = chosen
        self.distance: Distance = distance

    def forward(self, fake: Float[Tensor, "b ch h w"], real: Float[Tensor, "n ch h2 w2"]) -> Float[Tensor, ""]:
        """The distance between images in [-1, 1]; gradients reach the generated ones alone."""
        with torch.no_grad():
            of_real = self.network.extract(real, self.layers)
        of_fake = self.network.extract(fake, self.layers)
        distances = [feature_statistics(of_fake[x], of_real[x], distance=self.distance) for x in self.layers]
        return torch.stack(distances).mean()
