"""The study's tables in Markdown, heat maps and pictures, of what judge.py and classical.py have found.

    python experiments/deblur_generalisation/tables.py outputs/deblur_generalisation --to <folder>

`results.csv` has a row for each run and test. Gains are PSNR of luminance in dB over the degraded pictures, means ±
standard deviations over seeds.
"""

import argparse
import csv
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from arms import DEGRADATIONS, LEARNT, METHODS, SEEN, SIZES, TESTED, Arm, Test, finished, pairs, tests_of
from classical import FILE, choices, filtered
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from freqgan.comparison import Run
from freqgan.comparison.intervals import spread

sys.path.insert(0, str(Path(__file__).parents[1]))
from analyse import markdown, of_spread
from beside import sheet, translation

GAIN = "psnr_y_crop0_over_untranslated_ab"
BASE, USUAL = "encoder_decoder", "gaussian_blur"


class Found(NamedTuple):
    """What a test says of a run."""

    run: Run
    arm: Arm
    test: Test
    values: Mapping[str, Any]

    def value(self, metric: str) -> float | None:
        """Of a metric, whatever says behind it of how many images it is."""
        return next((value for name, value in self.values.items() if name.startswith(metric)), None)


class Results(NamedTuple):
    """Of all runs."""

    found: Sequence[Found]

    def values(self, metric: str, arm: Arm, test: str) -> dict[str, float]:
        """By run."""
        chosen = [one for one in self.found if (one.arm, one.test.name) == (arm, test)]
        return {one.run.place: value for one in chosen if (value := one.value(metric)) is not None}

    def cell(self, metric: str, arm: Arm, test: str) -> str:
        """Mean ± deviation over seeds."""
        return of_spread(spread(self.values(metric, arm, test)))

    def mean(self, metric: str, arm: Arm, test: str) -> float:
        found = self.values(metric, arm, test)
        return sum(found.values()) / len(found) if found else float("nan")

    def run(self, arm: Arm) -> Run | None:
        """The arm's run of the least seed."""
        runs = [one.run for one in self.found if one.arm == arm]
        return min(runs, key=lambda run: run.seed or 0, default=None)


def read(places: Sequence[str]) -> Results:
    found = []
    for run, arm in finished(places):
        for test in tests_of(arm):
            folder = Path(run.place) / "evaluation" / test.name
            values = {}
            for file in folder.glob("*.json"):
                values |= json.loads(file.read_text())
            if values:
                values["gain_rgb"] = values["psnr_rgb_crop0_ab"] - values["psnr_rgb_crop0_untranslated"]
                found.append(Found(run, arm, test, values))
    if not found:
        raise SystemExit("no run has been tested: run judge.py first")
    return Results(found)


# Tables


def matrix(results: Results, classical: Sequence[Mapping[str, str]]) -> dict[str, np.ndarray]:
    """Gains of the networks and of each filter, by what they were made for (rows) and tested on (columns)."""
    arms = [Arm(BASE, "people", degradation) for degradation in DEGRADATIONS]
    found = {"networks": [[results.mean(GAIN, arm, of_people(d)) for d in DEGRADATIONS] for arm in arms]}
    by_place = {(row["filter"], row["set_for"], row["tested_on"]): float(row["gain"]) for row in classical}
    for name in dict.fromkeys(row["filter"] for row in classical):
        found[name] = [[by_place[name, made, tested] for tested in DEGRADATIONS] for made in DEGRADATIONS]
    return {name: np.array(gains) for name, gains in found.items()}


def of_people(degradation: str) -> str:
    return Test("test/people", degradation).name


def matrix_table(results: Results, gains: Mapping[str, np.ndarray]) -> list[list[str]]:
    """Networks with their deviations, and filters."""
    table = [["made for", *DEGRADATIONS]]
    for made in DEGRADATIONS:
        arm = Arm(BASE, "people", made)
        table.append([f"network, {made}", *(results.cell(GAIN, arm, of_people(d)) for d in DEGRADATIONS)])
    for name in [name for name in gains if name != "networks"]:
        for made, line in zip(DEGRADATIONS, gains[name], strict=True):
            table.append([f"{name}, {made}", *(f"{gain:.2f}" for gain in line)])
    return table


def kinds_table(results: Results, metric: str, *, grey: bool = False) -> list[list[str]]:
    """A metric by what was learnt (rows) and tested (columns), in colour or in grey."""
    tests = [Test(f"test/{kind}{'_grey' if grey else ''}", USUAL).name for kind in TESTED]
    table = [["learnt", *(f"{kind}, grey" if grey else kind for kind in TESTED)]]
    for kind in LEARNT:
        arm = Arm(BASE, kind, USUAL)
        table.append([kind, *(results.cell(metric, arm, test) for test in tests)])
    return table


def sizes_table(results: Results) -> list[list[str]]:
    """Methods by the number of photographs that they learnt from."""
    own, seen = Test("test/photographs", USUAL).name, Test(f"train/{SEEN}", USUAL).name
    columns: dict[str, Callable[[Arm], str]] = {
        "gain ↑": partial(results.cell, GAIN, test=own),
        "gain on learnt ones": partial(results.cell, GAIN, test=seen),
        "sharpness": partial(results.cell, "sharpness_result", test=own),
        "fd ↓": partial(results.cell, "fd_", test=own),
        "perceptual ↓": partial(results.cell, "perceptual_", test=own),
        "CPU-seconds": lambda arm: cost(results, arm),
    }
    table = [["method", "pictures", *columns]]
    for method in METHODS.values():
        for size in SIZES:
            arm = Arm(method, size, USUAL)
            table.append([method, size.rpartition("_")[2], *(column(arm) for column in columns.values())])
    return table


