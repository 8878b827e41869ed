"""What a job will cost, from a few steps of it that are really made, in a process of their own."""

import json
import statistics
import tempfile
from dataclasses import dataclass
from math import ceil, lcm
from pathlib import Path
from typing import Any, final

from freqgan.config.sweeping import SweepCommand
from freqgan.runs.directory import RunDirectory
from freqgan.sweeps.examine import Examined
from freqgan.sweeps.log import reason
from freqgan.sweeps.processes import Command, fork, wait
from freqgan.sweeps.search import Proposal

STEPS = 8  # at least, and whole cycles of players and lazy terms
MOST_STEPS = 64
WARM_UP = 4
NEVER = 10**12
FREE = (
    *("seed", "name", "tags", "group", "job_type", "budget", "stop", "optim", "paths", "logger", "evaluation"),
    *("samples", "callbacks"),
)
ALONE = [
    *("metrics=none", "logger=none", "stop=none", "budget.minutes=null", "log_every_steps=1", "samples.count=1"),
    "callbacks.collapse=null",
    *(f"{what}.every_images={NEVER}" for what in ("samples", "evaluation")),
]


@final
@dataclass(frozen=True)
class Cost:
    """Of one job.

    Attributes:
        images_per_second: of training.
        memory_gib: greatest resident size, without the evaluation.
        failure: why it could not be measured; empty if it could.
    """

    images_per_second: float = 0.0
    memory_gib: float = 0.0
    failure: str = ""

    def images(self, budget: dict[str, Any]) -> int:
        """Images that a budget comes to."""
        limits = [budget["images"]] if budget["images"] is not None else []
        if budget["minutes"] is not None:
            limits.append(round(budget["minutes"] * 60 * self.images_per_second))
        return int(min(limits))

    def minutes(self, budget: dict[str, Any]) -> float:
        """Minutes of training that a budget comes to."""
        return self.images(budget) / self.images_per_second / 60 if self.images_per_second else 0.0


@final
class Meter:
    """Measures jobs, one at a time; those that differ in nothing that costs share a measurement."""

    def __init__(self) -> None:
        self._known: dict[str, Cost] = {}

    def __call__(self, command: SweepCommand, proposal: Proposal, examined: Examined) -> Cost:
        """The cost of a job; its first steps are made where it has not been measured yet."""
        kept = {name: value for name, value in examined.settings.items() if name not in FREE}
        kept["data"] = {name: value for name, value in kept["data"].items() if name != "seed"}
        key = json.dumps(kept, sort_keys=True, default=str)
        if key in self._known:
            return self._known[key]
        with tempfile.TemporaryDirectory() as folder:
            cost = measure(command, proposal, examined, Path(folder))
        if not cost.failure:  # which may come of what the others do not share, as a learning rate
            self._known[key] = cost
        return cost


def measure(command: SweepCommand, proposal: Proposal, examined: Examined, folder: Path) -> Cost:
    """Makes a few steps of a job, as many for each of its phases, in a temporary folder."""
    run, log = RunDirectory(folder / "run"), folder / "log"
    shares = shares_of(examined.settings["model"].get("phases") or [{}])
    steps = WARM_UP + steps_of(examined.settings["model"])
    images = steps * len(shares) * int(examined.settings["data"]["batch_size"])
    own = [f"budget.images={images}", *ALONE, f"checkpoint.every_images={images}"]
    child = fork(Command(command.job(proposal.chosen, run.path, *own), str(log)))
    try:
        status = wait(child)
    finally:
        child.kill()
    if status:
        return Cost(failure=reason(log, 0, status))
    rows = [row for row in run.metrics if "time/images_per_second" in row]
    return Cost(speed_of(rows[WARM_UP:], shares), float(run.record["peak_memory_gib"]))


def steps_of(model: dict[str, Any]) -> int:
    """Steps that are measured: a dear one among them counts by its share.

    >>> steps_of({"every": {"r1": 16}}), steps_of({"n_critic": 3}), steps_of({})
    (16, 9, 8)
    """
    cycle = lcm(model.get("n_critic") or 1, *(model.get("every") or {}).values())
    return min(MOST_STEPS, cycle * ceil(STEPS / cycle))


def shares_of(phases: list[dict[str, Any]]) -> list[float]:
    """Share of the budget of each phase.

    >>> shares_of([{"until": 0.25}, {}])
    [0.25, 0.75]
    """
    ends = [*(float(phase.get("until") or 1.0) for phase in phases[:-1]), 1.0]
    return [end - start for start, end in zip([0.0, *ends], ends, strict=False)]


def speed_of(steps: list[dict[str, Any]], shares: list[float]) -> float:
    """Images per second over the whole budget, by the mean time of the steps of each phase that was measured.

    >>> speed_of([{"time/images_per_second": 30.0}, {"time/images_per_second": 10.0, "train/phase": 1.0}], [0.5, 0.5])
    15.0
    """
    speeds: dict[int, list[float]] = {}
    for step in steps:
        speeds.setdefault(round(step.get("train/phase", 0)), []).append(step["time/images_per_second"])
    seconds = sum(shares[phase] / statistics.harmonic_mean(found) for phase, found in speeds.items())
    return sum(shares[phase] for phase in speeds) / seconds
