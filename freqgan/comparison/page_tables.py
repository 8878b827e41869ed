"""The tables of the page as plain rows of entries, which its template writes down."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import final

from freqgan.comparison.compared import UNITS, Comparison
from freqgan.comparison.curves import colours
from freqgan.comparison.intervals import Difference
from freqgan.comparison.measures import direction, short
from freqgan.comparison.run import STILL_GOOD, Clock, Reading, Run
from freqgan.comparison.tables import best_of, total
from freqgan.comparison.variants import Variant
from freqgan.comparison.wording import (
    NOTHING,
    number,
    of_difference,
    of_metric,
    of_point,
    of_spread,
    of_states,
)


@final
@dataclass(frozen=True)
class Forest:
    """A difference as a line on a common axis, all in percent of its width.

    Args:
        low: lower end of the interval.
        mean: of the difference.
        high: upper end.
        zero: where the baseline lies.
    """

    low: float
    mean: float
    high: float
    zero: float


@final
@dataclass(frozen=True)
class Entry:
    """One cell.

    Args:
        text: what it says.
        sort: what it is sorted by, if not its text.
        note: a second line, small.
        words: text in parts, each on its own ground.
        colour: of a swatch before it.
        mark: best, bad or quiet.
        forest: a drawing of a difference.
    """

    text: str
    sort: float | None = None
    note: str = ""
    words: tuple[str, ...] = ()
    colour: str = ""
    mark: str = ""
    forest: Forest | None = None


@final
@dataclass(frozen=True)
class PageTable:
    """A table.

    Args:
        caption: what it shows.
        head: column titles and their second lines.
        rows: the first entry of each is its header.
        numbers: which columns hold numbers.
    """

    caption: str
    head: list[tuple[str, str]]
    rows: list[list[Entry]]
    numbers: frozenset[int] = field(default_factory=frozenset)


@final
class PageTables:
    """Makes the tables of a comparison.

    Args:
        comparison: what is shown.
    """

    def __init__(self, comparison: Comparison) -> None:
        self.comparison = comparison
        self.colours = colours(comparison.variants)

    def verdict(self) -> PageTable:
        """A row for each variant, the best first."""
        comparison, main, points = self.comparison, self.comparison.main, self.comparison.points
        name = of_metric(main) if main else "metric"
        head = [("variant", ""), ("runs", "")]
        head += [(name, f"at {of_point(point)}") for point in points.values()]
        head += [("difference", "to the baseline"), ("", "interval"), ("verdict", ""), ("best", "ever")] if points else []
        scale = _scale([cell.difference for v in comparison.variants if (cell := comparison.cell("images", v))])
        rows = []
        for variant in comparison.variants:
            row = [self._name(variant), self._states(variant)]
            row += [self._value(clock, variant, main) for clock in points]
            if points:
                cell = comparison.cell("images", variant)
                gap = cell.difference if cell else None
                row.append(Entry(of_difference(gap), gap.mean if gap else None))
                row.append(Entry("", gap.mean if gap else None, forest=_forest(gap, scale), colour=self.colours[variant.name]))
                row.append(Entry(cell.verdict if cell else "", mark="quiet"))
                best = best_of(comparison, variant)
                row.append(Entry(best))
            rows.append(row)
        caption = "Variants, the best first" if main and direction(main) else "Variants"
        return PageTable(caption, head, rows, frozenset({*range(2, 3 + len(points)), 5 + len(points)}))

    def metrics(self, clock: Clock) -> PageTable | None:
        """Every metric of every variant at equal images or equal time."""
        comparison = self.comparison
        point = comparison.points.get(clock)
        if point is None:
            return None
        head = [("variant", ""), *((of_metric(name), short(name)[1]) for name in comparison.metrics)]
        rows = [
            [self._name(v), *(self._value(clock, v, name) for name in comparison.metrics)] for v in comparison.variants
        ]
        rows = [row for row in rows if any(entry.sort is not None for entry in row[1:])]
        caption = f"All metrics at {of_point(point)}: mean ± standard deviation over seeds"
        return PageTable(caption, head, rows, frozenset(range(1, len(head))))

    def settings(self) -> PageTable | None:
        """The settings that differ."""
        keys = list(self.comparison.variants[0].settings) if self.comparison.variants else []
        if not keys:
            return None
        rows = []
        for variant in self.comparison.variants:
            rows.append([self._name(variant), *(Entry(variant.settings[key]) for key in keys)])
        return PageTable("Settings that differ between variants; all others are equal", [("variant", ""), *((k, "") for k in keys)], rows)

    def cost(self) -> PageTable:
        """What each variant took."""
        head = [("variant", ""), ("runs", ""), ("images", "sum"), ("seconds", "sum, training"), ("CPU seconds", "sum")]
        head += [("images/s", "mean"), ("peak memory", "GiB, largest")]
        rows = []
        for variant in self.comparison.variants:
            speeds = [run.images_per_second for run in variant.runs if run.images_per_second is not None]
            memory = [m for run in variant.runs if isinstance(m := run.record.get("peak_memory_gib"), int | float)]
            sums = [total(variant, fact) for fact in ("images_seen", "seconds", "cpu_seconds")]
            mean = sum(speeds) / len(speeds) if speeds else None
            values = [*sums, mean, max(memory, default=None)]
            rows.append([self._name(variant), self._states(variant), *(_number(value) for value in values)])
        return PageTable("Cost of each variant", head, rows, frozenset(range(2, 7)))

    def runs(self) -> PageTable:
        """Every run, with its values where runs are compared."""
        comparison = self.comparison
        facts = ("cpu_seconds", "peak_memory_gib", "parameters", "exit_status")
        known = [fact for fact in facts if any(run.record.get(fact) is not None for run in comparison.runs)]
        head = [("run", ""), ("variant", ""), ("seed", ""), ("state", ""), ("images", ""), ("seconds", ""), ("images/s", "")]
        head += [(fact.replace("_", " "), "") for fact in known]
        where = of_point(comparison.points["images"]) if "images" in comparison.points else ""
        shown = comparison.metrics if where else ()
        if comparison.main is not None:
            head += [(of_metric(comparison.main), "last"), (of_metric(comparison.main), "best")]
        head += [(of_metric(name), f"at {where}") for name in shown]
        rows = [self._run(v, run, known, shown) for v in comparison.variants for run in v.runs]
        return PageTable("Every run", head, rows, frozenset({2, *range(4, len(head))}))

    def failures(self) -> PageTable | None:
        """Runs that did not end well, are not counted, or left a line."""
        rows = []
        for variant in self.comparison.variants:
            for run in variant.runs:
                apart = self.comparison.apart.get(run.place)
                if apart or run.line or run.state not in STILL_GOOD:
                    said = f"not counted: it {apart}" if apart else run.line
                    rows.append([Entry(run.name), self._name(variant), _seed(run), _state(run), Entry(said or NOTHING)])
        head = [("run", ""), ("variant", ""), ("seed", ""), ("state", ""), ("what was said", "")]
        return PageTable("What went wrong", head, rows, frozenset({2})) if rows else None

    def _run(self, variant: Variant, run: Run, facts: Sequence[str], metrics: Sequence[str]) -> list[Entry]:
        comparison = self.comparison
        row = [Entry(run.name, note="not counted" if run.place in comparison.apart else ""), self._name(variant)]
        row += [_seed(run), _state(run), _number(run.images), _number(run.seconds), _number(run.images_per_second)]
        row += [_number(run.record.get(fact)) for fact in facts]
        if comparison.main is not None:
            series = run.metric(comparison.main)
            row.append(_reading(series.last() if series else None))
            row.append(_reading(series.best(direction(comparison.main)) if series else None))
        return row + [_reading(comparison.reading(run, name, "images")) for name in metrics]

    def _name(self, variant: Variant) -> Entry:
        note = "baseline" if variant is self.comparison.baseline else ""
        return Entry(variant.name, note=note, words=tuple(variant.name.split()), colour=self.colours[variant.name])

    def _states(self, variant: Variant) -> Entry:
        seeds = f"seeds {', '.join(map(str, variant.seeds[:8]))}{' …' if len(variant.seeds) > 8 else ''}"
        bad = any(state not in STILL_GOOD for state in variant.states)
        return Entry(of_states(variant.states), len(variant.runs), note=seeds if variant.seeds else "", mark="bad" if bad else "")

    def _value(self, clock: Clock, variant: Variant, metric: str | None) -> Entry:
        cell = self.comparison.cell(clock, variant, metric)
        if cell is None or cell.spread is None:
            return Entry(NOTHING, mark="quiet")
        point = self.comparison.points[clock]
        early = cell.measured is not None and cell.measured[0] < point.value
        note = f"measured at {' to '.join(dict.fromkeys(map(number, cell.measured or ())))} {UNITS[clock].split()[0]}"
        best = self._is_best(clock, variant, metric)
        return Entry(of_spread(cell.spread), cell.spread.mean, note=note if early else "", mark="best" if best else "")

    def _is_best(self, clock: Clock, variant: Variant, metric: str | None) -> bool:
        """Whether no other variant's mean is better."""
        comparison = self.comparison
        name = metric or comparison.main or ""
        cells = {v.name: c.spread.mean for v in comparison.variants if (c := comparison.cell(clock, v, name)) and c.spread}
        better = direction(name)
        if better is None or len(set(cells.values())) < 2:
            return False
        return cells[variant.name] == (min if better == "lower" else max)(cells.values())


