"""Learning curves: a quantity against images seen and against time, every run thin, the mean over seeds bold."""

import io
import math
import warnings
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import final

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import EngFormatter, MaxNLocator
from numpy.typing import NDArray
from PIL import Image

from freqgan.comparison.compared import CLOCKS, UNITS, Comparison
from freqgan.comparison.intervals import mean_and_deviation
from freqgan.comparison.run import Clock, Run, Series
from freqgan.comparison.variants import Variant

# Observable's ten: told apart on white and on black, and by most colour-blind readers.
COLOURS = (
    *("#4269d0", "#efb118", "#ff725c", "#6cc5b0", "#3ca951"),
    *("#ff8ab7", "#a463f2", "#97bbf5", "#9c6b4e", "#9498a0"),
)
OTHERS = "#8888884d"  # of variants behind the tenth
MOST_POINTS = 8000  # of all thin lines in a panel; of more, every second or third point is drawn
DPI = 110
LINE = 0.19  # inches of a line of the legend
INK = "#1f2328"  # in an SVG it stands for the colour of the page's text
NO_METADATA = ("Date", "Creator", "Format", "Type")
DECADES = 50.0  # largest by smallest value from which an axis is logarithmic

Column = NDArray[np.float64]


def colours(variants: Sequence[Variant]) -> dict[str, str]:
    """A colour for each variant's name, the same everywhere; the last ones, and those without rows, share one."""
    drawn = [variant.name for variant in variants if any(run.rows for run in variant.runs)]
    return dict.fromkeys((variant.name for variant in variants), OTHERS) | dict(zip(drawn, COLOURS, strict=False))


