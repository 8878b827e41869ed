"""All band generators as one network: noise to the bands of an image, pass by pass.

Reference: patent CN112529975A, claims 4, 5 and 7, [0088]–[0096], [0134]–[0136]. In the first pass a generator receives
its noise and the outputs of generators before it; in later ones the outputs that the others had in the pass before
([0093]), so that none waits for another. Readings: several generators of one band are averaged with learned weights,
and the low image of a finer level is such an average of its own generator's and of what the coarser levels make.
Generators of equal shape that do not wait for each other are evaluated as one network.
"""

from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, final

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from freqgan.networks.band_gans import BandGAN
from freqgan.networks.joined_bands import context_channels, context_image, parted_bands
from freqgan.networks.resting import resting
from freqgan.networks.side_by_side import FeatureCondition, GeneratorStack, equal_gans
from freqgan.ops.keyed_random import key
from freqgan.transforms.unit_scale import UnitScale

Bands = dict[str, Tensor]
Bounded = Literal["bands", "image"]
REFERENCES = 256  # real images whose features are kept for samples without a reference


@dataclass(frozen=True)
class Teacher:
    """Real bands that stand in for generated ones in what generators see.

    Attributes:
        bands: real bands at unit scale.
        rows: samples (b,) whose context is real; None for all.
        always: bands whose context is real in every sample.
    """

    bands: Mapping[str, Tensor]
    rows: Bool[Tensor, "b"] | None = None
    always: Collection[str] = ()

    def shown(self, name: str, generated: Tensor) -> Tensor:
        """What a generator sees of a band."""
        if self.rows is None or name in self.always:
            return self.bands[name]
        return torch.where(self.rows.view(-1, 1, 1, 1), self.bands[name].to(generated.dtype), generated)