def _number(value: object) -> Entry:
    known = float(value) if isinstance(value, int | float) else None
    return Entry(number(known), known)


def _reading(found: Reading | None) -> Entry:
    if found is None:
        return Entry(NOTHING, mark="quiet")
    return Entry(number(found.value), found.value if math.isfinite(found.value) else None)


def _seed(run: Run) -> Entry:
    return Entry(NOTHING if run.seed is None else str(run.seed), run.seed)


def _state(run: Run) -> Entry:
    return Entry(run.state, mark="" if run.state in STILL_GOOD else "bad")


def _scale(gaps: Sequence[Difference | None]) -> tuple[float, float]:
    """Ends of the common axis: all intervals and zero."""
    ends = [end for gap in gaps if gap for end in (gap.mean, gap.low, gap.high) if end is not None] + [0.0]
    low, high = min(ends), max(ends)
    margin = 0.06 * (high - low) or 1.0
    return low - margin, high + margin


def _forest(gap: Difference | None, scale: tuple[float, float]) -> Forest | None:
    if gap is None:
        return None
    low, high = (gap.mean, gap.mean) if gap.low is None or gap.high is None else (gap.low, gap.high)
    return Forest(*(round(100 * (x - scale[0]) / (scale[1] - scale[0]), 2) for x in (low, gap.mean, high, 0.0)))
