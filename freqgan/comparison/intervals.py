"""What a few seeds can say: mean and deviation, and an interval for the difference to a baseline.

The interval is the percentile bootstrap of the mean of paired differences (Efron and Tibshirani, "An Introduction
to the Bootstrap", 1993, §13.3), with a fixed seed. With few pairs it is too narrow: of two pairs it is their
range. So a verdict needs `ENOUGH` pairs; below that, what is said is how many of the seeds agree.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import final

import numpy as np
from numpy.typing import NDArray

from freqgan.comparison.measures import Direction

RESAMPLES = 10_000
CONFIDENCE = 0.95
ENOUGH = 6  # pairs of equal sign come by chance in 1 of 2 ** 5 = 32 cases, less than 5 %

Values = Mapping[int | str, float]


@final
@dataclass(frozen=True)
class Spread:
    """Mean and standard deviation over seeds.

    Attributes:
        mean: over finite values.
        deviation: of the sample (n - 1); None for a single value.
        n: how many finite values.
        lost: how many values are infinite or no number.
    """

    mean: float
    deviation: float | None
    n: int
    lost: int = 0


@final
@dataclass(frozen=True)
class Difference:
    """Variant minus baseline, over the seeds that both have.

    Attributes:
        mean: of the paired differences.
        low: lower end of the interval; None with fewer than two pairs.
        high: upper end.
        n: pairs.
        below: how many differences are negative.
        above: how many are positive.
    """

    mean: float
    low: float | None
    high: float | None
    n: int
    below: int
    above: int


def spread(values: Values) -> Spread | None:
    """Mean and deviation; None without a finite value.

    >>> spread({1: 2.0, 2: 4.0})
    Spread(mean=3.0, deviation=1.4142135623730951, n=2, lost=0)
    """
    finite = [value for value in values.values() if math.isfinite(value)]
    if not finite:
        return None
    mean, deviation = mean_and_deviation(finite)
    return Spread(mean, deviation, len(finite), len(values) - len(finite))


def mean_and_deviation(values: Sequence[float]) -> tuple[float, float | None]:
    """Mean and deviation of the sample (n - 1); of a few numbers NumPy takes ten times as long."""
    mean = math.fsum(values) / len(values)
    if len(values) < 2:
        return mean, None
    return mean, math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))


def difference(values: Values, baseline: Values) -> Difference | None:
    """The paired difference; None if no seed has a finite value on both sides.

    >>> difference({1: 2.0, 2: 5.0}, {1: 1.0, 2: 2.0, 3: 9.0})
    Difference(mean=2.0, low=1.0, high=3.0, n=2, below=0, above=2)
    """
    pairs = [value - baseline[seed] for seed, value in values.items() if seed in baseline]
    finite = np.asarray([pair for pair in pairs if math.isfinite(pair)])
    n = len(finite)
    if n == 0:
        return None
    low = high = None
    if n > 1:
        means = _resamples(n) @ finite
        low, high = map(float, np.quantile(means, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2]))
    return Difference(float(finite.mean()), low, high, n, int((finite < 0).sum()), int((finite > 0).sum()))


def verdict(found: Difference | None, direction: Direction | None) -> str:
    """What may be said of a difference, in words."""
    if found is None:
        return "no seed in common with the baseline"
    if found.low is None or found.high is None:
        return "one seed: no interval"
    better, worse = (found.below, found.above) if direction == "lower" else (found.above, found.below)
    if direction is None or (found.low <= 0 <= found.high):
        return "no difference shown" if found.low <= 0 <= found.high else "different"
    word = "better" if better > worse else "worse"
    if found.n >= ENOUGH:
        return word
    agree = max(better, worse)
    return f"{word} on {agree} of {found.n} seeds: too few to be sure"


@lru_cache(maxsize=64)
def _resamples(n: int) -> NDArray[np.float64]:
    """How much each pair counts in every resample (RESAMPLES, n), the same ones every time."""
    return np.random.default_rng(n).multinomial(n, [1 / n] * n, RESAMPLES) / n
