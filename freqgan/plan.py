"""`freqgan plan`: what a sweep would run and cost, from a few measured steps, before anything starts."""

import shutil
import textwrap
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from rich.table import Column, Table

from freqgan import config
from freqgan.config.sweeping import SweepCommand
from freqgan.runs.directory import RunDirectory
from freqgan.sweeps.cost import Cost, Meter
from freqgan.sweeps.examine import Examined, Examiner
from freqgan.sweeps.optuna import STUDY
from freqgan.sweeps.search import Proposal
from freqgan.terminal import table_console

SHOWN = 100  # characters of a reason
NOTE = "training alone, as fast as just now: start-up (a few seconds a job), evaluations and sample grids come on top"


class Line(NamedTuple):
    """A job of the plan."""

    proposal: Proposal
    examined: Examined
    cost: Cost
    done: bool


def main(command: SweepCommand) -> int:
    """Prints a line per job and the total; returns 2 if no job could run."""
    engine, search = (config.build(command.settings[part]) for part in ("engine", "search"))
    with TemporaryDirectory() as folder, Examiner(command) as examine:
        for memory in command.folder.glob(STUDY):
            shutil.copy(memory, folder)  # of a search that has begun: planning adds nothing to it
        search.begin(command, Path(folder))
        proposals, each = search.plan()
        examined = [examine(proposal.chosen) for proposal in proposals]
    meter, lines = Meter(), []
    for proposal, found in zip(proposals, examined, strict=True):
        done = RunDirectory(command.folder / found.key).state() == "finished"
        cost = Cost() if found.refusal or done else meter(command, proposal, found)
        lines.append(Line(proposal, found, cost, done))
    console = table_console()
    console.print(table(lines))
    console.print(total(lines, each, engine.slots), soft_wrap=True)
    console.print(f"nothing was started: `freqgan train -m` with the same arguments does, in {command.folder}")
    return 2 if lines and all(line.examined.refusal for line in lines) else 0


def table(lines: list[Line]) -> Table:
    """A line per job."""
    right = [Column(name, justify="right") for name in ("parameters", "images", "images/s", "GiB", "minutes")]
    found = Table(Column("job", justify="right"), "swept", *right, "note")
    for proposal, examined, cost, done in lines:
        swept = [str(proposal.number), " ".join(proposal.typed)]
        parameters = f"{examined.parameters:,}" if examined.parameters else ""
        if reason := examined.refusal or cost.failure or ("finished already" if done else ""):
            found.add_row(*swept, parameters, "", "", "", "", textwrap.shorten(reason, SHOWN, placeholder=" …"))
            continue
        budget = examined.settings["budget"]
        images, speed = f"{cost.images(budget):,}", f"{cost.images_per_second:.0f}"
        found.add_row(*swept, parameters, images, speed, f"{cost.memory_gib:.2f}", f"{cost.minutes(budget):.1f}", "")
    return found


def total(lines: list[Line], each: int, slots: int) -> str:
    """How long what is left takes, and what it needs; a line stands for `each` jobs."""
    left = [line for line in lines if not line.done and not line.examined.refusal and not line.cost.failure]
    of_jobs = [line.cost.minutes(line.examined.settings["budget"]) for line in left]
    minutes = sum(of_jobs) * each
    longest = max([minutes / slots, *of_jobs])
    memory = max((line.cost.memory_gib for line in left), default=0.0) * min(slots, len(left) * each)
    refused = sum(bool(line.examined.refusal or line.cost.failure) for line in lines)
    counted = f"{len(left) * each} jobs to run" + (f", {refused} cannot" if refused else "")
    together = f"{minutes:.1f} minutes of computing, {longest:.1f} in {slots} slot{'s' * (slots > 1)}"
    return f"{counted}: about {together}, {memory:.1f} GiB at once ({NOTE})"
