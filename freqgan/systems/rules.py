"""How two players take turns: the settings every method shares, and what can be wrong with them."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple, TypedDict

from torch import Tensor

from freqgan.systems.clock import Clock
from freqgan.systems.optimizers import Optimizers

Batch = dict[str, Any]
Outputs = dict[str, Any]
Terms = dict[str, Tensor]
Scores = dict[str, float]  # by metric
Player = Literal["generator", "discriminator"]
Weights = Literal["ema", "raw"]
Known = Mapping[Player, tuple[str, ...]]  # names of the terms of a method


class Rules(TypedDict, total=False):
    """Keyword arguments of every system.

    Keys:
        optim: makes the optimisers of both players.
        terms: weight of each loss term, by player; 0 is not computed.
        seed: of every draw.
        order: which player is updated first in a step.
        n_critic: every batch updates the discriminator, every n-th also the generator.
        every: interval in steps of lazy terms; such a term counts that many times at its step.
        accumulate: parts that a batch is computed in, to save memory; batch statistics are those of a part.
        clip: greatest gradient norm of a player; null for none.
        ema_halflife: images after which a weight counts half in the generator's moving average.
        ema_rampup: the half-life is at most this share of the images seen so far.
        clock: counts and budget of the run.
    """

    optim: Optimizers
    terms: dict[Player, dict[str, float]]
    seed: int
    order: Literal["discriminator_first", "generator_first"]
    n_critic: int
    every: dict[str, int]
    accumulate: int
    clip: float | None
    ema_halflife: float
    ema_rampup: float
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


def problems(rules: Rules, known: Known) -> Iterator[str]:
    """One line for each rule that is out of its range or names an unknown term.

    Args:
        known: names of a method's terms, by player.
    """
    for player, terms in rules["terms"].items():
        names = known.get(player, ())
        for term in terms:
            if term not in names:
                yield f"model.terms.{player}.{term} names no term: choose from {', '.join(names)}"
    everything = sorted({term for names in known.values() for term in names})
    for term, interval in rules.get("every", {}).items():
        if term not in everything:
            yield f"model.every.{term} names no term: choose from {', '.join(everything)}"
        if interval < 1:
            yield f"model.every.{term}={interval} must be at least 1"
    least: dict[str, float] = {"n_critic": 1, "accumulate": 1, "ema_halflife": 0, "ema_rampup": 0}
    for name, bound in least.items():
        value = rules.get(name, bound)
        if isinstance(value, int | float) and value < bound:
            yield f"model.{name}={value} must be at least {bound}"
    clip = rules.get("clip")
    if clip is not None and clip <= 0:
        yield f"model.clip={clip} must be greater than 0, or null"


def detached(outputs: Outputs) -> Outputs:
    """The same nest of dictionaries with every tensor cut from its graph."""
    return {
        name: detached(value) if isinstance(value, dict) else value.detach() if isinstance(value, Tensor) else value
        for name, value in outputs.items()
    }
