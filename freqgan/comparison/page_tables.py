"""The tables of the page as plain rows of entries, which its template writes down."""

from collections.abc import Sequence
from dataclasses import replace
from typing import final

from freqgan.comparison.compared import Comparison
from freqgan.comparison.curves import colours
from freqgan.comparison.entries import (
    Entry,
    PageTable,
    forest_of,
    of_number,
    of_reading,
    of_seed,
    of_setting,
    of_state,
    scale_of,
)
from freqgan.comparison.intervals import CONFIDENCE
from freqgan.comparison.measures import direction, short
from freqgan.comparison.run import STILL_GOOD, Clock, Run
from freqgan.comparison.tables import best_of, total
from freqgan.comparison.variants import TARGET, Variant
from freqgan.comparison.wording import (
    NOTHING,
    number,
    of_difference,
    of_metric,
    of_point,
    of_spread,
    of_states,
)

FACTS = {
    "cpu_seconds": ("CPU seconds", ""),
    "peak_memory_gib": ("peak memory", "GiB"),
    "parameters": ("parameters", ""),
    "exit_status": ("exit status", ""),
}  # of a run's record, with their column titles


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
        head += (
            [("difference", f"to the baseline, {CONFIDENCE:.0%}"), ("verdict", ""), ("best", "ever")] if points else []
        )
        scale = scale_of([cell.difference for v in comparison.variants if (cell := comparison.cell("images", v))])
        rows = []
        for variant in comparison.variants:
            row = [self._name(variant), self._states(variant)]
            row += [self._value(clock, variant, main, moment=True) for clock in points]
            if points:
                cell = comparison.cell("images", variant)
                gap = cell.difference if cell else None
                colour, drawn = self.colours[variant.name], forest_of(gap, scale)
                row.append(Entry(of_difference(gap), gap.mean if gap else None, colour=colour, forest=drawn))
                row.append(Entry(cell.verdict if cell else ""))
                row.append(of_number(best_of(comparison, variant)))
            rows.append(row)
        caption = "Variants, the best first" if main and direction(main) else "Variants"
        return PageTable(caption, head, rows, frozenset({*range(2, 3 + len(points)), 4 + len(points)}))

    def metrics(self, clock: Clock) -> PageTable | None:
        """Every metric of every variant at equal images or equal time."""
        comparison = self.comparison
        point = comparison.points.get(clock)
        if point is None:
            return None
        head = [("variant", ""), ("measured at", clock)]
        head += [(of_metric(name), short(name)[1]) for name in comparison.metrics]
        rows = []
        for variant in comparison.variants:
            values = [self._value(clock, variant, name) for name in comparison.metrics]
            if any(value.sort is not None for value in values):
                rows.append([self._name(variant), self._measured(clock, variant), *values])
        caption = f"All metrics at {of_point(point)}: mean ± standard deviation over seeds"
        return PageTable(caption, head, rows, frozenset(range(1, len(head))))

    def settings(self) -> PageTable | None:
        """The settings that differ."""
        keys = list(self.comparison.variants[0].settings) if self.comparison.variants else []
        if not keys:
            return None
        rows = [
            [self._name(variant), *(of_setting(key, variant.settings[key]) for key in keys)]
            for variant in self.comparison.variants
        ]
        head = [("variant", ""), *((key.removesuffix(f".{TARGET}"), "") for key in keys)]
        return PageTable("Settings that differ between variants; all others are equal", head, rows)

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
            rows.append([self._name(variant), self._states(variant), *(of_number(value) for value in values)])
        return PageTable("Cost of each variant", head, rows, frozenset(range(2, 7)))

    def runs(self) -> PageTable:
        """Every run: how well, at which cost, and its other metrics."""
        comparison, main = self.comparison, self.comparison.main
        known = [fact for fact in FACTS if any(run.record.get(fact) is not None for run in comparison.runs)]
        where = f"at {of_point(comparison.points['images'])}" if "images" in comparison.points else ""
        others = [name for name in comparison.metrics if where and name != main]
        head = [("run", ""), ("variant", ""), ("seed", ""), ("state", "")]
        head += [(of_metric(main), when) for when in (where, "last", "best")] if main else []
        head += [("images", ""), ("seconds", ""), ("images/s", ""), *(FACTS[fact] for fact in known)]
        head += [(of_metric(name), where) for name in others]
        rows = [self._run(v, run, known, others) for v in comparison.variants for run in v.runs]
        return PageTable("Every run", head, rows, frozenset({2, *range(4, len(head))}))

    def failures(self) -> PageTable | None:
        """Runs that did not end well, are not counted, or left a line."""
        rows = []
        for variant in self.comparison.variants:
            for run in variant.runs:
                apart = self.comparison.apart.get(run.place)
                if apart or run.line or run.state not in STILL_GOOD:
                    said = f"not counted: it {apart}" if apart else run.line
                    rows.append(
                        [Entry(run.name), self._name(variant), of_seed(run), of_state(run), Entry(said or NOTHING)]
                    )
        head = [("run", ""), ("variant", ""), ("seed", ""), ("state", ""), ("what was said", "")]
        return PageTable("What went wrong", head, rows, frozenset({2})) if rows else None

    def _run(self, variant: Variant, run: Run, facts: Sequence[str], others: Sequence[str]) -> list[Entry]:
        comparison, main = self.comparison, self.comparison.main
        name = Entry(run.name, note="not counted" if run.place in comparison.apart else "")
        row = [name, replace(self._name(variant), note=""), of_seed(run), of_state(run)]
        if main is not None:
            series = run.metric(main)
            row.append(of_reading(comparison.reading(run, main, "images")))
            row.append(of_reading(series.last() if series else None))
            row.append(of_reading(series.best(direction(main)) if series else None))
        row += [of_number(count) for count in (run.images, run.seconds, run.images_per_second)]
        row += [of_number(run.record.get(fact)) for fact in facts]
        return row + [of_reading(comparison.reading(run, other, "images")) for other in others]

    def _name(self, variant: Variant) -> Entry:
        note = "baseline" if variant is self.comparison.baseline else ""
        return Entry(variant.name, note=note, words=tuple(variant.name.split()), colour=self.colours[variant.name])

    def _states(self, variant: Variant) -> Entry:
        seeds = f"seeds {', '.join(map(str, variant.seeds[:8]))}{' …' if len(variant.seeds) > 8 else ''}"
        bad = any(state not in STILL_GOOD for state in variant.states)
        return Entry(
            of_states(variant.states), len(variant.runs), note=seeds if variant.seeds else "", mark="bad" if bad else ""
        )

    def _value(self, clock: Clock, variant: Variant, metric: str | None, *, moment: bool = False) -> Entry:
        """A mean; where `moment`, with the time of its measurements if that is not the point itself."""
        cell = self.comparison.cell(clock, variant, metric)
        if cell is None or cell.spread is None:
            return Entry(NOTHING, mark="quiet")
        early = moment and cell.measured is not None and cell.measured[0] < self.comparison.points[clock].value
        note = f"measured at {self._measured(clock, variant).text}" if early else ""
        mark = "best" if self._is_best(clock, variant, metric) else ""
        return Entry(of_spread(cell.spread), cell.spread.mean, note=note, mark=mark)

    def _measured(self, clock: Clock, variant: Variant) -> Entry:
        """When the values at a point were measured: at or before it."""
        cell = self.comparison.cell(clock, variant)
        if cell is None or cell.measured is None:
            return Entry(NOTHING, mark="quiet")
        ends = dict.fromkeys(number(round(end, 1)) for end in cell.measured)
        return Entry("–".join(ends), cell.measured[0])

    def _is_best(self, clock: Clock, variant: Variant, metric: str | None) -> bool:
        """Whether no other variant's mean is better."""
        comparison = self.comparison
        name = metric or comparison.main or ""
        cells = {
            v.name: c.spread.mean for v in comparison.variants if (c := comparison.cell(clock, v, name)) and c.spread
        }
        better = direction(name)
        if better is None or len(set(cells.values())) < 2:
            return False
        return cells[variant.name] == (min if better == "lower" else max)(cells.values())
