"""How numbers and states are written, in the terminal and on the page."""

import math
from collections import Counter

from freqgan.comparison.compared import UNITS, Comparison, Point
from freqgan.comparison.intervals import Difference, Spread
from freqgan.comparison.measures import direction, short
from freqgan.comparison.run import STILL_GOOD, Clock
from freqgan.comparison.variants import Variant

ARROWS = {"lower": "↓", "higher": "↑", None: ""}
NOTHING = "–"


def number(value: float | None) -> str:
    """Four digits; a dash for nothing.

    >>> number(0.00012345), number(1234567.0), number(None), number(float("nan"))
    ('0.0001234', '1,234,567', '–', 'nan')
    """
    if value is None:
        return NOTHING
    if math.isfinite(value) and 1000 <= abs(value) < 1e12:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def signed(value: float) -> str:
    """A difference with its sign; three digits.

    >>> signed(-1.2345), signed(0.5)
    ('−1.23', '+0.5')
    """
    return f"{value:+.3g}".replace("-", "−")


def of_spread(found: Spread | None) -> str:
    """Mean ± deviation (n); what is infinite or no number is told.

    >>> of_spread(Spread(290.5957, 14.57, 3)), of_spread(Spread(1.5, None, 1, lost=2))
    ('290.6 ± 15 (n=3)', '1.5 (n=1, 2 not finite)')
    """
    if found is None:
        return NOTHING
    lost = f", {found.lost} not finite" if found.lost else ""
    deviation = "" if found.deviation is None else f" ± {found.deviation:.2g}"
    return f"{number(found.mean)}{deviation} (n={found.n}{lost})"


def of_difference(found: Difference | None) -> str:
    """Mean of the paired differences and its interval.

    >>> of_difference(Difference(-2.0, -3.0, -1.0, 3, 3, 0)), of_difference(Difference(0.5, None, None, 1, 0, 1))
    ('−2 [−3, −1]', '+0.5')
    """
    if found is None:
        return NOTHING
    if found.low is None or found.high is None:
        return signed(found.mean)
    return f"{signed(found.mean)} [{signed(found.low)}, {signed(found.high)}]"


def of_states(states: Counter[str]) -> str:
    """Each state with its count; a single word if all are finished.

    >>> of_states(Counter(finished=3)), of_states(Counter(finished=2, diverged=1))
    ('3 finished', '2 finished, 1 diverged')
    """
    return ", ".join(f"{count} {state}" for state, count in states.items())


def of_metric(metric: str) -> str:
    """A metric's short name and the direction that is better.

    >>> of_metric("fd_efficientnet_lite0_n1000")
    'fd ↓'
    """
    return f"{short(metric)[0]} {ARROWS[direction(metric)]}".rstrip()


def of_point(point: Point) -> str:
    """A moment in its unit.

    >>> of_point(Point("images", 8000.0))
    '8,000 images'
    """
    return f"{number(point.value)} {UNITS[point.clock]}"


def title(comparison: Comparison) -> str:
    """The names of the runs' experiments and how many there are."""
    names = list(dict.fromkeys(str(run.config["name"]) for run in comparison.runs if run.config.get("name")))
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{', '.join(names[:3])}{more}: {counts(comparison)}" if names else counts(comparison)


def counts(comparison: Comparison) -> str:
    """Runs, variants and seeds."""
    runs, variants = len(comparison.runs), len(comparison.variants)
    seeds = len({run.seed for run in comparison.runs if run.seed is not None})
    words = [(runs, "run"), (variants, "variant"), (seeds, "seed")]
    return ", ".join(f"{count} {word}{'s' if count != 1 else ''}" for count, word in words)


def headline(comparison: Comparison) -> list[tuple[str, bool]]:
    """What the comparison says, claiming no more than the seeds allow: pieces of text, and whether each is a name."""
    best, base, main = leader(comparison, "images"), comparison.baseline, comparison.main
    cell = comparison.cell("images", best) if best else None
    if main is not None and direction(main) is None:
        return [(f"Which values of {main} are better is not known, so nothing is ranked.", False)]
    if best is None or base is None or main is None or cell is None:
        return [("There is nothing to rank: no run has an evaluation at a point that others have reached.", False)]
    said = f" has the best {short(main)[0]} at {of_point(comparison.points['images'])}: {of_spread(cell.spread)}. "
    pieces = [(best.name, True), (said, False)]
    others = [v for v in comparison.variants if v is not best and (c := comparison.cell("images", v)) and c.spread]
    if best is not base:
        gap = f" that is {of_difference(cell.difference)}: {cell.verdict}. "
        pieces += [("Against the baseline ", False), (base.name, True), (gap, False)]
    elif others and (second := comparison.cell("images", others[0])) is not None:
        gap = f", follows with {of_difference(second.difference)}: {second.verdict}. "
        pieces += [("It is the baseline; the next one, ", False), (others[0].name, True), (gap, False)]
    quick = leader(comparison, "seconds")
    if quick is not None and quick is not best:
        pieces += [
            (f"At {of_point(comparison.points['seconds'])} of training the best is ", False),
            (quick.name, True),
            (".", False),
        ]
    return pieces


def leader(comparison: Comparison, clock: Clock) -> Variant | None:
    """The variant with the best mean of the main metric at a point."""
    main = comparison.main
    cells = {v.name: c.spread.mean for v in comparison.variants if (c := comparison.cell(clock, v)) and c.spread}
    if main is None or direction(main) is None or not cells:
        return None
    name = (min if direction(main) == "lower" else max)(cells, key=cells.__getitem__)
    return next(variant for variant in comparison.variants if variant.name == name)


def failed(comparison: Comparison) -> list[str]:
    """States in which something went wrong, with their counts."""
    states = Counter(run.state for run in comparison.runs if run.state not in STILL_GOOD)
    return [f"{count} {state}" for state, count in states.items()]
