"""Runs on this machine: run directories, folders above them, sweeps with their ledger, patterns."""

import difflib
import glob
import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from freqgan.comparison.run import STILL_GOOD, Run
from freqgan.errors import UserError
from freqgan.opening import open_file
from freqgan.runs import RunDirectory
from freqgan.runs.rows import read_rows

log = logging.getLogger(__name__)

LEDGER = "ledger.jsonl"
OF_A_RUN = ("config.yaml", "run.json", "metrics.jsonl")
ENDS = ("finished", "interrupted", "diverged", "refused", "failed", "killed", "timed_out", "pruned")
TAIL = 20_000  # bytes of a log that are searched for its last error

Job = dict[str, Any]


def read_local(arguments: Sequence[str]) -> list[Run]:
    """Every run that the arguments name, once each, in their order; jobs of a sweep in the sweep's order.

    Raises:
        UserError: a path does not exist, or there is no run under any of them.
    """
    found: dict[Path, Run] = {}
    for argument in arguments:
        runs = [run for path in _paths(argument) for run in _under(path)]
        if not runs:
            log.warning("%s holds no runs", argument)
        for run in runs:
            found.setdefault(Path(run.place).resolve(), run)
    if not found:
        raise UserError(f"no runs in {', '.join(arguments)}: start one with `freqgan train`, or name another folder")
    return _named(list(found.values()))


def place_of(argument: str) -> Path:
    """The folder that an argument stands for: itself, or what all matches of a pattern have in common."""
    path = Path(argument).expanduser()
    if os.path.lexists(path):
        return path if path.is_dir() else path.parent
    parts = path.parts
    fixed = next((i for i, part in enumerate(parts) if glob.has_magic(part)), len(parts))
    return Path(*parts[:fixed])


def _paths(argument: str) -> list[Path]:
    path = Path(argument).expanduser()
    if path.exists():
        return [path]
    if glob.has_magic(argument):
        matches = sorted(glob.glob(str(path), recursive=True))
        if matches:
            return [Path(match) for match in matches]
        raise UserError(f"{argument} matches nothing: `freqgan runs` lists runs")
    beside = [str(p) for p in path.parent.iterdir() if p.is_dir()] if path.parent.is_dir() else []
    near = difflib.get_close_matches(str(path), beside, n=1)
    advice = f"did you mean {near[0]}?" if near else "`freqgan runs` lists runs"
    online = "; a path on W&B needs source=wandb" if 2 <= len(path.parts) <= 4 and not path.is_absolute() else ""
    raise UserError(f"there is no {argument}: {advice}{online}")


def _under(path: Path) -> list[Run]:
    """Runs and jobs at or below a path."""
    if path.is_file():
        path = path.parent if path.name in (LEDGER, *OF_A_RUN) else path
    runs: list[Run] = []
    for root, folders, files in os.walk(path):
        folder = Path(root)
        folders.sort()
        if "run.json" in files or ("config.yaml" in files and "checkpoints" in folders):
            runs.append(_of_directory(folder, jobs_by_key(folder.parent).get(folder.name)))
            folders.clear()  # what is inside belongs to the run
        elif LEDGER in files:
            runs += _of_sweep(folder, folders)
            folders.clear()
    return runs


def _of_sweep(folder: Path, inside: Sequence[str]) -> Iterator[Run]:
    """Every job of a sweep, then run directories that its ledger has forgotten."""
    jobs = jobs_by_key(folder)
    newest = {_overrides(job): key for key, job in jobs.items()}  # a job's key changes with its data
    for key, job in sorted(jobs.items(), key=lambda item: _number(item[1])):
        if key in inside:
            yield _of_directory(folder / key, job)
        elif newest[_overrides(job)] == key:
            yield _of_job(folder / key, job)
    for name in inside:
        if name not in jobs:
            yield from _under(folder / name)


def jobs_by_key(sweep: Path) -> dict[str, Job]:
    """The last row of every job in a sweep's ledger, the newest one last; nothing where there is no ledger."""
    jobs: dict[str, Job] = {}
    for row in read_rows(sweep / LEDGER):
        if isinstance(row.get("key"), str):
            jobs.pop(row["key"], None)
            jobs[row["key"]] = row
    return jobs


def _number(job: Job) -> int:
    return number if isinstance(number := job.get("number"), int) else 0


def _of_job(place: Path, job: Job) -> Run:
    """A job that left no directory: refused, waiting, or ended before it could."""
    record = {"exit_status": job.get("exit_status")}
    return Run(
        place=str(place),
        name="",
        state=str(job.get("state", "failed")),
        config={},
        record=record,
        rows=[],
        overrides=_overrides(job),
        line=str(job.get("line") or ""),
    )


def _of_directory(place: Path, job: Job | None) -> Run:
    directory = RunDirectory(place)
    state = _state(directory, job)
    line = str((job or {}).get("line") or "") or ("" if state in STILL_GOOD else _last_error(place / "train.log"))
    try:
        config = directory.config
    except UserError as error:
        config, line = {}, line or str(error)
    return Run(
        place=str(place),
        name="",
        state=state,
        config=config,
        record=directory.record,
        rows=directory.metrics,
        overrides=None if job is None else _overrides(job),
        line=line,
        samples=True,
    )


def _state(directory: RunDirectory, job: Job | None) -> str:
    """The run's word if it goes on or has finished since; otherwise the sweep's, which knows what ended it."""
    own = directory.state()
    said = str((job or {}).get("state"))
    if job is not None and not directory.record:
        return said  # the process has not come to its first word yet, or never will
    return own if own in ("running", "finished") or said not in ENDS else said


def _overrides(job: Job) -> tuple[str, ...]:
    given = job.get("overrides")
    return tuple(str(text).lstrip("+") for text in given) if isinstance(given, list) else ()


def _last_error(path: Path) -> str:
    """The message of the last error in a run's log."""
    try:
        with open_file(path) as file:
            file.seek(max(0, path.stat().st_size - TAIL))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    errors = [line.partition(" ERROR ")[2] for line in lines if " ERROR " in line]
    return errors[-1].partition(": ")[2] if errors else ""


def _named(runs: list[Run]) -> list[Run]:
    """Runs with the part of their path that they do not have in common as their names."""
    places = [os.path.abspath(run.place) for run in runs]
    common = os.path.commonpath([os.path.dirname(place) for place in places])
    return [replace(run, name=os.path.relpath(place, common)) for run, place in zip(runs, places, strict=True)]
