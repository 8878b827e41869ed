"""Degradations made of others."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from torch import Tensor

from freqgan.data.degradations.base import Degradation, in_unit_range
from freqgan.errors import UserError
from freqgan.limits import Probability


@dataclass
class Chain(Degradation):
    """One after the other, in float64 from the first to the last: a step that rounds is one that says so.

    Args:
        steps: in order.
    """

    steps: Sequence[Degradation]

    def __post_init__(self) -> None:
        self.steps = tuple(self.steps)
        self.scale = prod(step.scale for step in self.steps)
        before = [prod(step.scale for step in self.steps[:place]) for place in range(len(self.steps))]
        self.reach = sum(step.reach * scale for step, scale in zip(self.steps, before, strict=True))

    def __call__(self, image: Tensor, random: np.random.Generator) -> Tensor:
        """Through all steps."""
        for step in self.steps:
            image = step(in_unit_range(image), random)
        return image


@dataclass
class OneOf(Degradation):
    """A choice for each image.

    Args:
        choices: all of the same scale.
        weights: how likely each is, in any unit; None is all alike.
    """

    choices: Sequence[Degradation]
    weights: Sequence[float] | None = None

    def __post_init__(self) -> None:
        scales = [choice.scale for choice in self.choices]
        if len(set(scales)) != 1:
            raise UserError(f"data.augment.degradation: OneOf has choices of scales {scales}, wanted equal ones")
        weights = [1.0] * len(scales) if self.weights is None else list(self.weights)
        if len(weights) != len(scales) or min(weights) < 0 or not sum(weights):
            wanted = f"{len(scales)} of at least 0, not all 0"
            raise UserError(f"data.augment.degradation: OneOf has weights={weights}, wanted {wanted}")
        self.choices, self.weights = tuple(self.choices), tuple(weights)
        self.scale, self.reach = scales[0], max(choice.reach for choice in self.choices)
        self._shares = np.array(weights) / sum(weights)

    def __call__(self, image: Tensor, random: np.random.Generator) -> Tensor:
        """By the choice for this image."""
        return self.choices[random.choice(len(self.choices), p=self._shares)](image, random)


@dataclass
class Sometimes(Degradation):
    """A step that some images are spared.

    Args:
        step: of scale 1.
        probability: that it is done.
    """

    step: Degradation
    probability: Probability = 0.5

    def __post_init__(self) -> None:
        if self.step.scale != 1:
            raise UserError(f"data.augment.degradation: Sometimes has a step of scale {self.step.scale}, wanted 1")
        self.reach = self.step.reach

    def __call__(self, image: Tensor, random: np.random.Generator) -> Tensor:
        """Degraded, or as it was."""
        return self.step(image, random) if random.random() < self.probability else image
