"""Superposition with the image of another generator that trains along.

Reference: patent CN112529975A, claim 10, [0015], [0141]: the synthesised image is superposed, by weights for example,
with the image of any other generator, which takes part in the training; the weight α is learned per data set and scene.
Every transform here is linear, so images are superposed band by band, and the discriminators of the bands teach α.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Literal, final

import torch
from jaxtyping import Int
from torch import Tensor, nn

from freqgan.errors import UserError
from freqgan.networks import BandGenerators
from freqgan.ops.keyed_random import key, torch_generator
from freqgan.systems.base import System
from freqgan.systems.rules import Batch, Outputs, Player, Rows, Terms


@final
class Blend:
    """The choice of another generator.

    Args:
        generator: a model's config with `_partial_: true`; what it leaves open of optimisers, adversarial loss, terms,
            image size and channels it takes from the model that it is blended with.
        enabled: whether there is one.
        alpha: one weight for the data set, or one for each class of the samples.
        initial: α at the start, the weight of the frequency GAN's own image.
        num_classes: classes, for `alpha=per_class`.

    Raises:
        UserError: α or its classes are out of range, or the generator is no model's partial config.
    """

    def __init__(
        self,
        *,
        generator: Callable[..., Any] | None = None,
        enabled: bool = True,
        alpha: Literal["global", "per_class"] = "global",
        initial: float = 0.5,
        num_classes: int | None = None,
    ) -> None:
        if not 0 <= initial <= 1:
            raise UserError(f"model.blend.initial={initial} must lie between 0 and 1")
        if enabled and alpha == "per_class" and not num_classes:
            raise UserError("model.blend.alpha=per_class needs the number of classes: set model.blend.num_classes")
        if enabled and not isinstance(generator, partial):
            raise UserError("model.blend.generator has to be a model with _partial_: true")
        self.enabled = enabled
        self.generator = generator
        self.initial = initial
        self.num_classes = num_classes if alpha == "per_class" else None

    def partner(self, **given: Any) -> System:
        """The other system, from its own config and what is given of what that leaves open."""
        assert isinstance(self.generator, partial)
        accepted = inspect.signature(self.generator.func).parameters
        anything = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in accepted.values())
        own = self.generator.keywords
        built = self.generator(**{k: v for k, v in given.items() if k not in own and (anything or k in accepted)})
        if not isinstance(built, System):
            raise UserError(f"model.blend.generator builds {type(built).__name__}, wanted a model")
        del built.ema  # the average of the whole holds this generator's too
        return built


@final
class BlendedGenerator(nn.Module):
    """Band generators, another generator, and the weight between their images.

    Args:
        bands: the frequency GAN's generators.
        other: the other system's generator.
        initial: α at the start.
        num_classes: classes with an α each; None for one α.
    """

    def __init__(self, bands: nn.Module, other: nn.Module, *, initial: float, num_classes: int | None) -> None:
        super().__init__()
        self.bands = bands
        self.other = other
        self.alpha = nn.Parameter(torch.full((num_classes or 1,), initial))
        self.num_classes = num_classes

    def forward(
        self, own: Mapping[str, Tensor], other: Mapping[str, Tensor], classes: Int[Tensor, "b"] | None
    ) -> dict[str, Tensor]:
        """α · own + (1 − α) · other, band by band; exactly one of them where α is 0 or 1."""
        if self.training:
            self.alpha.data.clamp_(0, 1)  # a projected step: α may come back from its bounds
        alpha: Tensor = self.alpha
        if self.num_classes is not None:
            if classes is None:
                raise UserError(
                    "model.blend.alpha=per_class needs samples with a class: choose data=shards of pictures with .cls "
                    "files, or model.blend.alpha=global"
                )
            alpha = alpha[classes.to(alpha.device)]
        alpha = alpha.view(-1, 1, 1, 1)
        return {name: alpha * band + (1 - alpha) * other[name] for name, band in own.items()}

    def classes_of(self, first: int, count: int, *, seed: int) -> Int[Tensor, "b"] | None:
        """Classes of samples first … first + count, each equally likely; None for one α."""
        if self.num_classes is None:
            return None
        draws = [torch_generator(seed, "class", number) for number in range(first, first + count)]
        return torch.cat([torch.randint(self.num_classes, (1,), generator=draw) for draw in draws])


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

    def superposed(self, bands: dict[str, Tensor], batch: Batch, rows: Rows) -> tuple[dict[str, Tensor], Outputs]:
        """Bands of a step with those of the other generator's image, and what the other system made; or as they are."""
        if self.partner is None:
            return bands, {}
        assert isinstance(self.generator, BlendedGenerator)
        outputs = self.partner.forward_part((batch, rows), graph=torch.is_grad_enabled())
        return self.generator(bands, self.generators.bands(outputs["image"]), batch.get("class")), outputs

    def superposed_samples(self, bands: dict[str, Tensor], first: int, *, seed: int) -> dict[str, Tensor]:
        """The same for bands of samples."""
        if self.partner is None:
            return bands
        assert isinstance(self.generator, BlendedGenerator)
        count = len(next(iter(bands.values())))
        image = self.partner.sample(first, count, seed=seed, weights="raw")
        blended: dict[str, Tensor] = self.generator(
            bands, self.generators.bands(image), self.generator.classes_of(first, count, seed=seed)
        )
        return blended

    def terms(self, player: Player, batch: Batch, outputs: Outputs) -> Terms:
        """What the other system asks of its own networks, as one term."""
        if self.partner is None or (player == "discriminator" and self.partner.discriminator is None):
            return {}
        asked = self.partner.generator_terms if player == "generator" else self.partner.discriminator_terms
        return {"blend": self.partner.weighted(player, asked(batch, outputs))}

    def shares(self) -> Iterator[tuple[str, Tensor]]:
        """α, and the weights between generators of one band."""
        for name, logits in self.generators.shares.items():
            for i, share in enumerate(logits.softmax(0)):
                yield f"generator/{name}/share_{i}", share
        if isinstance(self.generator, BlendedGenerator):
            for i, alpha in enumerate(self.generator.alpha):
                yield f"generator/alpha{'' if self.generator.num_classes is None else f'_{i}'}", alpha
