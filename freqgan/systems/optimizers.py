"""Optimisers of both players."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Unpack, cast, final

import torch
from torch import nn

from freqgan.errors import UserError
from freqgan.limits import NonNegative, Share
from freqgan.suggest import hint
from freqgan.systems.schedules import PLAYERS, SCHEDULING, Course, PhaseOptim, decay


class Optimizers(ABC):
    """Settings shared by both players, with overrides for one of them.

    Args:
        settings: keyword arguments of the optimiser.
        **course: see `Course`.

    Raises:
        UserError: an override of a setting that there is not.
    """

    def __init__(self, settings: dict[str, Any], **course: Unpack[Course]) -> None:
        self.slowed = 1.0  # factor on every learning rate, of a run that has diverged
        self.schedule = course.get("schedule", "constant")
        self.decay_from = course.get("decay_from", 0.5)
        own: dict[str, dict[str, Any]] = {player: dict(cast(Any, course).get(player) or {}) for player in PLAYERS}
        if unknown := [(player, name) for player in PLAYERS for name in own[player] if name not in settings]:
            kind = type(self).__name__
            raise UserError(
                *(f"optim.{p}.{name} is no setting of {kind}: {hint(name, settings)}" for p, name in unknown)
            )
        self.settings = {player: settings | own[player] for player in PLAYERS}

    @abstractmethod
    def build(self, player: str, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """The optimiser of one player."""

    def apply(
        self,
        optimizer: torch.optim.Optimizer,
        player: str,
        progress: float,
        *,
        phase: PhaseOptim | None = None,
        within: float = 0.0,
    ) -> None:
        """Sets every setting of the optimiser as configured, the learning rate as scheduled.

        Args:
            optimizer: of the player.
            player: whose it is.
            progress: of the budget, in [0, 1].
            phase: settings that differ within the phase that the run is in.
            within: progress of that phase, in [0, 1].
        """
        given: Mapping[str, Any] = phase or {}
        settings = self.settings[player] | {name: given[name] for name in given if name in self.settings[player]}
        settings |= given.get(player) or {}
        factor = self.factor(progress)
        if "schedule" in given:
            factor = decay(given["schedule"], given.get("decay_from", self.decay_from), within)
        for group in optimizer.param_groups:
            group.update(settings | {"lr": settings["lr"] * factor * self.slowed})

    def factor(self, progress: float) -> float:
        """Learning rate relative to its start, for progress in [0, 1]."""
        return decay(self.schedule, self.decay_from, progress)

    def problems(self, phase: PhaseOptim, path: str) -> Iterator[str]:
        """One line for each setting of a phase that these optimisers do not have."""
        own = [*self.settings["generator"], *SCHEDULING, *PLAYERS]
        for prefix, names in [("", phase), *((f"{player}.", cast(Any, phase).get(player) or {}) for player in PLAYERS)]:
            known = [name for name in own if not prefix or name in self.settings["generator"]]
            for name in names:
                if name not in known:
                    yield f"{path}.{prefix}{name} is no setting of {type(self).__name__}: {hint(name, known)}"
        if "decay_from" in phase and "schedule" not in phase:
            yield f"{path}.decay_from needs a schedule of the phase: set {path}.schedule"


@final
class Adam(Optimizers):
    """Adam, or AdamW's decoupled decay where `weight_decay` is set; fused, a third of the time of the loop on CPU."""

    def __init__(
        self,
        *,
        lr: NonNegative = 2e-4,
        betas: tuple[Share, Share] = (0.5, 0.999),
        eps: NonNegative = 1e-8,
        weight_decay: NonNegative = 0.0,
        fused: bool = True,
        **course: Unpack[Course],
    ) -> None:
        self.fused = fused
        super().__init__({"lr": lr, "betas": tuple(betas), "eps": eps, "weight_decay": weight_decay}, **course)

    def build(self, player: str, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """Adam of one player."""
        optimizer = torch.optim.AdamW(parameters, **self.settings[player], fused=self.fused)
        optimizer.register_load_state_dict_post_hook(_laid_out)
        return optimizer


def _laid_out(optimizer: torch.optim.Optimizer) -> None:
    """Gives loaded moments the memory format of their weights.

    On a CPU, fused Adam (PyTorch 2.14) goes through both as they lie in memory, and silently pairs the wrong elements
    where a run was stopped in one format and goes on in another.
    """
    for weight, state in optimizer.state.items():
        for name, moment in state.items():
            if moment.shape == weight.shape:
                state[name] = torch.empty_like(weight, dtype=moment.dtype).copy_(moment)


@final
class RMSprop(Optimizers):
    """RMSprop, the optimiser of weight-clipped Wasserstein GANs."""

    def __init__(
        self,
        *,
        lr: NonNegative = 5e-5,
        alpha: Share = 0.9,
        eps: NonNegative = 1e-8,
        momentum: NonNegative = 0.0,
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
        self,
        *,
        lr: NonNegative = 1e-2,
        momentum: NonNegative = 0.9,
        weight_decay: NonNegative = 0.0,
        **course: Unpack[Course],
    ) -> None:
        super().__init__({"lr": lr, "momentum": momentum, "weight_decay": weight_decay}, **course)

    def build(self, player: str, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """SGD of one player."""
        return torch.optim.SGD(parameters, **self.settings[player])
