"""Learning curves and samples side by side, as pictures for the README.

    python experiments/plot.py outputs/frequency_vs_image/main --to experiments/frequency_vs_image

The first metric, `fd.png` or `mean_iou.png`, stands against images seen and seconds: every seed thin, the mean over
seeds bold. `samples.png` has a row of samples for each arm, of one seed, and above them what they were made of and what
they should be, where a run shows that.
"""

import argparse
import re
from dataclasses import replace
from pathlib import Path

from analyse import read
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from freqgan.comparison import Comparison
from freqgan.comparison.curves import Curves
from freqgan.comparison.grids import newest_grid
from freqgan.comparison.measures import short
from freqgan.comparison.wording import of_metric
from freqgan.runs import Cells

WIDE = (11.4, 3.5)  # inches
LETTER = 0.07  # inches, of the names beside rows
DOTS = 100  # to the inch: no sample is drawn smaller than it is
STRIP = "input_result_target"  # a grid whose cells have these side by side


def curves(comparison: Comparison, folder: Path) -> None:
    """Draws the main metric over the runs, into a file of its name."""
    drawn = Curves(comparison)
    figure = comparison.main and drawn.draw(f"val/{comparison.main}", of_metric(comparison.main), size=WIDE)
    if not figure:
        raise SystemExit("no run was evaluated: there is nothing to draw")
    (folder / f"{short(comparison.main)[0]}.png").write_bytes(drawn.as_png(figure))


def cut(grid: Path, cells: Cells, count: int) -> list[Image.Image]:
    """The first cells of a grid, as they were before the grid was enlarged."""
    with Image.open(grid, formats=["PNG"]) as picture:
        crops = [picture.crop(cells.box(number)) for number in range(min(count, len(cells.ids)))]
    return [crop.resize(cells.cell, Image.Resampling.NEAREST) for crop in crops]


def around(place: Path, count: int) -> dict[str, list[Image.Image]]:
    """What samples were made of, and what they should be; nothing where a run has no such grid."""
    cells, strips = Cells.read(place / "samples"), sorted((place / "samples").glob(f"{STRIP}_*.png"))
    if cells is None or not strips:
        return {}
    (width, height), names = cells.cell, STRIP.split("_")
    with Image.open(strips[-1], formats=["PNG"]) as picture:
        scale = picture.width // (cells.columns * (len(names) * width + cells.gap) + cells.gap)
    wide = cut(strips[-1], replace(cells, cell=(len(names) * width, height), scale=scale), count)
    parts = {name: (width * n, 0, width * (n + 1), height) for n, name in enumerate(names) if name != "result"}
    return {name: [strip.crop(box) for strip in wide] for name, box in parts.items()}


def said(name: str) -> str:
    """A variant's name in lines, keys without the groups that they are in.

    >>> said("streets model.discriminator.scales=2 model/generator=series").split("\\n")
    ['streets', 'scales=2', 'generator=series']
    """
    parts = (word.partition("=") for word in name.split())
    return "\n".join(re.split(r"[./]", key)[-1] + sign + value for key, sign, value in parts)


def samples(comparison: Comparison, file: Path, *, seed: int, count: int) -> None:
    """Draws the newest samples of every variant that has a run of this seed, the best variant first."""
    rows: dict[str, list[Image.Image]] = {}
    for variant in comparison.variants:
        for place in [Path(run.place) for run in variant.runs if run.seed == seed and run.samples]:
            grid, cells = newest_grid(place), Cells.read(place / "samples")
            if grid is not None and cells is not None:
                rows = (rows or around(place, count)) | {variant.name: cut(grid, cells, count)}
    if not rows:
        raise SystemExit(f"no run of seed {seed} has samples: choose another one with --seed")
    width, height = next(iter(rows.values()))[0].size
    side, margin = max(width / DOTS, 1.0), LETTER * max(len(line) for name in rows for line in said(name).split("\n"))
    figure = Figure(figsize=(count * side + margin, 1.02 * side * len(rows) * height / width), dpi=DOTS)
    panels = figure.subplots(len(rows), count, squeeze=False)
    for (name, pictures), line in zip(rows.items(), panels, strict=True):
        for picture, axes in zip(pictures, line, strict=False):
            axes.imshow(picture, interpolation="nearest")
        where = {"transform": line[0].transAxes, "ha": "right", "va": "center"}
        line[0].text(-0.05, 0.5, said(name), **where, fontsize=8, parse_math=False)
    for axes in panels.flat:
        axes.axis("off")
    figure.subplots_adjust(left=margin / (count * side + margin), right=1, top=1, bottom=0, wspace=0.02, hspace=0.02)
    FigureCanvasAgg(figure).print_png(file)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", help="sweep folders, run directories or patterns")
    parser.add_argument("--to", type=Path, default=Path(), help="folder of the pictures")
    parser.add_argument("--seed", type=int, default=1, help="of the samples")
    parser.add_argument("--count", type=int, default=10, help="samples in a row")
    given = parser.parse_args()
    comparison = read(given.runs)
    given.to.mkdir(parents=True, exist_ok=True)
    curves(comparison, given.to)
    samples(comparison, given.to / "samples.png", seed=given.seed, count=given.count)


if __name__ == "__main__":
    main()
