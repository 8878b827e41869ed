"""A comparison as files: `table.csv` with all of every run, `results.csv` for a study, `summary.json` with the rest."""

import csv
import io
import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from freqgan.comparison.compared import CLOCKS, Comparison
from freqgan.comparison.measures import direction
from freqgan.comparison.notes import notes
from freqgan.comparison.run import Reading, Run
from freqgan.comparison.variants import Variant

FEW = 3
COSTS = ("cpu_seconds", "peak_memory_gib", "parameters", "exit_status")

Row = dict[str, Any]


def rows(comparison: Comparison) -> list[Row]:
    """A row for each run, jobs that failed included, in the order of the variants."""
    return [_row(comparison, variant, run) for variant in comparison.variants for run in variant.runs]


def _row(comparison: Comparison, variant: Variant, run: Run) -> Row:
    row: Row = {
        "variant": variant.name,
        "run": run.name,
        **variant.settings,
        "seed": run.seed,
        "state": run.state,
        "not_counted": comparison.apart.get(run.place, ""),
        "images_seen": run.images,
        "seconds": run.seconds,
        "images_per_second": run.images_per_second,
        **{name: run.record.get(name) for name in COSTS},
        **{f"at_{clock}": point.value for clock, point in comparison.points.items()},
    }
    for metric in comparison.metrics:
        for clock in CLOCKS:
            row[f"{metric} at_{clock}"] = _value(comparison.reading(run, metric, clock))
        series = run.metric(metric)
        best = series.best(direction(metric)) if series else None
        row |= {f"{metric} last": _value(series.last() if series else None), f"{metric} best": _value(best)}
        row[f"{metric} best_images"] = best.images if best else None
    return row | {"line": run.line, "place": run.place}


def _value(found: Reading | None) -> float | None:
    return found.value if found else None


def as_csv(comparison: Comparison) -> str:
    """The rows as CSV; what was not measured is empty, what is no number says so."""
    found = rows(comparison)
    columns = list(dict.fromkeys(key for row in found for key in row))
    known = [name for name in columns if name not in COSTS or any(row[name] is not None for row in found)]
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, known, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: _short(value) for key, value in row.items()} for row in found)
    return buffer.getvalue()


def as_results(comparison: Comparison) -> str:
    """A row per run with what a study reports: its variant, cost, state, and metrics at equal images seen."""
    buffer = io.StringIO()
    columns = ("variant", "transform", "model", "seed", "images_seen", "cpu_seconds", "status", *comparison.metrics)
    writer = csv.DictWriter(buffer, columns, lineterminator="\n")
    writer.writeheader()
    for variant in comparison.variants:
        for run in variant.runs:
            values = {name: _value(comparison.reading(run, name, "images")) for name in comparison.metrics}
            facts = {"variant": variant.name, "seed": run.seed, "images_seen": run.images, "status": run.state}
            facts |= {part: _described(run.config.get(part)) for part in ("transform", "model")}
            row = facts | {"cpu_seconds": run.record.get("cpu_seconds")} | values
            writer.writerow({key: _short(value) for key, value in row.items()})
    return buffer.getvalue()


def _described(node: Any) -> str:
    """A node's class with its plain arguments; of a model, which has many, the class alone."""
    if not isinstance(node, Mapping):
        return ""
    words = [f"{key}={value}" for key, value in node.items() if isinstance(value, str | int) and key != "_target_"]
    name = str(node.get("_target_", "")).rpartition(".")[2]
    return " ".join([name, *words]) if len(words) <= FEW else name


def _short(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 2**53 else value


def as_data(comparison: Comparison) -> dict[str, Any]:
    """The comparison as plain data for JSON, which has no word for what is no number: it is null."""
    base = comparison.baseline
    data = {
        "main_metric": comparison.main,
        "baseline": base.name if base else None,
        "points": {clock: asdict(point) for clock, point in comparison.points.items()},
        "notes": notes(comparison),
        "variants": [_variant(comparison, variant) for variant in comparison.variants],
        "differ_but_make_no_variant": comparison.aside,
        "runs": rows(comparison),
    }
    plain: dict[str, Any] = _finite(data)
    return plain


def _variant(comparison: Comparison, variant: Variant) -> Row:
    metrics = {
        metric: {
            f"at_{clock}": asdict(cell)
            for clock in CLOCKS
            if (cell := comparison.cell(clock, variant, metric)) is not None
        }
        for metric in comparison.metrics
    }
    return {
        "name": variant.name,
        "settings": variant.settings,
        "seeds": variant.seeds,
        "states": variant.states,
        "metrics": metrics,
    }


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
