"""What a reader has to know before believing a number."""

from collections import Counter
from statistics import median

from freqgan.comparison.compared import UNITS, Comparison
from freqgan.comparison.run import STILL_GOOD


def notes(comparison: Comparison) -> list[str]:
    """What a reader has to know before believing a number."""
    runs, points = comparison.runs, comparison.points
    said = [
        f"{run.name} is shown but not counted: it {comparison.apart[run.place]}."
        for run in runs
        if run.place in comparison.apart
    ]
    stopped = [run for run in runs if run.state == "finished" and run.record.get("stopped")]
    early = [f"{run.name} ({run.record['stopped']})" for run in stopped]
    if early:
        more = f" and {len(early) - 5} more" if len(early) > 5 else ""
        said.append(f"Ended before the budget: {'; '.join(early[:5])}{more}.")
    silent = [run for run in runs if run.config and not run.metrics and run.state in STILL_GOOD]
    if silent:
        more = f" and {len(silent) - 5} more" if len(silent) > 5 else ""
        said.append(f"No evaluation yet: {', '.join(run.name for run in silent[:5])}{more}.")
    for clock, point in points.items():
        ends = [end for run in runs if (end := getattr(run, clock)) is not None and run.state in STILL_GOOD]
        if point.set_by and ends and point.value < median(ends) / 2:
            said.append(
                f"{point.set_by} has come to {point.value:,.0f} {UNITS[clock]} only, half of the runs at least to "
                f"{median(ends):,.0f}: at_{clock}={median(ends):.0f} compares without it."
            )
    counts = Counter((v.name, run.seed) for v in comparison.variants for run in v.runs if run.metrics)
    if any(count > 1 for count in counts.values()):
        said.append("Runs of one variant and seed count once, by their mean.")
    seeds = [
        cell.spread.n for (_, metric, _), cell in comparison.cells.items() if metric == comparison.main and cell.spread
    ]
    if seeds and min(seeds) < 2:
        said.append("A variant with one seed has no deviation and no interval: nothing can be said of its luck.")
    if any(key.startswith(("machine.processor", "machine.accelerators", "hardware.")) for key in comparison.aside):
        said.append("The runs' hardware differs: what is compared at equal time compares machines as well.")
    return said
