"""Jobs that cost nothing: an engine, an examiner and a search that do as they are told."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

from freqgan.config.sweeping import SweepCommand, Values
from freqgan.runs import RunDirectory
from freqgan.sweeps import Driver, Engine, Grid
from freqgan.sweeps.examine import Examined
from freqgan.sweeps.processes import Command, Handle
from freqgan.sweeps.search import Proposal, Search
from freqgan.vocabulary import Vocabulary

Outcome = Callable[[str], Iterator[int | None]]


def command(folder: Path, **settings: Any) -> SweepCommand:
    """A sweep in a folder, nothing composed."""
    made = SweepCommand({"retry": "failed", "minutes": None} | settings, (), (), Vocabulary(()))
    made.__dict__["folder"] = folder
    return made


class Listed(Search):
    """Proposes overrides in order, and remembers what it hears."""

    def __init__(self, *jobs: str) -> None:
        self.jobs = [(number, (job,)) for number, job in enumerate(jobs, 1)]
        self.total = len(jobs)
        self.told: list[tuple[int, str]] = []
        self.unwanted: set[int] = set()
        self.complaint = ""

    def begin(self, command: SweepCommand, folder: Path) -> None:
        self.left = list(self.jobs)

    def plan(self) -> tuple[list[Proposal], int]:
        return [], 0

    def ask(self, free: int) -> Proposal | None:
        return Proposal(*self.left.pop(0)) if self.left else None

    def goes_on(self, number: int, run: RunDirectory) -> bool:
        return number not in self.unwanted

    def tell(self, row: Any, run: RunDirectory) -> str:
        self.told.append((row.number, row.state))
        return self.complaint

    def verdict(self) -> str:
        return ""


class Examiner:
    """Knows a job by its overrides alone; those that start with `bad` are refused."""

    def __init__(self) -> None:
        self.keys: dict[str, str] = {}
        self.status = 2

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def begin(self, chosen: Values) -> None:
        (self.chosen,) = chosen

    def poll(self, seconds: float | None) -> Examined:
        key = self.keys.get(self.chosen, self.chosen.replace("=", "_"))
        if self.chosen.startswith("bad"):
            return Examined(f"config_{key}", f"config_{key}", f"{self.chosen} is bad", self.status)
        return Examined(key, f"config_{key}", settings={"group": None})


class Scripted(Handle):
    """A job whose polls are known beforehand; what it is asked to do is remembered."""

    def __init__(self, run: Path, polls: Iterator[int | None]) -> None:
        self.run, self.polls = run, polls
        self.asked: list[str] = []

    def poll(self) -> int | None:
        status = next(self.polls)
        if status is not None:
            self.run.mkdir(parents=True, exist_ok=True)
            state = {0: "finished", 65: "diverged"}.get(status, "failed")
            (self.run / "run.json").write_text(json.dumps({"status": state, "images_seen": 4}))
        return status

    def stop(self) -> None:
        self.asked.append("stop")

    def kill(self) -> None:
        self.asked.append("kill")


class Scripts(Engine):
    """Starts scripted jobs."""

    def __init__(self, outcome: Outcome, *, slots: int = 1) -> None:
        super().__init__(slots=slots)
        self.outcome = outcome
        self.started: list[tuple[str, int]] = []
        self.handles: dict[str, Scripted] = {}
        self.closed = False

    def start(self, command: Command, slot: int) -> Scripted:
        (run,) = (Path(a.partition("=")[2].strip("'")) for a in command.arguments if a.startswith("paths.run_dir="))
        job = command.arguments[1]
        self.started.append((job, slot))
        self.handles[job] = Scripted(run, self.outcome(job))
        return self.handles[job]

    def close(self) -> None:
        self.closed = True


def made(folder: Path, search: Search | None, engine: Engine, **settings: Any) -> Driver:
    """A driver over stand-ins."""
    driver = Driver(command(folder, **settings), engine, search or Grid())
    driver.examiner = Examiner()  # type: ignore[assignment]
    return driver
