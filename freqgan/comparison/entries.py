"""Cells of the page's tables: what each says, what it is sorted by, what is drawn in it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import final

from freqgan.comparison.intervals import Difference
from freqgan.comparison.run import STILL_GOOD, Reading, Run
from freqgan.comparison.settings import ABSENT
from freqgan.comparison.variants import TARGET
from freqgan.comparison.wording import NOTHING, number


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


def of_setting(key: str, value: str) -> Entry:
    """A value; of a class the name without its module."""
    return Entry(
        value.rpartition(".")[2] if key.endswith(f".{TARGET}") else value, mark="quiet" if value == ABSENT else ""
    )


def of_number(value: object) -> Entry:
    """A number, or a dash."""
    known = float(value) if isinstance(value, int | float) else None
    return Entry(number(known), known)


def of_reading(found: Reading | None) -> Entry:
    """A measured value; what is no number is sorted last."""
    if found is None:
        return Entry(NOTHING, mark="quiet")
    return Entry(number(found.value), found.value if math.isfinite(found.value) else None)


def of_seed(run: Run) -> Entry:
    """The seed of a run."""
    return Entry(NOTHING if run.seed is None else str(run.seed), run.seed)


def of_state(run: Run) -> Entry:
    """The state of a run, marked if something went wrong."""
    return Entry(run.state, mark="" if run.state in STILL_GOOD else "bad")


def scale_of(gaps: Sequence[Difference | None]) -> tuple[float, float]:
    """Ends of the common axis: all intervals and zero."""
    ends = [end for gap in gaps if gap for end in (gap.mean, gap.low, gap.high) if end is not None] + [0.0]
    low, high = min(ends), max(ends)
    margin = 0.06 * (high - low) or 1.0
    return low - margin, high + margin


def forest_of(gap: Difference | None, scale: tuple[float, float]) -> Forest | None:
    """A difference on the common axis."""
    if gap is None:
        return None
    low, high = (gap.mean, gap.mean) if gap.low is None or gap.high is None else (gap.low, gap.high)
    return Forest(*(round(100 * (x - scale[0]) / (scale[1] - scale[0]), 2) for x in (low, gap.mean, high, 0.0)))
