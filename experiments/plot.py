"""Learning curves and samples side by side, as pictures for the README.

    python experiments/plot.py outputs/frequency_vs_image/main --to experiments/frequency_vs_image

`fd.png` has the Fréchet distance against images seen and seconds: every seed thin, the mean over seeds bold.
`samples.png` has a row of samples for each arm, of one seed.
"""

import argparse
from pathlib import Path

from analyse import read
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from freqgan.comparison import Comparison
from freqgan.comparison.curves import Curves
from freqgan.comparison.grids import newest_grid
from freqgan.comparison.wording import of_metric
from freqgan.runs import Cells

WIDE = (11.4, 3.5)  # inches


def curves(comparison: Comparison, file: Path) -> None:
    """Draws the main metric over the runs."""
    drawn = Curves(comparison)
    figure = comparison.main and drawn.draw(f"val/{comparison.main}", of_metric(comparison.main), size=WIDE)
    if not figure:
        raise SystemExit("no run was evaluated: there is nothing to draw")
    file.write_bytes(drawn.as_png(figure))


def samples(comparison: Comparison, file: Path, *, seed: int, count: int) -> None:
    """Draws the newest samples of every variant that has a run of this seed, the best variant first."""
    rows = {}
    for variant in comparison.variants:
        for place in [Path(run.place) for run in variant.runs if run.seed == seed and run.samples]:
            grid, cells = newest_grid(place), Cells.read(place / "samples")
            if grid is not None and cells is not None:
                with Image.open(grid, formats=["PNG"]) as picture:
                    crops = [picture.crop(cells.box(number)) for number in range(min(count, len(cells.ids)))]
                rows[variant.name] = [crop.resize(cells.cell, Image.Resampling.NEAREST) for crop in crops]
    if not rows:
        raise SystemExit(f"no run of seed {seed} has samples: choose another one with --seed")
    figure = Figure(figsize=(count + 1.5, 1.02 * len(rows)))
    panels = figure.subplots(len(rows), count, squeeze=False)
    for (name, pictures), line in zip(rows.items(), panels, strict=True):
        for picture, axes in zip(pictures, line, strict=False):
            axes.imshow(picture, interpolation="nearest")
        line[0].text(-0.1, 0.5, name, transform=line[0].transAxes, ha="right", va="center", parse_math=False)
    for axes in panels.flat:
        axes.axis("off")
    figure.subplots_adjust(left=1.5 / (count + 1.5), right=1, top=1, bottom=0, wspace=0.02, hspace=0.02)
    FigureCanvasAgg(figure).print_png(file)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", help="sweep folders, run directories or patterns")
    parser.add_argument("--to", type=Path, default=Path(), help="folder of the pictures")
    parser.add_argument("--seed", type=int, default=1, help="of the samples")
    parser.add_argument("--count", type=int, default=10, help="samples in a row")
    given = parser.parse_args()
    comparison = read(given.runs)
    curves(comparison, given.to / "fd.png")
    samples(comparison, given.to / "samples.png", seed=given.seed, count=given.count)


if __name__ == "__main__":
    main()
