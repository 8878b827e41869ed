"""Learning curves: a quantity against images seen and against time, every run thin, the mean over seeds bold."""

import io
import math
from collections.abc import Mapping, Sequence
from typing import Any, final

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import EngFormatter
from numpy.typing import NDArray

from freqgan.comparison.compared import CLOCKS, UNITS, Comparison
from freqgan.comparison.run import Clock, Run, Series
from freqgan.comparison.variants import Variant

# Observable's ten: told apart on white and on black, and by most colour-blind readers.
COLOURS = (
    *("#4269d0", "#efb118", "#ff725c", "#6cc5b0", "#3ca951"),
    *("#ff8ab7", "#a463f2", "#97bbf5", "#9c6b4e", "#9498a0"),
)
OTHERS = "#8888884d"  # of variants behind the tenth
LINE = 0.19  # inches of a line of the legend
INK = "#1f2328"  # in an SVG it stands for the colour of the page's text
DECADES = 50.0  # largest by smallest value from which an axis is logarithmic

Column = NDArray[np.float64]


def colours(variants: Sequence[Variant]) -> dict[str, str]:
    """A colour for each variant's name, the same in all plots and tables; the last ones, and those without rows, share one."""
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
        FigureCanvasAgg(figure)
        panels = figure.subplots(1, 2, sharey=True)
        _margins(figure, top=0.28)
        for clock, axes in zip(CLOCKS, panels, strict=True):
            self._panel(axes, key, clock, shown)
            axes.set_xlabel(UNITS[clock], color=INK, fontsize=9)
            point = self.comparison.points.get(clock)
            if point is not None:
                axes.axvline(point.value, color=INK, linewidth=0.8, linestyle=":", alpha=0.6)
        panels[0].set_yscale("log" if limits[0] > 0 and limits[1] / limits[0] > DECADES else "linear")
        panels[0].set_ylim(*limits)
        figure.text(0.1 / size[0], 1 - 0.08 / size[1], title, color=INK, fontsize=10, ha="left", va="top")
        return figure

    def _panel(self, axes: Axes, key: str, clock: Clock, shown: Mapping[str, Sequence[Run]]) -> None:
        thin: list[Column] = []
        tones: list[str] = []
        base = self.comparison.baseline
        for name, runs in reversed(shown.items()):  # the best one on top
            colour, style = self.colours[name], "--" if base is not None and name == base.name else "-"
            all_series = [run.series[key] for run in runs]
            mean = mean_curve([run.series[key] for run in runs if run.place not in self.comparison.apart], clock)
            for series in all_series if mean is not None or len(runs) > 1 else []:
                thin.append(np.column_stack((series.along(clock), series.values)))
                tones.append(colour)
            if mean is not None:
                x, middle, deviation = mean
                axes.fill_between(x, middle - deviation, middle + deviation, color=colour, alpha=0.16, linewidth=0)
                axes.plot(x, middle, color=colour, linewidth=2, linestyle=style)
            elif len(all_series) == 1:
                axes.plot(all_series[0].along(clock), all_series[0].values, color=colour, linewidth=1.6, linestyle=style)
            single = [series for series in all_series if len(series.values) == 1]
            axes.scatter([s.along(clock)[0] for s in single], [s.values[0] for s in single], color=colour, s=14)
        axes.add_collection(LineCollection(thin, colors=tones, linewidths=0.7, alpha=0.55))
        axes.autoscale(axis="x")
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
        axes.tick_params(colors=INK, labelsize=8)
        axes.grid(color="#8080804d", linewidth=0.5)
        axes.set_facecolor("none")
        for side, spine in axes.spines.items():
            spine.set_visible(side in ("left", "bottom"))
            spine.set_color("#80808099")

    def legend(self, figure: Figure) -> None:
        """Names the colours below the figure: a picture alone has no page around it."""
        base = self.comparison.baseline
        named = [variant.name for variant in self.comparison.variants if self.colours[variant.name] != OTHERS]
        handles = [
            Line2D([], [], color=self.colours[name], linestyle="--" if base and base.name == name else "-", linewidth=2)
            for name in named
        ]
        labels = [name if len(name) < 60 else f"{name[:59]}…" for name in named]
        width, height = figure.get_size_inches()
        extra = LINE * len(named)
        figure.set_size_inches(width, height + extra)
        for text in figure.texts:
            text.set_y(1 - 0.08 / (height + extra))
        _margins(figure, top=0.28, bottom=extra)
        figure.legend(handles, labels, loc="lower left", fontsize=8, frameon=False, ncols=1, borderaxespad=0.1)


def _margins(figure: Figure, *, top: float, bottom: float = 0.0) -> None:
    """Places the panels; inches of the title and the legend. The automatic layouts cost more than the drawing."""
    width, height = figure.get_size_inches()
    figure.subplots_adjust(
        left=0.55 / width,
        right=1 - 0.12 / width,
        top=1 - top / height,
        bottom=(0.45 + bottom) / height,
        wspace=0.08,
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
            values = [value for _, value in pairs]
            rows.append((float(np.mean([moment for moment, _ in pairs])), np.mean(values), np.std(values, ddof=1)))
    if not rows:
        return None
    x, middle, deviation = np.asarray(rows).T
    return x, middle, deviation


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
    settings: dict[str, Any] = {"svg.fonttype": "none", "svg.hashsalt": "freqgan", "font.family": "sans-serif"}
    with mpl.rc_context(settings):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :].replace(INK, "currentColor")
    style = "<style>svg{color:#1f2328}@media(prefers-color-scheme:dark){svg{color:#d8dee4}}</style>"
    return svg.replace(">", f">{style}", 1)


def as_png(figure: Figure) -> bytes:
    """The figure on white."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=130, facecolor="white")
    return buffer.getvalue()