@final
class Curves:
    """Draws the curves of a comparison.

    Args:
        comparison: whose runs are drawn.
    """

    def __init__(self, comparison: Comparison) -> None:
        self.comparison = comparison
        self.colours = colours(comparison.variants)

    def draw(self, key: str, title: str, *, size: tuple[float, float] = (6.6, 2.7)) -> Figure | None:
        """A figure of two panels; None if no run has a number to show.

        Args:
            key: of the quantity, as in `metrics.jsonl`.
            title: above the figure.
            size: in inches.
        """
        shown = {v.name: [run for run in v.runs if key in run.series] for v in self.comparison.variants}
        limits = y_limits([run.series[key] for runs in shown.values() for run in runs])
        if limits is None:
            return None
        figure = Figure(figsize=size)
        panels = figure.subplots(1, 2, sharey=True)
        _margins(figure)
        for clock, axes in zip(CLOCKS, panels, strict=True):
            self._panel(axes, key, clock, shown)
            axes.set_xlabel(UNITS[clock], color=INK, fontsize=9)
            point = self.comparison.points.get(clock)
            if point is not None:
                axes.axvline(point.value, color=INK, linewidth=0.8, linestyle=":", alpha=0.6)
        panels[0].set_yscale("log" if limits[0] > 0 and limits[1] / limits[0] > DECADES else "linear")
        panels[0].set_ylim(*limits)
        figure.text(0.1 / size[0], 1 - 0.08 / size[1], title, color=INK, fontsize=10, va="top", parse_math=False)
        return figure

    def _panel(self, axes: Axes, key: str, clock: Clock, shown: Mapping[str, Sequence[Run]]) -> None:
        axes.autoscale(False)  # else every line looks for new limits
        thin: list[Column] = []
        tones: list[str] = []
        total = sum(len(run.series[key].values) for runs in shown.values() for run in runs)
        step = -(-total // MOST_POINTS)
        for name, runs in reversed(list(shown.items())):  # the best one on top
            colour = self.colours[name]
            bold = self._bold(axes, name, [run for run in runs if run.place not in self.comparison.apart], key, clock)
            for series in (run.series[key] for run in runs):
                if len(series.values) == 1:
                    axes.scatter(series.along(clock), series.values, color=colour, s=14)
                elif not bold or len(runs) > 1:
                    thin.append(np.column_stack((series.along(clock), series.values))[::-step])
                    tones.append(colour)
        axes.add_collection(LineCollection(thin, colors=tones, linewidths=0.7, alpha=0.55))
        axes.set_xlim(*x_limits([run.series[key] for runs in shown.values() for run in runs], clock))
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
        axes.tick_params(colors=INK, labelsize=8, length=0)
        axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        axes.grid(color="#8080804d", linewidth=0.5)
        axes.set_facecolor("none")
        for side, spine in axes.spines.items():
            spine.set_visible(side in ("left", "bottom"))
            spine.set_color("#80808099")

    def _bold(self, axes: Axes, name: str, runs: Sequence[Run], key: str, clock: Clock) -> bool:
        """Draws the mean of a variant that has a colour of its own; False if there is none to draw."""
        base, colour = self.comparison.baseline, self.colours[name]
        if colour == OTHERS or not runs:
            return False
        style = "--" if base is not None and name == base.name else "-"
        mean = mean_curve([run.series[key] for run in runs], clock)
        if mean is not None:
            x, middle, deviation = mean
            axes.fill_between(x, middle - deviation, middle + deviation, color=colour, alpha=0.16, linewidth=0)
            axes.plot(x, middle, color=colour, linewidth=2, linestyle=style)
        elif len(runs) == 1:
            series = runs[0].series[key]
            axes.plot(series.along(clock), series.values, color=colour, linewidth=1.6, linestyle=style)
        return mean is not None or len(runs) == 1

    def as_png(self, figure: Figure) -> bytes:
        """The figure on white, with the names of the colours below it: a picture alone has no page around it."""
        picture = _rendered(figure)
        sheet = Image.new("RGB", (picture.width, picture.height + self._legend.height), "white")
        sheet.paste(picture)
        sheet.paste(self._legend, (0, picture.height))
        buffer = io.BytesIO()
        sheet.save(buffer, format="PNG", compress_level=3)
        return buffer.getvalue()

    @cached_property
    def _legend(self) -> Image.Image:
        """Drawn once for all figures: text is what costs most."""
        base = self.comparison.baseline
        named = [name for name, colour in self.colours.items() if colour != OTHERS]
        handles = [
            Line2D([], [], color=self.colours[name], linestyle="--" if base and base.name == name else "-", linewidth=2)
            for name in named
        ]
        labels = [name if len(name) < 80 else f"{name[:79]}…" for name in named]
        figure = Figure(figsize=(6.6, 0.1 + LINE * max(1, len(named))))
        numbers = [str(number) for number in range(len(labels))]  # as a label, "_name" would be left out
        legend = figure.legend(handles, numbers, loc="upper left", fontsize=8, frameon=False, borderaxespad=0.1)
        for text, label in zip(legend.get_texts(), labels, strict=True):
            text.set_parse_math(False)
            text.set_text(label)
        return _rendered(figure)


def _rendered(figure: Figure) -> Image.Image:
    canvas = FigureCanvasAgg(figure)
    figure.set_dpi(DPI)
    figure.set_facecolor("white")
    with warnings.catch_warnings(action="ignore"):  # a name may have letters that no font here has
        canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")


def _margins(figure: Figure) -> None:
    """Places the panels with room for the title and the ticks. The automatic layouts cost more than the drawing."""
    width, height = figure.get_size_inches()
    figure.subplots_adjust(
        left=0.55 / width, right=1 - 0.12 / width, top=1 - 0.28 / height, bottom=0.45 / height, wspace=0.08
    )


def mean_curve(runs: Sequence[Series], clock: Clock) -> tuple[Column, Column, Column] | None:
    """Moments, means and deviations where every run that got so far was measured at the same count of images.

    Against time, the moment is the mean of theirs. None for fewer than two runs, or without a common count.
    """
    if len(runs) < 2:
        return None
    at: dict[float, list[tuple[float, float]]] = {}
    for series in runs:
        for images, moment, value in zip(series.images, series.along(clock), series.values, strict=True):
            if math.isfinite(value):
                at.setdefault(float(images), []).append((float(moment), float(value)))
    ends = [float(series.images[-1]) for series in runs]
    rows = []
    for images, pairs in sorted(at.items()):
        if len(pairs) > 1 and len(pairs) >= sum(end >= images for end in ends):
            moments, values = zip(*pairs, strict=True)
            rows.append((sum(moments) / len(pairs), *mean_and_deviation(values)))
    if not rows:
        return None
    x, middle, deviation = np.asarray(rows).T
    return x, middle, deviation


def x_limits(all_series: Sequence[Series], clock: Clock) -> tuple[float, float]:
    """From the first moment to the last one."""
    moments = np.concatenate([series.along(clock) for series in all_series])
    moments = moments[np.isfinite(moments)]
    low, high = (float(moments.min()), float(moments.max())) if len(moments) else (0.0, 0.0)
    margin = 0.03 * (high - low) or 1.0
    return low - margin, high + margin


def y_limits(all_series: Sequence[Series]) -> tuple[float, float] | None:
    """A range that holds nearly all values: what a diverging run does at its end does not flatten the others."""
    values = np.concatenate([series.values for series in all_series]) if all_series else np.empty(0)
    values = values[np.isfinite(values)]
    if not len(values):
        return None
    low, high = (float(q) for q in np.quantile(values, (0.005, 0.995)))
    reach = 3 * (high - low)
    low, high = float(values[values >= low - reach].min()), float(values[values <= high + reach].max())
    if low > 0 and high / low > DECADES:
        return low / 1.2, high * 1.2
    margin = 0.05 * (high - low) or 0.05 * abs(high) or 1.0
    return low - margin, high + margin


def as_svg(figure: Figure) -> str:
    """A transparent figure whose text has the colour of the page, in light and in dark."""
    buffer = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "freqgan"}):
        figure.savefig(buffer, format="svg", transparent=True, metadata=dict.fromkeys(NO_METADATA))
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :].replace(INK, "currentColor")
    style = "<style>svg{color:#1f2328}@media(prefers-color-scheme:dark){svg{color:#d8dee4}}</style>"
    return svg.replace(">", f">{style}", 1)