def cost(results: Results, arm: Arm) -> str:
    seconds = {one.run.place: float(one.run.record["cpu_seconds"]) for one in results.found if one.arm == arm}
    return f"{sum(seconds.values()) / len(seconds):.0f}" if seconds else "–"


def rows(results: Results) -> list[dict[str, Any]]:
    """A row per run and test."""
    return [
        {
            "method": one.arm.method,
            "learnt": one.arm.kind,
            "degradation": one.arm.degradation,
            "seed": one.run.seed,
            "images_seen": one.run.images,
            "cpu_seconds": one.run.record.get("cpu_seconds"),
            "status": one.run.state,
            "test": one.test.name,
            **{name: value for name, value in one.values.items() if isinstance(value, float)},
        }
        for one in results.found
    ]


# Pictures


def heat_maps(gains: Mapping[str, np.ndarray], file: Path) -> None:
    """A panel for the networks and for each filter."""
    figure = Figure(figsize=(4.2 * len(gains), 4.2), layout="constrained")
    panels = figure.subplots(1, len(gains), squeeze=False, sharey=True)[0]
    most = max(1.0, float(np.nanmax(np.abs(np.stack([*gains.values()])))))
    for axes, (name, of) in zip(panels, gains.items(), strict=True):
        image = axes.imshow(of, cmap="RdBu", vmin=-most, vmax=most)
        for (row, column), gain in np.ndenumerate(of):
            colour = "white" if abs(gain) > 0.6 * most else "black"
            axes.text(column, row, f"{gain:.1f}", ha="center", va="center", color=colour)
        axes.set_xticks(range(len(DEGRADATIONS)), DEGRADATIONS, rotation=30, ha="right")
        axes.set_title(name)
        axes.set_xlabel("tested on")
    panels[0].set_yticks(range(len(DEGRADATIONS)), DEGRADATIONS)
    panels[0].set_ylabel("made for")
    figure.colorbar(image, ax=panels, label="PSNR gain in dB")
    FigureCanvasAgg(figure).print_png(file)


def side_by_side(results: Results, arms: Mapping[str, Arm], test: Test, file: Path, *, count: int = 5) -> None:
    """What runs of some arms, of the least seed, make of a test's pictures; arms without a run are left out."""
    columns = {}
    for name, arm in arms.items():
        if (run := results.run(arm)) is not None:
            columns[name] = partial(translation(run).translate, direction="ab", seed=1)
    if columns:
        save_sheet(columns, test, file, count=count)


def save_sheet(columns: Mapping[str, Any], test: Test, file: Path, *, count: int) -> None:
    samples = pairs(test).evaluation_domain("all", "a", limit=count, targets=True)
    sheet(islice(samples, count), columns).save(file)


def of_filters(classical: Sequence[Mapping[str, str]], made_for: str) -> dict[str, Any]:
    """The filters as they were set for a degradation."""
    chosen = {row["filter"]: row["settings"] for row in classical if row["set_for"] == made_for}
    return {name: partial(filtered, with_filter=choices()[name][settings]) for name, settings in chosen.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", help="sweep folders, run directories or patterns")
    parser.add_argument("--to", type=Path, default=Path(), help="folder of results.csv and of the pictures")
    parser.add_argument("--classical", type=Path, default=FILE, help="CSV file of classical.py")
    parser.add_argument("--show", choices=TESTED, default="scenes", help="kind of the pictures side by side")
    given = parser.parse_args()
    results = read(given.runs)
    classical = list(csv.DictReader(given.classical.open(newline=""))) if given.classical.is_file() else []
    lines = rows(results)
    with (given.to / "results.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, dict.fromkeys(name for line in lines for name in line), lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)
    gains = matrix(results, classical)
    heat_maps(gains, given.to / "matrix.png")
    for title, table in {
        "Gain in dB, by degradation": matrix_table(results, gains),
        "Gain in dB, by kind of picture": kinds_table(results, GAIN),
        "The same in grey": kinds_table(results, GAIN, grey=True),
        "Gain in dB of all colours": kinds_table(results, "gain_rgb"),
        "Distance of the mean colour": kinds_table(results, "colour_shift_mean_ab"),
        "Shift in a, from green to red": kinds_table(results, "shift_a"),
        "Shift in b, from blue to yellow": kinds_table(results, "shift_b"),
        "Numbers of photographs": sizes_table(results),
    }.items():
        print(f"{title}\n\n{markdown(table)}\n")
    usual = Test(f"test/{given.show}", USUAL)
    made = {d: Arm(BASE, "people", d) for d in DEGRADATIONS}
    for degradation in (USUAL, "resize"):
        side_by_side(results, made, Test(usual.folder, degradation), given.to / f"{degradation}.png")
    side_by_side(results, {kind: Arm(BASE, kind, USUAL) for kind in LEARNT}, usual, given.to / "kinds.png")
    methods = {method: Arm(method, SIZES[-1], USUAL) for method in METHODS.values()}
    side_by_side(results, methods, usual, given.to / "methods.png")
    if classical:
        save_sheet(of_filters(classical, USUAL), usual, given.to / "filters.png", count=5)


if __name__ == "__main__":
    main()
