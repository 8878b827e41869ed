"""Which directory a training command works in: a new one, or one that continues.

resume=null      a new run
resume=auto      the newest run of this name that no process holds: continued if unfinished, left alone if finished
resume=must      the same, but never a new run
resume=<path>    this run directory or checkpoint file

With paths.run_dir=<path>, `auto` and `must` look there alone.
"""

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, final

from freqgan.errors import UserError
from freqgan.runs.directory import RunDirectory, runs_under
from freqgan.runs.files import read_checkpoint
from freqgan.runs.prerequisites import missing_runs
from freqgan.runs.provenance import versions

log = logging.getLogger(__name__)

NOT_COMPARED = (
    *("paths", "hardware", "logger", "callbacks", "resume", "resume_override", "tags", "group", "job_type"),
    "on_divergence",
)
# The fingerprint says what the data are.
NOT_COMPARED_OF_DATA = (
    *("root", "low_root", "root_b", "val_root", "val_low_root", "val_root_b"),
    *("cache_dir", "num_workers", "worker_timeout", "max_skipped"),
)
VERSIONS_COMPARED = ("freqgan", "torch", "torchvision", "pytorch-lightning", "numpy")


@final
@dataclass(frozen=True)
class Choice:
    """Where to work.

    Attributes:
        run: the directory to continue; None for a new one.
        checkpoint: the file to continue from.
        images_seen: where it was written.
        finished: whether the run needs nothing more.
        gone_back: whether the run has diverged, in this very command, and begins there again.
        started: when the run was last started before; what has begun since is another process's.
    """

    run: RunDirectory | None = None
    checkpoint: Path | None = None
    images_seen: int = 0
    finished: bool = False
    gone_back: bool = False
    started: str | None = None


class Data(Protocol):
    """What has to be known of the data: that they are there, and which they are."""

    def prepare_data(self) -> None:
        """Reads or makes them."""

    def setup(self, stage: str) -> None:
        """Checks what training needs of them."""

    def fingerprint(self) -> str:
        """Names exactly these samples."""


def settle(settings: Mapping[str, Any], data: Data) -> Choice:
    """The run that a training command works in: an old one that may be continued, or a new one with its config.

    Raises:
        UserError: there is nothing to resume where it was demanded, what there is was trained otherwise, or a new run
            lacks one that it builds on.
    """
    parent = Path(settings["paths"]["output_dir"]) / settings["name"]
    own = settings["paths"].get("run_dir")
    choice = choose_own(Path(own), settings["resume"]) if own else choose(parent, settings["resume"])
    if choice.finished and choice.run is not None and not settings["resume_override"]:
        if changed := differences(compared(choice.run.config), compared(settings)):
            advice = "name what may differ in resume_override, and it goes on"
            log.warning("%s was trained with other %s: %s", choice.run.path, ", ".join(changed), advice)
        return choice
    if choice.run is None and (lines := list(missing_runs(settings))):
        raise UserError(*lines)
    data.prepare_data()
    data.setup("fit")  # what would fail in the first step fails before there is a directory
    if choice.run is not None:
        now = identity(settings, data.fingerprint(), versions())
        refuse_changes(choice.run, now, settings["resume_override"])
        return replace(choice, finished=False)
    if own and choose_own(Path(own), settings["resume"]) != choice:  # getting the data can take long
        raise UserError(f"paths.run_dir={own} holds a run that another process has begun meanwhile: name another one")
    run = RunDirectory.at(Path(own)) if own else RunDirectory.create(parent)
    with run.lock():  # what another process has begun meanwhile keeps its config
        run.write_config(dict(settings))  # the other processes of a parallel run read it
    return replace(choice, run=run)


def choose(parent: Path, resume: str | None) -> Choice:
    """Finds what `resume` names among the runs under `parent`.

    Raises:
        UserError: nothing to resume where it was demanded, or no whole checkpoint in what was named.
    """
    if resume is None:
        return Choice()
    if resume in ("auto", "must"):
        free = [run for run in runs_under(parent, depth=1) if not run.held()]
        if free:
            choice = _continue(free[0], None)
            if choice.checkpoint is not None or choice.finished:
                return choice
        if resume == "must":
            raise UserError(
                f"resume=must found no run with a whole checkpoint under {parent}: use resume=auto to start one"
            )
        return Choice()
    path = Path(resume)
    if os.path.isfile(path):
        folder = path.resolve().parent
        if folder.name != "checkpoints":
            raise UserError(f"resume={resume} lies in no run: move it into checkpoints/ of the run that wrote it")
        choice = _continue(RunDirectory(folder.parent), path)
    elif os.path.isdir(path):
        choice = _continue(RunDirectory(path), None)
    else:
        raise UserError(
            f"resume={resume} does not exist: name a run directory or a checkpoint file, or use resume=auto"
        )
    if choice.checkpoint is None:
        raise UserError(f"resume={resume} holds no whole checkpoint: start a new run without resume")
    return choice


