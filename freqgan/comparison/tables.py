"""A comparison in the terminal: variants, then what went wrong, then what to know of the numbers."""

from collections.abc import Iterator

from rich.table import Column, Table
from rich.text import Text

from freqgan.comparison.compared import Comparison
from freqgan.comparison.measures import direction
from freqgan.comparison.run import STILL_GOOD
from freqgan.comparison.variants import Variant
from freqgan.comparison.wording import NOTHING, number, of_difference, of_metric, of_point, of_spread, of_states


def tables(comparison: Comparison) -> Iterator[Table]:
    """What is printed, in its order."""
    yield of_variants(comparison)
    if any(run.line or run.state not in STILL_GOOD or run.place in comparison.apart for run in comparison.runs):
        yield of_failures(comparison)


def of_variants(comparison: Comparison) -> Table:
    """A row for each variant, the best first."""
    main = of_metric(comparison.main) if comparison.main else "metric"
    points = list(comparison.points.values())
    table = Table(
        "variant",
        "runs",
        *(Column(f"{main} at {of_point(point)}", justify="right") for point in points),
        *(Column(title, justify="right") for title in (["difference", "best"] if points else [])),
        Column("seconds", justify="right"),
        Column("CPU seconds", justify="right"),
        *(["verdict"] if points else []),
    )
    for variant in comparison.variants:
        cells = [comparison.cell(point.clock, variant) for point in points]
        first = cells[0] if cells else None
        texts = [variant.name, of_states(variant.states)]
        texts += [of_spread(cell.spread) if cell else NOTHING for cell in cells]
        texts += (
            [of_difference(first.difference) if first else NOTHING, number(best_of(comparison, variant))]
            if points
            else []
        )
        texts += [number(total(variant, "seconds")), number(total(variant, "cpu_seconds"))]
        texts += [first.verdict if first else ""] if points else []
        table.add_row(*(Text(text) for text in texts))
    return table


def of_failures(comparison: Comparison) -> Table:
    """A row for each run that did not end well, is not counted, or left a line."""
    table = Table("run", "variant", "seed", "state", "what was said")
    for variant in comparison.variants:
        for run in variant.runs:
            apart = comparison.apart.get(run.place)
            if run.line or apart or run.state not in STILL_GOOD:
                seed = NOTHING if run.seed is None else str(run.seed)
                said = f"not counted: it {apart}" if apart else run.line
                table.add_row(*(Text(text) for text in (run.name, variant.name, seed, run.state, said)))
    return table


def best_of(comparison: Comparison, variant: Variant) -> float | None:
    """The best value of the main metric that any counted run of a variant ever had."""
    main = comparison.main
    if main is None:
        return None
    series = [s for run in variant.runs if run.place not in comparison.apart and (s := run.metric(main)) is not None]
    found = [best.value for one in series if (best := one.best(direction(main))) is not None]
    return (min if direction(main) == "lower" else max)(found) if found else None


def total(variant: Variant, fact: str) -> float | None:
    """The sum over a variant's runs of something they cost; None if nobody knows."""
    known = [float(value) for run in variant.runs if isinstance(value := run.record.get(fact), int | float)]
    return sum(known) if known else None
