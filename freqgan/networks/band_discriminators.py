"""All band discriminators as one network; those of equal size are evaluated together."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from freqgan.networks.band_gans import BandGAN
from freqgan.networks.joined_bands import Shapes, context_channels, context_image, joined_bands
from freqgan.networks.side_by_side import FeatureCondition, equal_gans


@final
class BandDiscriminators(nn.Module):
    """A discriminator per GAN, and one for the whole image where it is wanted, or that one alone.

    Args:
        gans: which discriminators there are.
        shapes: (channels, height, width) of every band.
        discriminator: makes discriminators side by side from in_channels, a list with the channels of each one's input,
            image_size and condition_dim, as `freqgan.networks.DCGANDiscriminator`; None for none of a band.
        low: arguments of `discriminator` for GANs of low bands alone.
        apart: whether discriminators of low and of high bands are never one network, so that one kind can rest.
        sees_context: whether a discriminator sees the bands that its generator saw.
        image: makes the discriminator of the image, if any, from in_channels and image_size.
        image_shape: (channels, height, width).
        feature_dim: length of a feature vector that every discriminator receives; 0 for none.
        condition_dim: length that it is projected to.
    """

    WHOLE = "whole"  # name of the whole image's discriminator among the GANs

    def __init__(
        self,
        gans: Sequence[BandGAN],
        shapes: Shapes,
        *,
        discriminator: Callable[..., nn.Module] | None,
        low: Mapping[str, Any] | None = None,
        apart: bool = False,
        sees_context: bool = True,
        image: Callable[..., nn.Module] | None = None,
        image_shape: tuple[int, int, int] | None = None,
        feature_dim: int = 0,
        condition_dim: int = 0,
    ) -> None:
        super().__init__()
        gans = [] if discriminator is None else gans
        self.gans = {gan.name: gan for gan in gans}
        self.sees = {gan.name: gan.sees if sees_context else () for gan in gans}
        self.condition = FeatureCondition(feature_dim, condition_dim) if feature_dim else None
        inputs = {gan.name: gan.shape[0] + context_channels(self.sees[gan.name], shapes) for gan in gans}
        groups = equal_gans(gans, lambda gan: gan.shape[1:], apart=apart)
        self.members = [[gans[i].name for i in group] for group in groups]
        self.networks = nn.ModuleList(
            discriminator(
                in_channels=[inputs[name] for name in names],
                image_size=self.gans[names[0]].shape[1:],
                condition_dim=condition_dim if feature_dim else 0,
                **(low or {} if self.gans[names[0]].low else {}),
            )
            for names in self.members
            if discriminator is not None
        )
        self.of_image = None
        if image is not None and image_shape is not None:
            self.of_image = image(in_channels=[image_shape[0]], image_size=image_shape[1:], condition_dim=0)

    def forward(
        self,
        inputs: Mapping[str, Float[Tensor, "b c h w"]],
        contexts: Mapping[str, Tensor | None],
        *,
        features: Float[Tensor, "b f"] | None = None,
    ) -> dict[str, Float[Tensor, "b"]]:
        """Logits by name of the GAN.

        Args:
            inputs: what `inputs_of` gives, or something in its place; of networks that are one, all or none.
            contexts: what `contexts_of` gives.
            features: of the images, where the discriminators receive them.
        """
        condition = {} if self.condition is None else {"condition": self.condition(features)}
        logits: dict[str, Tensor] = {}
        for network, names in zip(self.networks, self.members, strict=True):
            if names[0] not in inputs:
                continue
            images = [_beside(inputs[name], contexts[name]) for name in names]
            judged: Tensor = network(*images, **condition)
            logits |= dict(zip(names, judged.unbind(1), strict=True))
        if self.of_image is not None and self.WHOLE in inputs:
            logits[self.WHOLE] = self.of_image(inputs[self.WHOLE])[:, 0]
        return logits

    def parameters_of(self, name: str) -> int:
        """How many weights a GAN's discriminator has; its share, where several are one network; 0 where it has none."""
        if name not in self.gans:
            return 0
        network, names = next(pair for pair in zip(self.networks, self.members, strict=True) if name in pair[1])
        return sum(p.numel() for p in network.parameters()) // len(names)

    def inputs_of(self, bands: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Each GAN's own bands as one image."""
        return {name: joined_bands(gan, bands) for name, gan in self.gans.items()}

    def contexts_of(self, bands: Mapping[str, Tensor]) -> dict[str, Tensor | None]:
        """What each discriminator sees beside its own bands."""
        return {name: context_image(bands, self.sees[name], gan.shape[1:]) for name, gan in self.gans.items()}


def _beside(image: Tensor, context: Tensor | None) -> Tensor:
    return image if context is None else torch.cat([image, context.to(image.dtype)], 1)
