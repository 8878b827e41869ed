"""A run's directory: what lies where, who holds it, and what became of it.

config.yaml  run.json  metrics.jsonl  train.log  checkpoints/  samples/  evaluation/
"""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import yaml

from freqgan.errors import StorageError, UserError
from freqgan.runs.files import read_checkpoint, storage, verify_checkpoint, write_json, write_whole
from freqgan.runs.rows import read_rows

BETWEEN_EVALUATIONS = {"diversity"}  # what a callback measures more often
Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast where PyYAML has libyaml


@final
@dataclass(frozen=True)
class RunDirectory:
    """Paths and records of one run.

    Args:
        path: the directory.
    """

    path: Path

    @classmethod
    def at(cls, path: Path) -> "RunDirectory":
        """A run in this directory, made if there is none."""
        with storage(path):
            for name in ("checkpoints", "samples", "evaluation"):
                (path / name).mkdir(parents=True, exist_ok=True)
        return cls(path)

    @classmethod
    def create(cls, parent: Path) -> "RunDirectory":
        """A new directory named after date and time; two runs of one second get different names."""
        stem = time.strftime("%Y-%m-%d_%H-%M-%S")
        for attempt in range(1, 1000):
            path = parent / (stem if attempt == 1 else f"{stem}_{attempt}")
            with storage(parent):
                try:
                    path.mkdir(parents=True)
                except FileExistsError:
                    continue
            return cls.at(path)
        raise StorageError(f"{parent} has a thousand runs of one second")

    @property
    def config(self) -> dict[str, Any]:
        """The resolved config, as plain data."""
        try:
            config = Loader((self.path / "config.yaml").read_text()).get_single_data()
        except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
            raise UserError(f"{self.path} is not a run: its config.yaml cannot be read ({error})") from error
        if not isinstance(config, dict):
            raise UserError(f"{self.path} is not a run: its config.yaml holds no mapping")
        return config

    def write_config(self, config: dict[str, Any]) -> None:
        """Stores the resolved config."""
        text = yaml.safe_dump(config, sort_keys=False, allow_unicode=True)
        write_whole(self.path / "config.yaml", lambda file: file.write(text.encode()))

    @property
    def record(self) -> dict[str, Any]:
        """What `run.json` says; empty where there is none."""
        try:
            record = json.loads((self.path / "run.json").read_text())
        except (OSError, ValueError):
            return {}
        return record if isinstance(record, dict) else {}

    def write_record(self, **facts: object) -> None:
        """Adds facts to `run.json`."""
        write_json(self.path / "run.json", self.record | facts)

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """Rows of `metrics.jsonl`; a last line that a crash tore is left out."""
        return read_rows(self.path / "metrics.jsonl")

    def checkpoints(self) -> list[Path]:
        """Checkpoints, the newest first, `last.ckpt` before the others."""
        folder = self.path / "checkpoints"
        numbered = [p for p in folder.glob("images_*.ckpt") if p.stem.removeprefix("images_").isdigit()]
        numbered.sort(key=lambda p: int(p.stem.removeprefix("images_")), reverse=True)
        last = folder / "last.ckpt"
        return ([last] if last.exists() else []) + numbered

    def newest_good_checkpoint(self) -> tuple[Path | None, list[Path]]:
        """The newest checkpoint that is whole, and the broken ones that were passed over.

        `last.ckpt` may be older than a numbered file if a run was killed between the two, so the counts decide.
        """
        best: tuple[int, Path] | None = None
        broken: list[Path] = []
        for path in self.checkpoints():
            if best is not None and path.stem != "last" and int(path.stem.removeprefix("images_")) <= best[0]:
                continue
            try:
                images = int(read_checkpoint(path)["clock"]["images_seen"])
            except (StorageError, UserError):
                broken.append(path)
                continue
            if best is None or images > best[0]:
                best = (images, path)
        return (best[1] if best else None), broken

    def checkpoint(self, which: str) -> Path:
        """The file that `checkpoint=last|best|<file>` names.

        Raises:
            UserError: there is no such file, or it is damaged.
        """
        known = self.path / "checkpoints" / (which if which.endswith(".ckpt") else f"{which}.ckpt")
        path = known if known.exists() else Path(which)
        if not path.is_file():
            there = ", ".join(p.stem for p in [*self.checkpoints(), *known.parent.glob("best.ckpt")])
            raise UserError(f"checkpoint={which} is not in {self.path}: there are {there or 'none yet'}")
        try:
            verify_checkpoint(path)
        except StorageError as error:
            raise UserError(f"{error}: choose another one with checkpoint=<file>") from error
        return path

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Holds the directory while this process lives; `kill -9` frees it, and forked workers do not keep it.

        Raises:
            UserError: another process writes to this run.
        """
        with storage(self.path), (self.path / ".lock").open("w") as file:
            try:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise UserError(f"{self.path} is in use by another process: wait for it, or start a new run") from error
            yield

    def held(self) -> bool:
        """Whether another process writes to this run."""
        try:
            descriptor = os.open(self.path / ".lock", os.O_RDWR)
        except OSError:
            return False
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(descriptor)
        return False

    def state(self) -> str:
        """running, finished, interrupted, diverged, failed, or killed where a process died without a word."""
        said = str(self.record.get("status", "failed"))
        if said != "running":
            return said
        return "running" if self.held() else "killed"


def evaluations(run: RunDirectory) -> list[dict[str, float]]:
    """The metrics of every evaluation, without `val/`, and its `images_seen`."""
    found = []
    for row in read_rows(run.path / "metrics.jsonl", holding='"val/'):
        values = {key.removeprefix("val/"): value for key, value in row.items() if key.startswith("val/")}
        if values.keys() - BETWEEN_EVALUATIONS:
            found.append({"images_seen": row.get("images_seen", 0), **values})
    return found


def last_metric(run: RunDirectory) -> tuple[str, str]:
    """The first metric of the newest evaluation, with its value."""
    found = evaluations(run)
    if not found:
        return "", ""
    name, value = next((name, value) for name, value in found[-1].items() if name != "images_seen")
    return name, f"{value:.4g}"


def runs_under(folder: Path, *, depth: int | None = None) -> list[RunDirectory]:
    """Runs below a folder, the newest first.

    Args:
        folder: where to look.
        depth: of the folders that are looked at; None for all. Jobs of a sweep lie one deeper than single runs.
    """
    files = folder.rglob("run.json") if depth is None else folder.glob("*/" * depth + "run.json")
    found = [RunDirectory(path.parent) for path in files]
    return sorted(found, key=lambda run: (run.path.name, str(run.path)), reverse=True)


def newest_run(place: str | Path) -> RunDirectory | None:
    """The run of this directory, or the newest finished one of the runs in it."""
    path = Path(place).expanduser()
    if (path / "run.json").is_file():
        return RunDirectory(path)
    return next((run for run in runs_under(path, depth=1) if run.state() == "finished"), None)
