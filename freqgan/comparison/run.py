"""A run as it is compared, wherever it was read: its config, its record and its rows."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, final

import numpy as np
from numpy.typing import NDArray

from freqgan.comparison.measures import Direction
from freqgan.runs.directory import BETWEEN_EVALUATIONS

Clock = Literal["images", "seconds"]
PLAYERS = ("generator", "discriminator")
STILL_GOOD = ("finished", "running", "interrupted")  # states of runs that nothing went wrong with


@final
@dataclass(frozen=True)
class Reading:
    """A measured value, and when it was measured.

    Attributes:
        value: may be infinite or no number.
        images: real images seen.
        seconds: of training; no number where nobody wrote it down.
    """

    value: float
    images: float
    seconds: float


@final
@dataclass(frozen=True)
class Series:
    """One quantity over a run, in the order in which it was measured.

    Args:
        images: real images seen (n,).
        seconds: of training (n,).
        values: what was measured (n,).
    """

    images: NDArray[np.float64]
    seconds: NDArray[np.float64]
    values: NDArray[np.float64]

    def at(self, clock: Clock, limit: float) -> Reading | None:
        """The last value that was measured at or before a moment; nothing is interpolated."""
        before = np.flatnonzero(self.along(clock) <= limit)
        return self._reading(int(before[-1])) if len(before) else None

    def last(self) -> Reading:
        """The newest value."""
        return self._reading(-1)

    def best(self, direction: Direction | None) -> Reading | None:
        """The best finite value, the earliest of equals; None where there is none, or nobody knows what is better."""
        finite = np.flatnonzero(np.isfinite(self.values))
        if direction is None or not len(finite):
            return None
        values = self.values[finite]
        return self._reading(int(finite[np.argmin(values) if direction == "lower" else np.argmax(values)]))

    def along(self, clock: Clock) -> NDArray[np.float64]:
        """The moments by a clock (n,)."""
        return self.images if clock == "images" else self.seconds

    def _reading(self, index: int) -> Reading:
        return Reading(*(float(column[index]) for column in (self.values, self.images, self.seconds)))


@dataclass(frozen=True)
class Run:
    """One run, or a job of a sweep that never became one.

    Args:
        place: where it was read: its directory, or its W&B path.
        name: short, for tables.
        state: finished, running, interrupted, diverged, refused, failed, killed and so on.
        config: resolved; empty if the job was refused.
        record: what `run.json` says.
        rows: of `metrics.jsonl`.
        overrides: what a sweep set for this job; None outside of a sweep.
        line: what was said of a failure.
        samples: whether `place` holds a `samples/` folder.
    """

    place: str
    name: str
    state: str
    config: Mapping[str, Any]
    record: Mapping[str, Any]
    rows: Sequence[Mapping[str, Any]]
    overrides: tuple[str, ...] | None = None
    line: str = ""
    samples: bool = False

    @cached_property
    def seed(self) -> int | None:
        """The seed, from the config or from what a sweep set."""
        said = dict(text.split("=", 1) for text in self.overrides or () if "=" in text)
        value = self.config.get("seed", said.get("seed"))
        return int(value) if isinstance(value, int) or (isinstance(value, str) and value.isdecimal()) else None

    @cached_property
    def series(self) -> dict[str, Series]:
        """Every quantity by its key, and each player's summed terms as `train/generator` and `train/discriminator`."""
        points: dict[str, list[tuple[Any, ...]]] = {}
        for row in self.rows:
            images, seconds = row.get("images_seen"), row.get("time/seconds")
            if _is_number(images):
                moment = (images, seconds if _is_number(seconds) else math.nan)
                for key, value in [*row.items(), *summed_terms(row)]:
                    if _is_number(value):
                        points.setdefault(key, []).append((*moment, value))
        return {key: Series(*np.asarray(column, dtype=float).T) for key, column in points.items()}

    @property
    def metrics(self) -> list[str]:
        """Names of what was evaluated, without `val/`, in the protocol's order, and behind them what came between."""
        names = [key.removeprefix("val/") for key in self.series if key.startswith("val/")]
        evaluated = [name for name in names if name not in BETWEEN_EVALUATIONS]
        return [*evaluated, *(name for name in names if name not in evaluated)] if evaluated else []

    def metric(self, name: str) -> Series | None:
        """An evaluated metric over the run."""
        return self.series.get(f"val/{name}")

    @property
    def images(self) -> float | None:
        """Real images seen."""
        return self._reached("images_seen")

    @property
    def seconds(self) -> float | None:
        """Seconds of training."""
        return self._reached("seconds", "time/seconds")

    @property
    def images_per_second(self) -> float | None:
        """Over the whole training."""
        return self.images / self.seconds if self.images is not None and self.seconds else None

    def _reached(self, fact: str, column: str | None = None) -> float | None:
        """A count from the record, or while a run goes on from its last row."""
        series = self.series.get(column or fact)
        seen = [float(self.record[fact])] if _is_number(self.record.get(fact)) else []
        return max([*seen, *(series.values[-1:] if series else [])], default=None)


def summed_terms(row: Mapping[str, Any]) -> list[tuple[str, float]]:
    """Each player's terms in a row, added up.

    >>> summed_terms({"train/generator/a": 1.0, "train/generator/b": 2.0, "train/generator/lr": 9.0})
    [('train/generator', 3.0)]
    """
    sums = []
    for player in PLAYERS:
        start = f"train/{player}/"
        terms = [v for key, v in row.items() if key.startswith(start) and not key.endswith("/lr") and _is_number(v)]
        if terms:
            sums.append((start.rstrip("/"), float(sum(terms))))
    return sums


def _is_number(value: Any) -> bool:
    return type(value) in (float, int)  # not bool, which is an int as well
