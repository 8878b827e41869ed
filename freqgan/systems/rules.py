"""How two players take turns: the settings that every method shares, and the names of what is passed around."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, TypedDict

from torch import Tensor

from freqgan.limits import Count, Natural, NonNegative, Positive
from freqgan.systems.clock import Clock
from freqgan.systems.optimizers import Optimizers
from freqgan.systems.schedules import PhaseOptim

Batch = dict[str, Any]
Outputs = dict[str, Any]
Terms = dict[str, Tensor]
Scores = dict[str, float]  # by metric
Player = Literal["generator", "discriminator"]
Weights = Literal["ema", "raw"]
Known = Mapping[Player, tuple[str, ...]]  # names of the terms of a method
PlayerTerms = Mapping[Player, Mapping[str, float]]  # their weights


class Load(TypedDict, total=False):
    """Weights of another run.

    Keys:
        run: its directory, or a checkpoint file.
        checkpoint: `last`, `best` or a file, of a directory; `last` if left out.
        weights: the averaged ones of its generator, unless `raw`.
        parts: which of its networks or their submodules fill which ones here; the generator if left out.
    """

    run: str
    checkpoint: str
    weights: Weights
    parts: dict[str, str]


class Phase(TypedDict, total=False):
    """What is different while a phase lasts, see `freqgan.systems.phases`.

    Keys:
        until: share of the budget at which it ends; the last phase may leave it out.
        terms: weights of terms, by player.
        frozen: players or submodules that rest: no gradient, no step, no decay, and evaluation mode, so that no norm
            takes statistics.
        fresh_optimizers: whether it begins with optimisers that remember nothing.
        load: weights that it begins with.
        optim: settings of the optimisers.
    """

    until: float | None
    terms: dict[Player, dict[str, float]]
    frozen: list[str]
    fresh_optimizers: bool
    load: Load | None
    optim: PhaseOptim | None


class Rules(TypedDict, total=False):
    """Keyword arguments of every system.

    Keys:
        optim: makes the optimisers of both players.
        terms: weight of each loss term, by player; 0 is not computed.
        phases: what is different in parts of the budget, in their order.
        seed: of every draw.
        order: which player is updated first in a step.
        n_critic: every batch updates the discriminator, every n-th also the generator.
        every: interval of lazy terms in updates of their player; such a term counts that many times when it is due.
        accumulate: parts that a batch is computed in, to save memory; batch statistics are those of a part.
        clip: greatest gradient norm of a player; null for none.
        weight_clip: what a discriminator's weights are cut off at after each update; null for none. The Wasserstein
            game without penalty wants it.
        ema_halflife: images after which a weight counts half in the generator's moving average.
        ema_rampup: the half-life is at most this share of the images seen so far.
        clock: counts and budget of the run.
    """

    optim: Optimizers
    terms: dict[Player, dict[str, float]]
    phases: list[Phase]
    seed: Natural
    order: Literal["discriminator_first", "generator_first"]
    n_critic: Count
    every: dict[str, Count]
    accumulate: Count
    clip: Positive | None
    weight_clip: Positive | None
    ema_halflife: NonNegative
    ema_rampup: NonNegative
    clock: Clock


class Rows(NamedTuple):
    """Which rows of the global batch a process computes at a time.

    Attributes:
        first: number of the first row.
        end: number of the row after the last.
        total: rows of the global batch.
    """

    first: int = 0
    end: int = 0
    total: int = 0


Part = tuple[Batch, Rows]


def weights_in(phase: Phase, terms: PlayerTerms, player: Player) -> dict[str, float]:
    """Weight of each term of a player within a phase."""
    return {**terms.get(player, {}), **phase.get("terms", {}).get(player, {})}


def ever_wanted(rules: Rules, player: Player, term: str) -> bool:
    """Whether a term has a weight in any phase."""
    phases = rules.get("phases") or [Phase()]
    return any(weights_in(phase, rules["terms"], player).get(term, 0.0) for phase in phases)
