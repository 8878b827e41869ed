"""Runs compared: which metrics, at which moments, what every variant reached there, and what that may mean."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

from freqgan.comparison.comparable import incomparable, refuse
from freqgan.comparison.intervals import Difference, Spread, difference, spread, verdict
from freqgan.comparison.measures import direction, short
from freqgan.comparison.run import STILL_GOOD, Clock, Reading, Run
from freqgan.comparison.settings import aside
from freqgan.comparison.variants import Variant, variants_of
from freqgan.errors import UserError
from freqgan.suggest import hint

CLOCKS: tuple[Clock, ...] = ("images", "seconds")
UNITS = {"images": "images", "seconds": "seconds"}


@final
@dataclass(frozen=True)
class Point:
    """A moment at which runs are compared.

    Attributes:
        clock: what it is counted in.
        value: images seen, or seconds of training.
        set_by: name of the run that reached the least; empty if the user set it.
    """

    clock: Clock
    value: float
    set_by: str = ""


@final
@dataclass(frozen=True)
class Cell:
    """One metric of one variant at a point.

    Attributes:
        spread: over the seeds; None without a value.
        difference: to the baseline; None for the baseline itself, and where there is no pair.
        verdict: what may be said of the difference.
        measured: earliest and latest moment at which the values were measured.
    """

    spread: Spread | None
    difference: Difference | None
    verdict: str
    measured: tuple[float, float] | None


@final
@dataclass(frozen=True)
class Comparison:
    """Everything that tables, plots and the page show.

    Attributes:
        runs: all of them, as they were read.
        variants: all of them, the best first.
        apart: why a run is shown but not counted, by its place.
        metrics: names in the order of the protocol.
        main: the metric that ranks; None if nothing was evaluated.
        baseline: what the others are compared with.
        points: where they are compared, by clock; none if nothing was evaluated.
        cells: by clock, metric and variant's name.
        aside: settings and facts that differ and make no variant.
    """

    runs: tuple[Run, ...]
    variants: tuple[Variant, ...]
    apart: Mapping[str, str]
    metrics: tuple[str, ...]
    main: str | None
    baseline: Variant | None
    points: Mapping[Clock, Point]
    cells: Mapping[tuple[Clock, str, str], Cell]
    aside: Mapping[str, list[Any]]

    def cell(self, clock: Clock, variant: Variant, metric: str | None = None) -> Cell | None:
        """One metric (the main one if None) of a variant at a point."""
        return self.cells.get((clock, metric or self.main or "", variant.name))

    def reading(self, run: Run, metric: str, clock: Clock) -> Reading | None:
        """A run's value at a point, if the run got that far."""
        return reading(run, metric, self.points[clock]) if clock in self.points else None


def compare(
    runs: Sequence[Run],
    *,
    metric: str | None = None,
    at_images: float | None = None,
    at_seconds: float | None = None,
    baseline: str | None = None,
    mark: bool = False,
) -> Comparison:
    """Compares runs.

    Args:
        runs: as they were read.
        metric: the one that ranks; the first one that was evaluated if None.
        at_images: where metrics are compared; None for the most images that all runs have reached.
        at_seconds: the same in seconds of training.
        baseline: a variant, by its name or a part of it; the first one with a value if None.
        mark: show runs that are not comparable, without counting them, instead of refusing.

    Raises:
        UserError: the runs are not comparable, or there is no such metric or baseline.
    """
    apart = incomparable(runs)
    if not mark:
        refuse(runs, apart)
    counted = [run for run in runs if run.place not in apart]
    metrics = tuple(dict.fromkeys(name for run in counted for name in run.metrics))
    main = _main(metrics, metric)
    variants = variants_of(runs)
    points = _points(counted, main, {"images": at_images, "seconds": at_seconds}) if main else {}
    values = {
        (clock, name, variant.name): _values(variant, name, point, apart)
        for clock, point in points.items()
        for name in metrics
        for variant in variants
    }
    base = _baseline(variants, baseline, [v.name for v in variants if values.get(("images", main or "", v.name))])
    cells = {key: _cell(key, found, values, base) for key, found in values.items()}
    return Comparison(
        runs=tuple(runs),
        variants=_ranked(variants, cells, main),
        apart=apart,
        metrics=metrics,
        main=main,
        baseline=base,
        points=points,
        cells=cells,
        aside=aside(runs),
    )


