"""Tables of a study's runs: a CSV with a row per run, and two in Markdown, of quality and of stability.

    python experiments/analyse.py outputs/frequency_vs_image/main --csv results.csv
    python experiments/analyse.py outputs/frequency_vs_image/rates --csv rates.csv

Runs are read, grouped into variants and compared at equal images by `freqgan.comparison`; added here is what the study
asks of stability. Variants that differ in nothing but their learning rate are one arm.
"""

import argparse
import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from freqgan.comparison import Comparison, Run, compare, read_local
from freqgan.comparison.intervals import Spread, spread
from freqgan.comparison.measures import direction, short
from freqgan.comparison.records import as_results
from freqgan.comparison.variants import Variant
from freqgan.comparison.wording import ARROWS, NOTHING, number, of_metric

REPORTED = ("mean_iou", "pixel_accuracy", "class_accuracy")
REPORTED += ("caption_accuracy", "r_precision")
REPORTED += ("fd", "kid", "recall", "spectrum_distance", "detail_distance", "grey_distance", "colour_distance")
REPORTED += ("psnr", "ssim", "gmsd", "perceptual", "lpips", "lr_consistency_psnr")
REPORTED += ("boundary_sharpness", "touching_sharpness", "elsewhere_sharpness")
BASELINE = re.compile(r"(?<!over)_bicubic|_(real|mismatched)(?=_|$)")  # what others score
REAL = re.compile(r"_real(?=_|$)")  # of these, real images
DETAILS = re.compile(r"caption_accuracy_.*(color|shape|size|position|whole|background|count)(?=_|$)")  # in the CSV
RATE = "optim.lr"
CLEAR = 0.9  # share of its untrained start that every seed's distance has to end below
COLLAPSED = 0.3  # diversity below which samples count as one, where a run's own monitor has no other threshold
ENDED = ("finished", "diverged")  # by themselves; other states say something of the machine or of the settings
UNCLEAR = " †"


def read(places: Sequence[str]) -> Comparison:
    """All runs, compared; an arm is called as its experiment is, without the folder."""
    runs = read_local(places)
    return compare([replace(run, overrides=run.overrides and tuple(map(_named, run.overrides))) for run in runs])


def _named(override: str) -> str:
    key, _, value = override.partition("=")
    return value.rpartition("/")[2] if key == "experiment" else override


def arm(variant: Variant) -> str:
    """A variant's name without the learning rate."""
    return " ".join(word for word in variant.name.split() if not word.startswith(f"{RATE}=")) or variant.name


def start(run: Run, metric: str) -> float | None:
    """A metric of the untrained generator."""
    series = run.metric(metric)
    return float(series.values[0]) if series is not None and series.images[0] == 0 else None


def clearly_trained(variant: Variant, metric: str) -> bool:
    """Whether every run whose start was judged ended clearly below it; asked of distances alone."""
    if direction(metric) != "lower":
        return True
    pairs = [(s.last().value, start(run, metric)) for run in variant.runs if (s := run.metric(metric)) is not None]
    return all(end < CLEAR * begin for end, begin in pairs if begin is not None)


def loss_deviation(run: Run) -> float | None:
    """Standard deviation over time of the generator's adversarial losses in the second half; the mean over bands.

    A row of `metrics.jsonl` is a mean over as many steps in every arm, so they compare.
    """
    losses = [s for key, s in run.series.items() if key.startswith("train/generator/") and key.endswith("/adversarial")]
    halves = [series.values[series.images > (run.images or 0.0) / 2] for series in losses]
    deviations = [float(np.std(half, ddof=1)) for half in halves if len(half) > 1]
    return sum(deviations) / len(deviations) if deviations else None


def collapsed(run: Run) -> bool:
    """Whether the last samples of fixed noise differed less than the run's monitor allows."""
    monitor = (run.config.get("callbacks") or {}).get("collapse") or {}
    diversity = run.metric("diversity")
    return diversity is not None and diversity.last().value < monitor.get("threshold", COLLAPSED)


def results(comparison: Comparison) -> str:
    """A row per run: those of `freqgan compare`, the untrained start, and what is asked of stability."""
    rows = list(csv.DictReader(io.StringIO(as_results(comparison))))
    runs = [run for variant in comparison.variants for run in variant.runs]
    for row, run in zip(rows, runs, strict=True):
        first = start(run, comparison.main) if comparison.main else None
        deviation = loss_deviation(run)
        row["start"] = "" if first is None else str(first)
        row["loss_deviation"] = "" if deviation is None else str(deviation)
        row["collapsed"] = str(collapsed(run)).lower()
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, rows[0].keys(), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()


