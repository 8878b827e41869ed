"""Rules that end a run before its budget does: at a plateau of a metric, or where the players are in equilibrium.

A run that stops so is finished: its last row, grid, judgement and checkpoint are written as at the budget's end. What a
rule has counted is in every checkpoint, so a run that is killed and continued stops at the same image.
"""

import logging
import math
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Annotated, Any, final

import pytorch_lightning as pl
from pydantic import Field

from freqgan.callbacks.means import Means
from freqgan.errors import UserError
from freqgan.limits import Count, Share
from freqgan.metrics import higher_is_better
from freqgan.suggest import hint
from freqgan.systems import System

log = logging.getLogger(__name__)

TENTHS = 10  # of the window of an equilibrium, each averaged by itself


class StopRule(pl.Callback, ABC):
    """Decides from what it has counted; all processes count the same. Its place is before all that asks the clock."""

    @abstractmethod
    def verdict(self) -> str | None:
        """Why the run is over, in one line; None while it is not."""

    def settle(self, system: System) -> None:
        """Stops the clock if the run is over."""
        reason = self.verdict()
        if reason is not None and system.clock.stopped is None:
            system.clock.stopped = reason
            log.info("stopped: %s", reason)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """A continued run may be over already."""
        assert isinstance(pl_module, System)
        self.settle(pl_module)


@final
class Plateau(StopRule):
    """Ends a run when a metric has stopped to improve.

    Args:
        metric: its name in the journal without `val/`; its count (`_n1000`) may be left out. None for the protocol's
            first one.
        patience: evaluations in succession without improvement that end the run.
        min_delta: by which share of the best value a new one has to be better to count as improvement.
    """

    def __init__(self, *, metric: str | None = None, patience: Count = 3, min_delta: Share = 0.01) -> None:
        self.metric, self.patience, self.min_delta = metric, patience, min_delta
        self._name, self._best, self._waited = "", math.nan, 0

    def state_dict(self) -> dict[str, Any]:
        """The metric, its best value, and the evaluations since."""
        return {"name": self._name, "best": self._best, "waited": self._waited}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continues from `state_dict`."""
        self._name, self._best, self._waited = (state_dict[key] for key in ("name", "best", "waited"))

    def refuse_unknown(self, values: Mapping[str, float]) -> None:
        """Refuses a metric that a protocol does not measure, whatever its count.

        Raises:
            UserError: it is none of these.
        """
        names = [without_count(name) for name in values]
        if self.metric is not None and without_count(self.metric) not in names:
            raise UserError(f"stop.metric={self.metric} is not measured: {hint(self.metric, names)}")

    def judged(self, system: System, values: Mapping[str, float]) -> None:
        """Takes note of an evaluation, and stops the clock if it was one too many without improvement.

        Raises:
            UserError: the metric is not among the values.
        """
        asked = self.metric or next(iter(values))
        name = next((name for name in values if asked in (name, without_count(name))), None)
        if name is None:
            raise UserError(f"stop.metric={asked} is not measured: {hint(asked, values)}")
        value = values[name]
        gain = value - self._best if higher_is_better(name) else self._best - value
        # The first finite value is an improvement on none.
        improved = gain > self.min_delta * abs(self._best) or (math.isnan(self._best) and math.isfinite(value))
        self._name, self._waited = name, 0 if improved else self._waited + 1
        self._best = value if improved else self._best
        self.settle(system)

    def verdict(self) -> str | None:
        """Whether patience is at its end."""
        if self._waited < self.patience:
            return None
        return f"{self._name} did not improve on {self._best:.4g} in {self._waited} evaluations"


@final
class Equilibrium(StopRule):
    """Ends a run when no discriminator can tell real from generated any more (patent CN112529975A, [0051]).

    A discriminator's accuracy is the mean of two shares: of real images that it takes for real, and of generated ones
    that it takes for generated. It is 1/2 in the game's equilibrium (Goodfellow et al. 2014, theorem 1), and wherever a
    discriminator is too weak. It has to stay there in every tenth of the window, over which it is averaged.

    Args:
        tolerance: greatest distance of an accuracy from 1/2.
        images: length of the window.
        not_before: share of the budget before which nothing counts: untrained discriminators are at 1/2 too, and those
            that rest are not asked.
    """

    def __init__(
        self,
        *,
        tolerance: Annotated[float, Field(gt=0, lt=0.5)] = 0.1,
        images: Annotated[int, Field(ge=TENTHS)] = 40000,
        not_before: Share = 0.1,
    ) -> None:
        self.tolerance, self.images, self.not_before = tolerance, images, not_before
        self._means = Means()
        self._looked_at = self._level = 0

    def state_dict(self) -> dict[str, Any]:
        """Accuracies since the last look, over all processes, when that was, and how many images were level before."""
        return self._means.state_dict() | {"looked_at": self._looked_at, "level": self._level}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continues from `state_dict`."""
        self._means.load_state_dict(state_dict)
        self._looked_at, self._level = state_dict["looked_at"], state_dict["level"]

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Adds up the accuracies that a step tells, and looks at their means at every tenth of the window.

        Raises:
            UserError: the system tells none in its first step.
        """
        assert isinstance(pl_module, System)
        self._means.add({name: value for name, value in outputs.items() if name.endswith("/accuracy")})
        if pl_module.clock.steps == 1 and not self._means:
            system = type(pl_module).__name__
            raise UserError(f"stop=equilibrium: {system} tells no accuracy of a discriminator: set stop=plateau")
        if self._means and pl_module.due(self.images // TENTHS, share=0.0):
            self._look(pl_module)
            self.settle(pl_module)

    def verdict(self) -> str | None:
        """Whether the accuracies have been level for the whole window."""
        if self._level < self.images:
            return None
        return f"every discriminator's accuracy stayed within {self.tolerance:g} of 0.5 over {self._level} images"

    def _look(self, system: System) -> None:
        clock = system.clock
        level = all(abs(mean - 0.5) <= self.tolerance for mean in self._means.take().values())
        tenth = clock.images_seen - self._looked_at
        self._level = self._level + tenth if level and clock.progress >= self.not_before else 0
        self._looked_at = clock.images_seen


def without_count(metric: str) -> str:
    """A metric's name without the numbers of images it was measured on.

    >>> without_count("fd_efficientnet_lite0_n1000_real50"), without_count("kid")
    ('fd_efficientnet_lite0', 'kid')
    """
    return re.sub(r"_n\d.*", "", metric)
