"""What every method has reached at the end of its time, in Markdown: a line per method, and what doing nothing gets.

    python experiments/translation_methods/methods.py outputs/translation_methods/lines [--direction ba]

Methods see different numbers of images in equal time, so that their last evaluations are compared. Means ± standard
deviations over seeds.
"""

import argparse
import csv
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from freqgan.comparison import Run, read_local
from freqgan.comparison.intervals import spread
from freqgan.comparison.wording import of_metric

sys.path.insert(0, str(Path(__file__).parents[1]))
from analyse import markdown, of_spread
from beside import named, variants

METRICS = ("fd", "kid", "perceptual", "psnr_y", "ssim_y", "gmsd", "colour_shift_mean", "cycle_error")
NOTHING = "untranslated"  # in the names of what the images of A get as they are


def last(run: Run, metric: str, suffix: str) -> float | None:
    """The last value of a metric in a direction, or of untranslated images."""
    names = [name for name in run.metrics if name.startswith(f"{metric}_") and f"_{suffix}_" in f"{name}_"]
    names = [name for name in names if "_over_" not in name]  # a gain is no value
    series = run.metric(names[0]) if names else None
    return float(series.last().value) if series is not None else None


def line(runs: Sequence[Run], suffix: str) -> list[str]:
    cells = []
    for metric in METRICS:
        found = {run.place: value for run in runs if (value := last(run, metric, suffix)) is not None}
        cells.append(of_spread(spread(found)))
    return cells


def table(places: Sequence[str], direction: str) -> list[list[str]]:
    """Methods that translate in a direction, in the order in which they were run."""
    finished = variants(places)
    rows = [["method", "seeds", *map(of_metric, METRICS), "images", "CPU-seconds"]]
    for name, runs in finished.items():
        chosen = [run for run in runs if last(run, "colour_shift_mean", direction) is not None]
        if chosen:
            seconds = sum(float(run.record["cpu_seconds"]) for run in chosen) / len(chosen)
            seen = f"{chosen[0].images:,.0f}"
            rows.append([name, str(len(chosen)), *line(chosen, direction), seen, f"{seconds:.0f}"])
    if direction == "ab" and len(rows) > 1:
        rows.append([NOTHING, "", *line(next(iter(finished.values()))[:1], NOTHING), "", ""])
    return rows


def results(places: Sequence[str]) -> list[dict[str, Any]]:
    """A row per run, with its last metrics."""
    rows = []
    for run in read_local(places):
        facts = {"variant": named(run), "seed": run.seed, "images_seen": run.images, "status": run.state}
        facts["cpu_seconds"] = run.record.get("cpu_seconds")
        rows.append(facts | {name: s.last().value for name in run.metrics if (s := run.metric(name)) is not None})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", help="sweep folders, run directories or patterns")
    parser.add_argument("--direction", choices=("ab", "ba"), default="ab", help="of what is told")
    parser.add_argument("--csv", type=Path, help="file for a row per run")
    given = parser.parse_args()
    if given.csv:
        rows = results(given.runs)
        with given.csv.open("w", newline="") as file:
            writer = csv.DictWriter(file, dict.fromkeys(name for row in rows for name in row), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    print(markdown(table(given.runs, given.direction)))


if __name__ == "__main__":
    main()