def quality(comparison: Comparison) -> list[list[str]]:
    """A line per variant, the best first: metrics at equal images, and CPU-seconds of a run."""
    own = [name for name in comparison.metrics if not BASELINE.search(name) and not DETAILS.search(name)]
    metrics = [name for kind in REPORTED for name in own if short(name)[0] == kind]
    table = [["variant", "seeds", *titles(metrics), "CPU-seconds"]]
    for variant in comparison.variants:
        cells = [comparison.cell("images", variant, metric) for metric in metrics]
        spreads = [cell.spread if cell else None for cell in cells]
        seeds = max((found.n for found in spreads if found), default=0)
        unclear = comparison.main is not None and not clearly_trained(variant, comparison.main)
        costs = [float(run.record["cpu_seconds"]) for run in variant.runs if run.state == "finished"]
        cost = number(round(sum(costs) / len(costs))) if costs else NOTHING
        table.append([variant.name + UNCLEAR * unclear, str(seeds), *map(of_spread, spreads), cost])
    return table


def titles(metrics: Sequence[str]) -> list[str]:
    """Short names, and of their protocols what tells some of one name apart.

    >>> titles(["fd_stage3_lite_n9", "fd_stage2_lite_n9", "psnr_y_crop4"])
    ['fd stage3 ↓', 'fd stage2 ↓', 'psnr ↑']
    """
    found = []
    for kind, protocol in map(short, metrics):
        others = [other.split("_") for name, other in map(short, metrics) if name == kind]
        own = [word for word in protocol.split("_") if not all(word in words for words in others)]
        found.append(" ".join([kind, *own, ARROWS[direction(kind)]]).rstrip())
    return found


def stability(comparison: Comparison) -> list[list[str]]:
    """A line per arm: how many of its runs went wrong, and how much the others differ over seeds and over time."""
    groups: dict[str, list[Variant]] = {}
    for variant in comparison.variants:  # the best one first
        groups.setdefault(arm(variant), []).append(variant)
    main = of_metric(comparison.main) if comparison.main else "metric"
    table = [["arm", "diverged", "collapsed", f"best {main}", RATE, "deviation / mean", "loss deviation"]]
    for name, variants in groups.items():
        runs = [run for variant in variants for run in variant.runs if run.state in ENDED]
        diverged = sum(run.state == "diverged" for run in runs)
        cell = comparison.cell("images", variants[0])
        best = cell.spread if cell else None
        relative = number(best.deviation / best.mean) if best and best.deviation is not None else NOTHING
        finished = {run.place: loss_deviation(run) for run in runs if run.state == "finished"}
        losses = spread({place: value for place, value in finished.items() if value is not None})
        shares = [f"{count} of {len(runs)}" for count in (diverged, sum(map(collapsed, runs)))]
        rate = variants[0].settings.get(RATE, NOTHING)
        table.append([name, *shares, of_spread(best), rate, relative, of_spread(losses)])
    return table


def of_real(comparison: Comparison) -> list[str]:
    """What real images score, in one sentence."""
    scores = {}
    for metric in comparison.metrics:
        if REAL.search(metric) and not DETAILS.search(metric) and short(metric)[0] in REPORTED:
            values = (series.last().value for run in comparison.runs if (series := run.metric(metric)) is not None)
            scores[short(metric)[0]] = number(next(values))
    return [f"Real images: {', '.join(f'{name} {value}' for name, value in scores.items())}."] if scores else []


def of_spread(found: Spread | None) -> str:
    """Mean ± deviation; how many there are has a column of its own."""
    if found is None:
        return NOTHING
    return number(found.mean) + ("" if found.deviation is None else f" ± {found.deviation:.2g}")


def markdown(table: Sequence[Sequence[str]]) -> str:
    """A table whose first line is its header."""
    header, *lines = table
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [header, ["---"] * len(header), *lines])


def report(comparison: Comparison) -> str:
    """Both tables and what has to be said below them."""
    moment = comparison.points.get("images")
    others = Counter(run.state for run in comparison.runs if run.state not in ENDED)
    notes = [
        f"Metrics after {number(moment.value)} images." if moment else "Nothing was evaluated.",
        f"{UNCLEAR.strip()} not clearly trained: a seed ends above {CLEAR:g} of its untrained start.",
        *[f"Not in the shares: {count} {state}." for state, count in others.items()],
        *of_real(comparison),
    ]
    return "\n\n".join([markdown(quality(comparison)), markdown(stability(comparison)), " ".join(notes)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", help="sweep folders, run directories or patterns")
    parser.add_argument("--csv", type=Path, help="file for a row per run")
    given = parser.parse_args()
    comparison = read(given.runs)
    if given.csv:
        given.csv.write_text(results(comparison))
    print(report(comparison))


if __name__ == "__main__":
    main()
