"""A comparison as one HTML page that needs nothing else: no script, no network, light and dark."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

from freqgan.comparison.compared import CLOCKS, Comparison
from freqgan.comparison.curves import Curves, as_svg, colours
from freqgan.comparison.grids import SampleSheet
from freqgan.comparison.intervals import CONFIDENCE, ENOUGH, RESAMPLES
from freqgan.comparison.measures import short
from freqgan.comparison.notes import notes
from freqgan.comparison.page_tables import PageTables
from freqgan.comparison.run import PLAYERS
from freqgan.comparison.settings import show
from freqgan.comparison.wording import counts, failed, headline, of_metric, of_point, title
from freqgan.pages import data_uri, render

WIDE = (11.4, 3.5)  # inches of the main metric's curves


@final
@dataclass(frozen=True)
class Plot:
    """A drawing for the page and the same as a file.

    Args:
        name: of the file.
        alt: what it shows, in words.
        uri: of the drawing, for the page.
        png: of the picture, for the file.
        wide: whether it takes the whole width.
    """

    name: str
    alt: str
    uri: str
    png: bytes
    wide: bool


def page(comparison: Comparison, plots: Sequence[Plot], sheets: Sequence[SampleSheet]) -> str:
    """The whole page."""
    tables = PageTables(comparison)
    named = colours(comparison.variants)
    return render(
        Path(__file__).with_name("page.html"),
        title=title(comparison),
        headline=headline(comparison),
        facts=facts(comparison),
        notes=notes(comparison),
        verdict=tables.verdict(),
        metrics=[table for clock in CLOCKS if (table := tables.metrics(clock)) is not None],
        settings=tables.settings(),
        aside={key: [show(value) for value in values] for key, values in comparison.aside.items()},
        legend=[(v.name, named[v.name], v is comparison.baseline) for v in comparison.variants],
        plots=plots,
        sheets=sheets,
        colours=named,
        cost=tables.cost(),
        runs=tables.runs(),
        failures=tables.failures(),
        confidence=f"{CONFIDENCE:.0%}",
        resamples=f"{RESAMPLES:,}",
        enough=ENOUGH,
        made=time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
    )


def facts(comparison: Comparison) -> list[tuple[str, str]]:
    """What was compared, in a few words each."""
    data = list(dict.fromkeys(str(f) for run in comparison.runs if (f := run.record.get("data_fingerprint"))))
    said: list[tuple[str, str]] = []
    if comparison.main is not None:
        said.append(("metric", f"{of_metric(comparison.main)} · {short(comparison.main)[1] or 'no protocol'}"))
    said += [(f"at equal {clock}", of_point(point)) for clock, point in comparison.points.items()]
    if comparison.baseline is not None:
        said.append(("baseline", comparison.baseline.name))
    if data:
        said.append(("data", ", ".join(data[:3]) + (" …" if len(data) > 3 else "")))
    return [*said, ("went wrong", ", ".join(failed(comparison)) or "nothing")]


def plots_of(comparison: Comparison) -> list[Plot]:
    """Curves of every metric, the main one first, and of the players' summed terms."""
    curves = Curves(comparison)
    metrics = sorted(comparison.metrics, key=lambda name: name != comparison.main)
    keys = [(f"val/{name}", of_metric(name), short(name)[1]) for name in metrics]
    keys += [(f"train/{player}", f"sum of the {player}'s terms", "not comparable between losses") for player in PLAYERS]
    made: list[Plot] = []
    for key, name, more in keys:
        wide = key == f"val/{comparison.main}"
        figure = curves.draw(key, f"{name}  ·  {more}" if more else name, **({"size": WIDE} if wide else {}))
        if figure is not None:
            uri = data_uri(as_svg(figure).encode(), "image/svg+xml")
            alt = f"{name} ({more}) of {counts(comparison)} against images seen and against seconds of training"
            made.append(Plot(_file_name(key), alt, uri, curves.as_png(figure), wide))
    return made


def _file_name(key: str) -> str:
    """A key as a file name: a metric may be called anything.

    >>> _file_name("val/../a b")
    'val_.._a_b.png'
    """
    kept = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "_" for c in key)
    return f"{kept[:150]}.png"
