"""`freqgan runs`: the runs and sweeps below the output directory and what became of them."""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path

from omegaconf import DictConfig
from rich.console import Console
from rich.measure import Measurement
from rich.table import Column, Table

from freqgan import config
from freqgan.runs import RunDirectory, last_metric
from freqgan.sweeps.ledger import Ledger, Row

WIDEST = 10_000
LEDGER, RECORD = "ledger.jsonl", "run.json"


@dataclass(frozen=True)
class Entry:
    """A line of the list: a run, or a sweep with all its jobs.

    Args:
        path: the directory.
        started: when it last was.
        state: of the run, or how many of the jobs are in which state.
        images: real images seen, in all.
        seconds: of training, in all.
    """

    path: Path
    started: datetime
    state: str
    images: int
    seconds: float

    @cached_property
    def metric(self) -> str:
        """The newest value of the first metric; empty for a sweep, whose jobs `freqgan compare` sets side by side."""
        return " ".join(last_metric(RunDirectory(self.path))).strip()


def main(cfg: DictConfig) -> None:
    """Prints a line per single run and per sweep, what started last on top."""
    settings = config.resolve(cfg)
    root = Path(settings["paths"]["output_dir"])
    entries = sorted(under(root / (settings["name"] or "")), key=lambda entry: entry.started, reverse=True)
    shown = entries if settings["n"] == "all" else entries[: settings["n"]]
    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console.width = WIDEST  # what is read by a program is not folded
    if not shown:
        console.print(f"no runs under {root}: start one with `freqgan train`")
        return
    lines = table(shown)
    # A table that has to be folded is hard to read: then each entry has two lines instead.
    narrow = console.width < Measurement.get(console, console.options.update(width=WIDEST), lines).maximum
    console.print(paragraphs(shown) if narrow else lines, soft_wrap=narrow)
    if len(shown) < len(entries):
        console.print(f"the newest {len(shown)} of {len(entries)}: `freqgan runs n=all` lists all")


def table(entries: list[Entry]) -> Table:
    """A line per entry."""
    found = Table(Column("run or sweep", no_wrap=True), "state", "images", "minutes", "last metric")
    for entry in entries:
        found.add_row(str(entry.path), entry.state, str(entry.images), f"{entry.seconds / 60:.1f}", entry.metric)
    return found


def paragraphs(entries: list[Entry]) -> str:
    """The path of each entry, and an indented line with the rest."""
    lines = []
    for entry in entries:
        facts = [entry.state, f"{entry.images} images", f"{entry.seconds / 60:.1f} minutes", entry.metric]
        lines += [str(entry.path), f"  {'; '.join(filter(None, facts))}"]
    return "\n".join(lines)


def under(folder: Path) -> Iterator[Entry]:
    """Every run and sweep below a folder, in no order; what is inside of one belongs to it."""
    for place, folders, files in os.walk(folder):
        if LEDGER in files or RECORD in files:
            folders.clear()
            yield of_sweep(Path(place)) if LEDGER in files else of_run(RunDirectory(Path(place)))


def of_run(run: RunDirectory) -> Entry:
    """A run in one line."""
    record = run.record
    images, seconds = int(record.get("images_seen") or 0), float(record.get("seconds") or 0)
    return Entry(run.path, time_of(record.get("started"), run.path), run.state(), images, seconds)


def of_sweep(folder: Path) -> Entry:
    """All jobs of a sweep in one line."""
    jobs = list(Ledger(folder / LEDGER).rows().values())
    records = [RunDirectory(folder / job.key).record for job in jobs]
    states = Counter(state_of(job, folder) for job in jobs)
    times = [time_of(record.get("started") or job.time, folder) for job, record in zip(jobs, records, strict=True)]
    total = f"{len(jobs)} job{'s' * (len(jobs) != 1)}"
    return Entry(
        path=folder,
        started=max(times, default=time_of(None, folder)),
        state=f"{total}: {', '.join(f'{count} {state}' for state, count in states.most_common())}",
        images=sum(int(record.get("images_seen") or 0) for record in records),
        seconds=sum(float(record.get("seconds") or 0) for record in records),
    )


def state_of(job: Row, folder: Path) -> str:
    """A job's state; one that the ledger has running may have died together with its sweep."""
    if job.state != "running":
        return job.state
    run = RunDirectory(folder / job.key)
    if run.record:
        return run.state()
    return "running" if RunDirectory(folder).held() else "killed"


def time_of(text: str | None, path: Path) -> datetime:
    """A time as it is written down, or else that of the file; in this machine's time zone."""
    try:
        return datetime.fromisoformat(text or "").astimezone()
    except ValueError:
        return datetime.fromtimestamp(path.stat().st_mtime).astimezone()
