import itertools
import math

import numpy as np
import pytest
from scipy.stats import bootstrap

from freqgan.comparison.intervals import ENOUGH, RESAMPLES, Difference, difference, spread, verdict


def test_spread_is_the_deviation_of_the_sample() -> None:
    values = [3.0, 1.0, 4.0, 1.5]
    found = spread(dict(enumerate(values)))
    assert found is not None
    assert (found.n, found.lost) == (4, 0)
    assert found.mean == pytest.approx(np.mean(values))
    assert found.deviation == pytest.approx(np.std(values, ddof=1))


def test_one_value_has_no_deviation_and_none_no_mean() -> None:
    one = spread({1: 2.0})
    assert one is not None
    assert (one.mean, one.deviation, one.n) == (2.0, None, 1)
    assert spread({}) is None
    assert spread({1: math.nan}) is None


def test_what_is_not_finite_is_counted_and_left_out() -> None:
    found = spread({1: 2.0, 2: math.nan, 3: math.inf, 4: 4.0})
    assert found is not None
    assert (found.mean, found.n, found.lost) == (3.0, 2, 2)


def test_seeds_are_paired() -> None:
    """The spread over seeds is large, the difference is always one: only pairs show it."""
    baseline = {seed: 100.0 * seed for seed in range(8)}
    found = difference({seed: value - 1 for seed, value in baseline.items()} | {99: 1e6}, baseline)
    assert found is not None
    assert (found.mean, found.n, found.below, found.above) == (-1.0, 8, 8, 0)
    assert found.low == pytest.approx(-1.0)
    assert found.high == pytest.approx(-1.0)


def test_the_interval_is_the_bootstraps() -> None:
    """Of three pairs every resample can be counted: 27 equally likely ones."""
    pairs = [1.0, 2.0, 6.0]
    exact = np.repeat([sum(some) / 3 for some in itertools.product(pairs, repeat=3)], 1000)
    found = difference(dict(enumerate(pairs)), dict.fromkeys(range(3), 0.0))
    assert found is not None
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(exact, (0.025, 0.975))))


def test_the_interval_is_scipys() -> None:
    values = np.random.default_rng(1).gamma(2.0, 1.0, 30)
    found = difference(dict(enumerate(values)), dict.fromkeys(range(30), 1.0))
    reference = bootstrap((values - 1.0,), np.mean, n_resamples=20_000, method="percentile", rng=0).confidence_interval
    assert found is not None
    assert (found.low, found.high) == pytest.approx(tuple(reference), abs=0.02)


def test_the_interval_is_always_the_same() -> None:
    values, zero = {1: 0.3, 2: -0.2, 3: 0.9}, dict.fromkeys((1, 2, 3), 0.0)
    assert difference(values, zero) == difference(dict(values), dict(zero))
    assert RESAMPLES == 10_000


def test_one_pair_has_no_interval_and_none_no_difference() -> None:
    assert difference({1: 2.0, 5: 3.0}, {1: 1.0, 2: 9.0}) == Difference(1.0, None, None, 1, 0, 1)
    assert difference({1: 2.0}, {2: 1.0}) is None
    assert difference({1: math.nan}, {1: 1.0}) is None


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (None, "no seed in common with the baseline"),
        (Difference(-1.0, None, None, 1, 1, 0), "one seed: no interval"),
        (Difference(-1.0, -2.0, -0.5, 3, 3, 0), "better on 3 of 3 seeds: too few to be sure"),
        (Difference(1.0, 0.1, 2.0, 4, 1, 3), "worse on 3 of 4 seeds: too few to be sure"),
        (Difference(-1.0, -2.0, -0.5, ENOUGH, 6, 0), "better"),
        (Difference(1.0, 0.5, 2.0, ENOUGH, 0, 6), "worse"),
        (Difference(-1.0, -2.0, 0.5, ENOUGH, 5, 1), "no difference shown"),
        (Difference(0.0, 0.0, 0.0, ENOUGH, 0, 0), "no difference shown"),
    ],
)
def test_verdicts_claim_no_more_than_the_pairs_allow(found: Difference | None, words: str) -> None:
    assert verdict(found, "lower") == words


def test_higher_may_be_better_and_an_unknown_metric_has_no_better() -> None:
    assert verdict(Difference(1.0, 0.5, 2.0, ENOUGH, 0, 6), "higher") == "better"
    assert verdict(Difference(1.0, 0.5, 2.0, ENOUGH, 0, 6), None) == "different"


def test_enough_pairs_seldom_agree_by_chance() -> None:
    assert 2 ** (1 - ENOUGH) < 0.05 <= 2 ** (2 - ENOUGH)