def reading(run: Run, metric: str, point: Point) -> Reading | None:
    """The last value measured at or before a point; None if the run ended before it."""
    series = run.metric(metric)
    reached = run.images if point.clock == "images" else run.seconds
    if series is None or reached is None or reached < point.value:
        return None
    return series.at(point.clock, point.value)


def _main(metrics: Sequence[str], asked: str | None) -> str | None:
    if asked is None:
        return metrics[0] if metrics else None
    asked = asked.removeprefix("val/")
    meant = [name for name in metrics if asked in (name, short(name)[0])]
    if not meant:
        near = hint(asked, [*metrics, *(short(name)[0] for name in metrics)])
        raise UserError(f"metric={asked} was measured in none of these runs: {near}")
    return meant[0]


def _points(runs: Sequence[Run], main: str, given: Mapping[Clock, float | None]) -> dict[Clock, Point]:
    """The moments that are given, or that all runs have reached with which nothing went wrong."""
    evaluated = [run for run in runs if run.metric(main) is not None]
    good = [run for run in evaluated if run.state in STILL_GOOD] or evaluated
    points: dict[Clock, Point] = {}
    for clock in CLOCKS:
        asked = given[clock]
        ends = [(float(series.along(clock)[-1]), run.name) for run in good if (series := run.metric(main))]
        known = [(end, name) for end, name in ends if not math.isnan(end)]
        if asked is not None:
            points[clock] = Point(clock, asked)
        elif known:
            points[clock] = Point(clock, *min(known))
    return points


def _values(variant: Variant, metric: str, point: Point, apart: Mapping[str, str]) -> dict[int | str, list[Reading]]:
    """Readings of a variant by seed; a run without a seed stands for itself."""
    found: dict[int | str, list[Reading]] = {}
    for run in variant.runs:
        value = None if run.place in apart else reading(run, metric, point)
        if value is not None:
            found.setdefault(run.place if run.seed is None else run.seed, []).append(value)
    return found


def _cell(
    key: tuple[Clock, str, str],
    found: Mapping[int | str, list[Reading]],
    values: Mapping[tuple[Clock, str, str], Mapping[int | str, list[Reading]]],
    base: Variant | None,
) -> Cell:
    clock, metric, name = key
    moments = [getattr(one, clock) for readings in found.values() for one in readings]
    measured = (min(moments), max(moments)) if moments else None
    if base is None or name == base.name or not found:
        words = "baseline" if base is not None and name == base.name else ""
        return Cell(spread(_means(found)), None, words, measured)
    gap = difference(_means(found), _means(values[clock, metric, base.name]))
    return Cell(spread(_means(found)), gap, verdict(gap, direction(metric)), measured)


def _means(readings: Mapping[int | str, list[Reading]]) -> dict[int | str, float]:
    """Runs of one seed count once, by their mean."""
    return {seed: sum(one.value for one in some) / len(some) for seed, some in readings.items()}


def _baseline(variants: Sequence[Variant], asked: str | None, valued: Sequence[str]) -> Variant | None:
    if asked is None:
        return next((variant for variant in variants if variant.name in valued), None)
    meant = [v for v in variants if v.name == asked] or [v for v in variants if asked in v.name]
    if len(meant) == 1:
        return meant[0]
    names = [variant.name for variant in meant or variants]
    raise UserError(f"baseline={asked} fits {'more than one' if meant else 'no'} variant: there are {'; '.join(names)}")


def _ranked(
    variants: Sequence[Variant], cells: Mapping[tuple[Clock, str, str], Cell], main: str | None
) -> tuple[Variant, ...]:
    """The best mean first; those without one keep their order at the end."""
    sign = -1.0 if main and direction(main) == "higher" else 1.0

    def place(variant: Variant) -> float:
        cell = cells.get(("images", main or "", variant.name))
        known = cell is not None and cell.spread is not None and main is not None and direction(main) is not None
        return sign * cell.spread.mean if known and cell and cell.spread else math.inf

    return tuple(sorted(variants, key=place))
