"""The networks of the frequency GAN, with those of another system where their images are superposed."""

from collections.abc import Callable, Iterator
from typing import Any, final

import torch
from torch import Tensor, nn

from freqgan.networks import BandGenerators, Bands
from freqgan.ops.keyed_random import key
from freqgan.systems.base import System
from freqgan.systems.blend import Blend, BlendedGenerator
from freqgan.systems.rules import Batch, Outputs, Player, Rows, Terms

Wants = Callable[[Player, str], bool]


@final
class Players:
    """The two networks that train, and the other system where there is one.

    Args:
        blend: the choice of another generator.
        generators: the frequency GAN's.
        judges: the frequency GAN's discriminators.
        **given: what the other system takes from the frequency GAN, see `Blend.partner`.
    """

    def __init__(self, blend: Blend | None, generators: BandGenerators, judges: nn.Module, **given: Any) -> None:
        self.partner: System | None = None
        self.generators = generators
        self.generator: nn.Module = generators
        self.discriminator = judges
        if blend is not None and blend.enabled:
            seed = key(given.get("seed", 0), "blend")  # or both would draw the same noise
            self.partner = blend.partner(**given | {"seed": seed})
            other = self.partner.generator
            self.generator = BlendedGenerator(generators, other, initial=blend.initial, num_classes=blend.num_classes)
            if self.partner.discriminator is not None:
                self.discriminator = nn.ModuleDict({"bands": judges, "other": self.partner.discriminator})

    @property
    def others(self) -> list[System]:
        """The other system, if there is one."""
        return [] if self.partner is None else [self.partner]

    @property
    def kept(self) -> nn.ModuleDict:
        """What else of the other system belongs to the state, as the encoders and captions of one that reads them."""
        parts = {} if self.partner is None else dict(self.partner.named_children())
        return nn.ModuleDict({name: part for name, part in parts.items() if name not in ("generator", "discriminator")})

    def superposed(self, bands: Bands, batch: Batch, rows: Rows) -> tuple[Bands, Tensor, Outputs]:
        """Bands and image of a step, superposed with the other generator's image, and what the other system made."""
        if self.partner is None:
            return *self.generators.finished(bands), {}
        outputs = self.partner.forward_part((batch, rows), graph=torch.is_grad_enabled())
        return *self._mixed(bands, outputs["image"], batch.get("class")), outputs

    def superposed_samples(self, bands: Bands, first: int, *, seed: int) -> tuple[Bands, Tensor]:
        """Bands and image of samples."""
        if self.partner is None:
            return self.generators.finished(bands)
        assert isinstance(self.generator, BlendedGenerator)
        count = len(next(iter(bands.values())))
        image = self.partner.sample(first, count, seed=key(seed, "blend"), weights="raw")
        return self._mixed(bands, image, self.generator.classes_of(first, count, seed=seed))

    def _mixed(self, bands: Bands, other: Tensor, classes: Tensor | None) -> tuple[Bands, Tensor]:
        """Bands and image; the bands would make the same image, but for rounding."""
        scale = self.generators.bands
        bands, own = self.generators.finished(bands)
        mine, theirs = scale.unscaled(bands), scale.transform(other)
        *mixed, image = self.generator([*mine.values(), own], [*(theirs[name] for name in mine), other], classes)
        return scale.scaled(dict(zip(mine, mixed, strict=True))), image

    def calibrate(self, data: Any) -> None:
        """What the other system has to know before its first step."""
        if self.partner is not None:
            self.partner.calibrate(data)

    def terms(self, player: Player, batch: Batch, outputs: Outputs, wants: Wants) -> Terms:
        """What the other system asks of its own networks, as one term, where it is due."""
        if (
            not wants(player, "blend")
            or self.partner is None
            or (player == "discriminator" and self.partner.discriminator is None)
        ):
            return {}
        asked = self.partner.generator_terms if player == "generator" else self.partner.discriminator_terms
        return {"blend": self.partner.weighted(player, asked(batch, outputs))}

    def shares(self) -> Iterator[tuple[str, Tensor]]:
        """α, and the weights between generators of one band."""
        for name, logits in self.generators.shares.items():
            for i, share in enumerate(logits.detach().softmax(0)):
                yield f"bands/{name}/share_{i}", share
        if isinstance(self.generator, BlendedGenerator):
            for i, alpha in enumerate(self.generator.alpha.detach().clone()):  # as it is before this step's update
                yield f"blend/alpha{'' if self.generator.num_classes is None else f'_{i}'}", alpha
