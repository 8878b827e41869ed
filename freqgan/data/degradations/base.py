"""What all degradations have in common."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from freqgan.errors import UserError

Span = float | tuple[float, float]
"""A value, or the lowest and highest of values that are drawn evenly."""


class Degradation(ABC):
    """A function of an image and a generator.

    Attributes:
        scale: each side of the image becomes so many times shorter; it is then a multiple of it.
        reach: pixels around a pixel that decide what becomes of it, so far as that is fixed: a part that is
            degraded with so much around it becomes what it becomes within the whole image.
    """

    scale: int = 1
    reach: int = 0

    @abstractmethod
    def __call__(self, image: Tensor, random: np.random.Generator) -> Tensor:
        """The degraded image.

        Args:
            image: (c, h, w), bytes or floats in [0, 1].
            random: of all draws.

        Returns:
            (c, h / scale, w / scale): bytes, or float64 that may leave [0, 1] and is not rounded yet.
        """


def in_unit_range(image: Tensor) -> Tensor:
    """Bytes or floats in [0, 1] as float64: rounding in the end must not hang on how sums were cut."""
    return image.double() / 255 if image.dtype == torch.uint8 else image.double()


def to_depth_of(source: Tensor, image: Tensor) -> Tensor:
    """A degraded image in the dtype of the image it was made of, rounded if that is bytes.

    >>> to_depth_of(torch.zeros(1, dtype=torch.uint8), torch.tensor([-0.1, 0.5, 1.0])).tolist()
    [0, 128, 255]
    """
    if image.dtype == torch.uint8:
        return image if source.dtype == torch.uint8 else image.to(source.dtype) / 255
    clamped = image.clamp(0, 1)
    return (clamped * 255).add_(0.5).floor_().byte() if source.dtype == torch.uint8 else clamped.to(source.dtype)


def draw(span: Span, random: np.random.Generator) -> float:
    """A value of a span."""
    return float(random.uniform(*span)) if isinstance(span, Sequence) else float(span)


def highest(span: Span) -> float:
    """The largest value of a span."""
    return max(span) if isinstance(span, Sequence) else span


def check_span(owner: object, name: str, least: float, most: float = float("inf")) -> None:
    """Hold a setting of a degradation within limits; a list becomes a tuple, so that equal settings look equal.

    Raises:
        UserError: it is outside, or its ends are in the wrong order.
    """
    span: Span = getattr(owner, name)
    ends = tuple(span) if isinstance(span, Sequence) else (span, span)
    if isinstance(span, Sequence):
        setattr(owner, name, ends)
    if len(ends) != 2 or not least <= ends[0] <= ends[1] <= most:
        wanted = f"a number or [lowest, highest] of at least {least:g}"
        wanted += f" and at most {most:g}" if most < float("inf") else ""
        got = list(ends) if isinstance(span, Sequence) else span
        raise UserError(f"data.augment.degradation: {type(owner).__name__} has {name}={got}, wanted {wanted}")
