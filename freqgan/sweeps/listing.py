"""What lies below a folder, run by run; a sweep with all its jobs is one entry."""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import final

from freqgan.runs.directory import RunDirectory, last_metric
from freqgan.sweeps.ledger import Ledger, Row

LEDGER, RECORD = "ledger.jsonl", "run.json"


@final
@dataclass(frozen=True)
class Entry:
    """A run, or a sweep with all its jobs.

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


def entries_under(folder: Path) -> Iterator[Entry]:
    """Every run and sweep below a folder, in no order; what is inside of one belongs to it."""
    for place, folders, files in os.walk(folder):
        if LEDGER in files or RECORD in files:
            folders.clear()
            yield _of_sweep(Path(place)) if LEDGER in files else _of_run(RunDirectory(Path(place)))


def _of_run(run: RunDirectory) -> Entry:
    record = run.record
    images, seconds = int(record.get("images_seen") or 0), float(record.get("seconds") or 0)
    state = run.state()
    if state == "finished" and record.get("stopped"):
        state = "finished early"
    return Entry(run.path, _time_of(record.get("started"), run.path), state, images, seconds)


def _of_sweep(folder: Path) -> Entry:
    jobs = list(Ledger(folder / LEDGER).last().values())
    records = [RunDirectory(folder / job.key).record for job in jobs]
    states = Counter(state_of(job, folder) for job in jobs)
    times = [_time_of(record.get("started") or job.time, folder) for job, record in zip(jobs, records, strict=True)]
    total = f"{len(jobs)} job{'s' * (len(jobs) != 1)}"
    return Entry(
        path=folder,
        started=max(times, default=_time_of(None, folder)),
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


def _time_of(text: str | None, path: Path) -> datetime:
    """A time as it is written down, or else that of the file; in this machine's time zone."""
    try:
        return datetime.fromisoformat(text or "").astimezone()
    except ValueError:
        return datetime.fromtimestamp(path.stat().st_mtime).astimezone()
