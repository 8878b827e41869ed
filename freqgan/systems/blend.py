"""Superposition with the image of another generator that trains along.

Reference: patent CN112529975A, claim 10, [0015], [0141]: the synthesised image is superposed, by weights for example,
with the image of any other generator, which takes part in the training; the weight α is learned per data set and scene.
Every transform here is linear, so bands are superposed as the images are, and the discriminators of the bands teach α.
"""

import inspect
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal, final

import torch
from jaxtyping import Int
from torch import Tensor, nn

from freqgan.errors import UserError
from freqgan.limits import Count, Probability
from freqgan.ops.keyed_random import torch_generator
from freqgan.systems.base import System


@final
class Blend:
    """The choice of another generator.

    Args:
        generator: a model's config with `_partial_: true`; what it leaves open of optimisers, adversarial loss, terms,
            networks, image size and channels it takes from the model that it is blended with.
        enabled: whether there is one.
        alpha: one weight for the data set, or one for each class of the samples.
        initial: α at the start, the weight of the frequency GAN's own image.
        num_classes: classes, for `alpha=per_class`.

    Raises:
        UserError: no classes for α, or the generator is no model's partial config.
    """

    def __init__(
        self,
        *,
        generator: Callable[..., Any] | None = None,
        enabled: bool = True,
        alpha: Literal["global", "per_class"] = "global",
        initial: Probability = 0.5,
        num_classes: Count | None = None,
    ) -> None:
        if enabled and alpha == "per_class" and not num_classes:
            raise UserError("model.blend.alpha=per_class needs the number of classes: set model.blend.num_classes")
        if enabled and not isinstance(generator, partial):
            raise UserError("model.blend.generator has to be a model with _partial_: true")
        self.enabled = enabled
        self.generator = generator
        self.initial = initial
        self.num_classes = num_classes if alpha == "per_class" else None

    def partner(self, **given: Any) -> System:
        """The other system, from its own config and what is given of what that leaves open.

        Raises:
            UserError: the config is none of a model.
        """
        assert isinstance(self.generator, partial)
        kind = self.generator.func
        if not (isinstance(kind, type) and issubclass(kind, System)):
            raise UserError(f"model.blend.generator builds {kind.__name__}, wanted a model")
        accepted = inspect.signature(kind).parameters
        anything = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in accepted.values())
        own = {**self.generator.keywords, "phases": []}  # phases name parts of the whole
        built: System = self.generator(
            **{name: part for name, part in given.items() if name not in own and (anything or name in accepted)}
        )
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
        self.alpha = nn.Parameter(torch.full((num_classes or 1,), float(initial)))
        self.num_classes = num_classes

    def forward(self, own: Sequence[Tensor], other: Sequence[Tensor], classes: Int[Tensor, "b"] | None) -> list[Tensor]:
        """α · own + (1 − α) · other, each (b, c, h, w); exactly one of them where α is 0 or 1."""
        if self.training:
            self.alpha.data.clamp_(0, 1)  # a projected step: α may come back from its bounds
        alpha = self.alpha if self.training else self.alpha.clamp(0, 1)
        if self.num_classes is not None:
            alpha = alpha[self._known(classes).to(alpha.device)]
        alpha = alpha.view(-1, 1, 1, 1)
        return [alpha * mine + (1 - alpha) * theirs for mine, theirs in zip(own, other, strict=True)]

    def _known(self, classes: Tensor | None) -> Tensor:
        if classes is None:
            raise UserError(
                "model.blend.alpha=per_class needs samples with a class: choose data=shards of pictures with .cls "
                "files, or model.blend.alpha=global"
            )
        if int(classes.max()) >= len(self.alpha):
            raise UserError(
                f"model.blend.num_classes={len(self.alpha)}, but a sample has class {int(classes.max())}: set "
                "model.blend.num_classes to more than the greatest class"
            )
        return classes

    def classes_of(self, first: int, count: int, *, seed: int) -> Int[Tensor, "b"] | None:
        """Classes of samples first … first + count, each equally likely; None for one α."""
        if self.num_classes is None:
            return None
        draws = [torch_generator(seed, "class", number) for number in range(first, first + count)]
        return torch.cat([torch.randint(self.num_classes, (1,), generator=draw) for draw in draws])