@final
class BandGenerators(nn.Module):
    """A frame of noise to every band at unit scale, and these to the image.

    Args:
        bands: the transform and its scales.
        gans: which generators there are and what they see.
        generator: makes `count` generators side by side from latent_dim, out_channels, image_size, context_channels and
            count, as `freqgan.networks.DCGANGenerator`.
        latent_dim: length of each generator's noise.
        low: arguments of `generator` for GANs of low bands alone.
        apart: whether generators of low and of high bands are never one network, so that one kind can rest.
        passes: how often the generators are run through.
        cascade_gradient: whether the gradient of a band reaches the generators of the bands that its generator saw.
        bounded: where values are bounded by tanh, in each band by the generator's head or in the image.
        feature_dim: length of a feature vector that every generator receives beside its noise; 0 for none.
        condition_dim: length that it is projected to.
    """

    def __init__(
        self,
        bands: UnitScale,
        gans: Sequence[BandGAN],
        *,
        generator: Callable[..., nn.Module],
        latent_dim: int,
        low: Mapping[str, Any] | None = None,
        apart: bool = False,
        passes: int = 1,
        cascade_gradient: bool = True,
        bounded: Bounded = "bands",
        feature_dim: int = 0,
        condition_dim: int = 0,
    ) -> None:
        super().__init__()
        self.bands = bands
        self.gans = list(gans)
        self.passes = passes
        self.cascade_gradient = cascade_gradient
        self.bounded = bounded
        self.shapes = {band.name: band.shape for band in bands.bands}
        self.lows = frozenset(band.name for band in bands.bands if band.frequency_class == 0)
        self.condition = FeatureCondition(feature_dim, condition_dim) if feature_dim else None
        if feature_dim:
            self.register_buffer("references", torch.zeros(REFERENCES, feature_dim))
        self.references: Tensor
        noise_dim = latent_dim + (condition_dim if feature_dim else 0)
        head = {"head": "linear"} if bounded == "image" else {}
        self.stacks = nn.ModuleList(
            self._stack(members, partial(generator, latent_dim=noise_dim, **head), low or {})
            for members in equal_gans(gans, self._kind, apart=apart)
        )
        makers = {name: [i for i, gan in enumerate(gans) if name in gan.bands] for name in bands.names}
        self.makers = makers
        lifted = {names[0]: level + 1 for level, names in self._levels() if level < self.bands.transform.levels}
        self.lifted = lifted  # low images of finer levels, with the level that makes them
        self.shares = nn.ParameterDict(
            {
                name: nn.Parameter(torch.zeros(len(made) + (name in lifted)))
                for name, made in makers.items()
                if made and len(made) + (name in lifted) > 1
            }
        )

    def _kind(self, gan: BandGAN) -> Hashable:
        """Equal for generators that can be one network."""
        return gan.shape, len(gan.sees), context_channels(gan.sees, self.shapes)

    def _stack(
        self, members: Sequence[int], generator: Callable[..., nn.Module], low: Mapping[str, Any]
    ) -> GeneratorStack:
        gan = self.gans[members[0]]
        context = context_channels(gan.sees, self.shapes)
        shape = {"out_channels": gan.shape[0], "image_size": gan.shape[1:], "context_channels": context}
        return GeneratorStack(members, partial(generator, **shape, **(low if gan.low else {})))

    def _levels(self) -> Iterator[tuple[int, list[str]]]:
        for level in range(self.bands.transform.levels, 0, -1):
            yield level, self.bands.level_names(level)

    def forward(
        self,
        frame: Float[Tensor, "b n d"],
        *,
        features: Float[Tensor, "b f"] | None = None,
        before: Mapping[str, Tensor] | None = None,
        teacher: Teacher | None = None,
        frozen: Collection[str] = (),
    ) -> Bands:
        """Every band at unit scale, the low images of finer levels among them.

        Args:
            frame: row i is the noise of generator i, the same in every pass.
            features: of the images that are wanted, where the generators are conditioned on them.
            before: bands that the generators see in one further pass; None runs all passes.
            teacher: real bands in what the generators see.
            frozen: names of GANs whose generators take no gradient; of those that are one network, all or none.
        """
        if self.condition is not None:
            assert features is not None
            condition = self.condition(features)
            frame = torch.cat([frame, condition.unsqueeze(1).expand(-1, len(self.gans), -1)], 2)
        if before is not None:
            return self._pass(frame, before, teacher, frozen)
        bands = None
        for _ in range(self.passes):
            bands = self._pass(frame, bands, teacher, frozen)
        assert bands is not None
        return bands

    def features_of(
        self, first: int, count: int, *, seed: int, wanted: Float[Tensor, "1 f"] | None = None
    ) -> Float[Tensor, "b f"] | None:
        """Features for samples first … first + count: those wanted, or a real image's by (seed, number)."""
        if self.condition is None:
            return None
        if wanted is not None:
            return wanted.to(self.references).expand(count, -1)
        chosen = [key(seed, "reference", number) % REFERENCES for number in range(first, first + count)]
        return self.references[chosen]

    def finished(self, bands: Bands) -> tuple[Bands, Float[Tensor, "b c h w"]]:
        """The image that generated bands make, and its bands; those given, unless the image is bounded."""
        image = self.bands.image(bands)
        if self.bounded == "bands":
            return bands, image
        image = image.tanh()
        return self.bands(image), image

    def parameters_of(self, i: int) -> int:
        """How many weights generator i has."""
        stack = self._stack_of(i)
        return sum(p.numel() for p in stack.parameters()) // len(stack.members)

    def _pass(
        self, frame: Tensor, before: Mapping[str, Tensor] | None, teacher: Teacher | None, frozen: Collection[str]
    ) -> Bands:
        made: dict[int, Bands] = {}
        bands: Bands = {}
        waits = before is None and not (teacher is not None and teacher.rows is None)
        for stack, members in self.order(waits=waits):
            contexts = [self._context(self.gans[i], bands, before, teacher, len(frame)) for i in members]
            active = self.gans[members[0]].name not in frozen
            with (
                nullcontext() if active else resting(stack),
                torch.set_grad_enabled(torch.is_grad_enabled() and active),
            ):
                images = stack(frame[:, members], contexts, members)
            for i, image in zip(members, images, strict=True):
                made[i] = parted_bands(self.gans[i], image, self.shapes)
            self._complete(bands, made, frozen)
        return bands

    def order(self, *, waits: bool) -> Iterator[tuple[GeneratorStack, list[int]]]:
        """Which generators are evaluated together, one set after the other.

        Args:
            waits: whether a generator needs what those before it make in this pass.
        """
        done: set[int] = set()
        for i in range(len(self.gans)):
            if i in done:
                continue
            stack = self._stack_of(i)
            together = not done.intersection(stack.members) and all(self._is_ready(j, done) for j in stack.members)
            members = stack.members if together or not waits else [i]
            yield stack, members
            done.update(members)

    def _stack_of(self, i: int) -> GeneratorStack:
        stack = next(stack for stack in self.stacks if isinstance(stack, GeneratorStack) and i in stack.members)
        assert isinstance(stack, GeneratorStack)
        return stack

    def _is_ready(self, i: int, done: Collection[int]) -> bool:
        """Whether those whose bands generator i sees in the first pass are done; coarser levels always are by then."""
        return all(j in done for name in self.gans[i].sees_first for j in self.makers[name])

    def _complete(self, bands: Bands, made: Mapping[int, Bands], frozen: Collection[str]) -> None:
        """Adds every band of which all parts are there."""
        for name in self.bands.names:
            level = self.lifted.get(name)
            below = self.bands.level_names(level) if level is not None else []
            if name in bands or not all(i in made for i in self.makers[name]) or not all(b in bands for b in below):
                continue
            parts = [made[i][name] for i in self.makers[name]]
            if level is not None:
                parts.append(self.bands.lift(level, bands))
            resting = all(self.gans[i].name in frozen for i in self.makers[name])
            bands[name] = self._averaged(name, parts, resting=resting)

    def _averaged(self, name: str, parts: Sequence[Tensor], *, resting: bool) -> Tensor:
        if len(parts) == 1:
            return parts[0]
        weights = (self.shares[name].detach() if resting else self.shares[name]).softmax(0)
        return torch.stack([part * weight for part, weight in zip(parts, weights, strict=True)]).sum(0)

    def _context(
        self,
        gan: BandGAN,
        bands: Mapping[str, Tensor],
        before: Mapping[str, Tensor] | None,
        teacher: Teacher | None,
        count: int,
    ) -> Tensor | None:
        """What a generator sees: zeros where a band has not been made yet."""
        seen: Bands = {}
        for name in gan.sees:
            if before is not None:
                there = before[name]
            elif name in gan.sees_first and name in bands:
                there = bands[name]
            else:
                there = self.bands.scales.new_zeros((count, *self.shapes[name]))
            if teacher is not None:
                there = teacher.shown(name, there)
            seen[name] = there if self.cascade_gradient else there.detach()
        return context_image(seen, gan.sees, gan.shape[1:])
