"""Optimisers of both players, and their learning rate as a function of budget progress."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from math import cos, pi
from typing import Any, Literal, TypedDict, Unpack, final

import torch
from torch import nn

from freqgan.errors import UserError


class Override(TypedDict, total=False):
    """Settings of one player that differ from the shared ones."""

    lr: float
    betas: tuple[float, float]
    eps: float
    weight_decay: float
    momentum: float
    alpha: float


class Course(TypedDict, total=False):
    """How settings depend on the player and on the progress p of the budget, in [0, 1].

    Keys:
        schedule: of the learning rate: `constant`; `linear_decay`, constant until `decay_from` and then linear to 0
            (CycleGAN's schedule for 0.5); `cosine`, constant until `decay_from` and then half a period to 0.
        decay_from: progress at which a decay begins, in [0, 1).
        generator: settings of the generator alone.
        discriminator: settings of the discriminator alone.
    """

    schedule: Literal["constant", "linear_decay", "cosine"]
    decay_from: float
    generator: Override | None
    discriminator: Override | None


class Optimizers(ABC):
    """Settings shared by both players, with overrides for one of them.

    Args:
        settings: keyword arguments of the optimiser.
        **course: see `Course`.

    Raises:
        UserError: a decay that would begin outside the budget.
    """

    def __init__(self, settings: dict[str, Any], **course: Unpack[Course]) -> None:
        self.schedule = course.get("schedule", "constant")
        self.decay_from = course.get("decay_from", 0.5)
        if not 0 <= self.decay_from < 1:
            raise UserError(f"optim.decay_from={self.decay_from} must be at least 0 and less than 1")
        self.settings = {
            "generator": settings | dict(course.get("generator") or {}),
            "discriminator": settings | dict(course.get("discriminator") or {}),
        }

    @abstractmethod
    def build(self, player: str, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """The optimiser of one player."""

    def apply(self, optimizer: torch.optim.Optimizer, player: str, progress: float) -> None:
        """Sets every setting of the optimiser as configured, the learning rate as scheduled for this progress."""
        for group in optimizer.param_groups:
            group.update(self.settings[player])
            group["lr"] = self.settings[player]["lr"] * self.factor(progress)

    def factor(self, progress: float) -> float:
        """Learning rate relative to its start, for progress in [0, 1]."""
        left = min(max((1 - progress) / (1 - self.decay_from), 0.0), 1.0)
        match self.schedule:
            case "constant":
                return 1.0
            case "linear_decay":
                return left
            case "cosine":
                return (1 - cos(pi * left)) / 2


@final
class Adam(Optimizers):
    """Adam, or AdamW's decoupled decay where `weight_decay` is set; fused, a third of the time of the loop on CPU."""

    def __init__(
        self,
        *,
        lr: float = 2e-4,
        betas: tuple[float, float] = (0.5, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        fused: bool = True,
        **course: Unpack[Course],
    ) -> None:
        self.fused = fused
        super().__init__({"lr": lr, "betas": tuple(betas), "eps": eps, "weight_decay": weight_decay}, **course)

    def build(self, player: str, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """Adam of one player."""
        return torch.optim.AdamW(parameters, **self.settings[player], fused=self.fused)


@final
class RMSprop(Optimizers):
    """RMSprop, the optimiser of weight-clipped Wasserstein GANs."""

    def __init__(
        self,
        *,
        lr: float = 5e-5,
        alpha: float = 0.9,
        eps: float = 1e-8,
        momentum: float = 0.0,
        **course: Unpack[Course],
    ) -> None:
        super().__init__({"lr": lr, "alpha": alpha, "eps": eps, "momentum": momentum}, **course)

    def build(self, player: str, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """RMSprop of one player."""
        return torch.optim.RMSprop(parameters, **self.settings[player])


@final
class SGD(Optimizers):
    """Stochastic gradient descent with momentum."""

    def __init__(
        self, *, lr: float = 1e-2, momentum: float = 0.9, weight_decay: float = 0.0, **course: Unpack[Course]
    ) -> None:
        super().__init__({"lr": lr, "momentum": momentum, "weight_decay": weight_decay}, **course)

    def build(self, player: str, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """SGD of one player."""
        return torch.optim.SGD(parameters, **self.settings[player])
