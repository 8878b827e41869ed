"""What `freqgan compare` costs on many runs: 200 of them, in 40 variants, with 100 rows and a grid each."""

import sys
import tempfile
from pathlib import Path

from tests.bench.start import Row, cpu_of
from tests.comparison.written import TRANSFORMS, rows_of, write_grid, write_run

METRICS = tuple(
    f"{name}_efficientnet_lite0_n1000" for name in ("fd", "kid", "precision", "recall", "density", "coverage")
) + tuple(
    f"{name}_n1000" for name in ("spectrum_distance", *(f"band_distance_{b}" for b in ("LL1", "HL1", "LH1", "HH1")))
)


def rows() -> list[Row]:
    """Name, figure and goal."""
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder))
        seconds = cpu_of([sys.executable, "-m", "freqgan.cli", "compare", folder])
    return [("freqgan compare on 200 runs, CPU seconds", seconds, "<= 10")]


def write(folder: Path) -> None:
    """Three transforms by rates by five seeds; every tenth row is an evaluation."""
    for number in range(200):
        variant, seed = divmod(number, 5)
        name = list(TRANSFORMS)[variant % len(TRANSFORMS)]
        changes = {"transform": TRANSFORMS[name], "optim.lr": 0.0001 * (1 + variant // 3), "seed": seed + 1}
        rows = rows_of(100 + variant, seed=number, images=90_000, every=1000, names=METRICS, judge=9)
        run = write_run(folder / f"{number:03d}", rows, changes=changes)
        write_grid(run, seed=seed + 1, count=64, cell=32)