def choose_own(path: Path, resume: str | None) -> Choice:
    """What `resume` finds in the run's own directory, that of `paths.run_dir`.

    Raises:
        UserError: it is in use, holds a run that was not to be resumed or of which no checkpoint is whole, or none
            where it was demanded.
    """
    run = RunDirectory(path)
    if resume not in (None, "auto", "must"):
        raise UserError(f"paths.run_dir={path} and resume={resume} name two runs: set resume=auto or leave one out")
    if run.held():
        raise UserError(f"paths.run_dir={path} is in use by another process: wait for it, or name another one")
    there = bool(run.record or run.checkpoints())  # a record can be lost
    choice = _continue(run, None)  # where there is no run yet, too: what could not be continued is not begun
    whole = choice.checkpoint is not None or choice.finished
    if resume is None and there:
        raise UserError(f"paths.run_dir={path} holds a run already: continue it with resume=auto, or name another")
    if not whole and run.checkpoints():  # what it was is not written over unasked
        raise UserError(f"paths.run_dir={path} holds damaged checkpoints alone: move it away, or name another one")
    if resume == "must" and not whole:
        raise UserError(f"resume=must found no whole checkpoint in paths.run_dir={path}: use resume=auto to start one")
    return choice if whole else Choice(started=choice.started)


def _continue(run: RunDirectory, checkpoint: Path | None) -> Choice:
    run.refuse_links()
    started = run.record.get("started")
    if checkpoint is None:
        checkpoint, broken = run.newest_good_checkpoint()
        for path in broken:
            log.warning("%s is damaged; %s is used instead", path, checkpoint.name if checkpoint else "nothing")
    images = read_checkpoint(checkpoint)["clock"]["images_seen"] if checkpoint else 0
    return Choice(run, checkpoint, images, finished=run.state() == "finished", started=started)


def differences(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> dict[str, tuple[Any, Any]]:
    """Dotted keys whose values differ, with both values.

    >>> differences({"optim": {"lr": 1}, "seed": 2}, {"optim": {"lr": 3}, "seed": 2})
    {'optim.lr': (1, 3)}
    """
    found: dict[str, tuple[Any, Any]] = {}
    for key in sorted(old.keys() | new.keys()):
        a, b = old.get(key), new.get(key)
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            found |= differences(a, b, f"{prefix}{key}.")
        elif a != b:
            found[f"{prefix}{key}"] = (a, b)
    return found


def identity(config: Mapping[str, Any], fingerprint: str, versions: Mapping[str, Any]) -> dict[str, Any]:
    """What must not change in a run: its config without places and machines, its data, and its versions."""
    seen = {name: versions.get(name) for name in VERSIONS_COMPARED}
    return compared(config) | {"data_fingerprint": fingerprint, "versions": seen}


def compared(config: Mapping[str, Any]) -> dict[str, Any]:
    """A config without places and machines."""
    kept = {key: value for key, value in config.items() if key not in NOT_COMPARED}
    kept["data"] = {key: value for key, value in config.get("data", {}).items() if key not in NOT_COMPARED_OF_DATA}
    return kept


def refuse_changes(run: RunDirectory, now: Mapping[str, Any], allowed: list[str]) -> None:
    """Refuses to continue a run under a config, data or versions that differ, unless `resume_override` names them.

    Args:
        now: `identity` of today.
        allowed: dotted keys or prefixes.

    Raises:
        UserError: a line for every difference.
    """
    record = run.record
    then = identity(run.config, str(record.get("data_fingerprint")), record.get("versions") or {})
    changed = differences(then, now)
    refused = {
        key: values
        for key, values in changed.items()
        if not any(key == name or key.startswith(f"{name}.") for name in allowed)
    }
    if refused:
        names = ",".join(refused)
        raise UserError(
            f"{run.path} cannot be continued: {len(refused)} settings differ from the run's own",
            *(f"  {key}: the run has {old!r}, now {new!r}" for key, (old, new) in refused.items()),
            f"set them back, or continue under the new values with 'resume_override=[{names}]'",
        )
