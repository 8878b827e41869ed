"""Networks of several GANs as one: small networks one after the other cost more than their arithmetic."""

from collections.abc import Callable, Hashable, Sequence
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call

from freqgan.networks.band_gans import BandGAN


def equal_gans(gans: Sequence[BandGAN], kind: Callable[[BandGAN], Hashable], *, apart: bool) -> list[list[int]]:
    """Indexes of GANs whose networks can be one, being of one kind."""
    equal: dict[Hashable, list[int]] = {}
    for i, gan in enumerate(gans):
        equal.setdefault((kind(gan), apart and gan.low), []).append(i)
    return list(equal.values())


@final
class GeneratorStack(nn.Module):
    """Generators of equal shape in one network, evaluated all at once or one of them.

    Args:
        members: indexes of the generators.
        network: makes the network; called with their `count` if there are several.
    """

    def __init__(self, members: Sequence[int], network: Callable[..., nn.Module]) -> None:
        super().__init__()
        self.members = list(members)
        self.network = network(count=len(members))
        with torch.device("meta"):
            self._one = (network(count=1),)  # a shape to fill in: no module of this one

    def forward(
        self, noise: Float[Tensor, "b n d"], contexts: Sequence[Tensor | None], members: Sequence[int]
    ) -> list[Float[Tensor, "b c h w"]]:
        """An image per member, given the noise and the context of each."""
        seen = [context for context in contexts if context is not None]
        context = torch.cat(seen, 1) if seen else None
        count = len(members)
        if count == len(self.members):
            images = self.network(noise.flatten(1), context)
        else:
            assert count == 1
            self._one[0].train(self.training)
            weights = self.of_member(self.members.index(members[0]))
            images = functional_call(self._one[0], weights, (noise.flatten(1), context))
        return list(images.unflatten(1, (count, -1)).unbind(1)) if count > 1 else [images]

    def of_member(self, place: int) -> dict[str, Tensor]:
        """Parameters and buffers of one generator, as views."""
        count = len(self.members)
        everything = {**dict(self.network.named_parameters()), **dict(self.network.named_buffers())}
        return {name: value.chunk(count)[place] if value.dim() else value for name, value in everything.items()}


@final
class FeatureCondition(nn.Module):
    """A feature vector, normalised and projected.

    Args:
        feature_dim: its length.
        condition_dim: the projection's length.
    """

    def __init__(self, feature_dim: int, condition_dim: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(feature_dim, elementwise_affine=False)
        self.project = nn.Linear(feature_dim, condition_dim)

    def forward(self, features: Float[Tensor, "b f"]) -> Float[Tensor, "b k"]:
        """The projection."""
        projected: Tensor = self.project(self.norm(features))
        return projected
