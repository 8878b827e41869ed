"""A run's directory: what lies where, who holds it, and what became of it.

config.yaml  run.json  metrics.jsonl  train.log  checkpoints/  samples/  evaluation/
"""

import errno
import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import yaml

from freqgan.errors import StorageError, UserError
from freqgan.opening import open_file
from freqgan.runs.files import SHARED, images_in, storage, verify_checkpoint, write_json, write_whole
from freqgan.runs.plain_yaml import read_yaml
from freqgan.runs.rows import read_rows

BETWEEN_EVALUATIONS = {"diversity"}  # what a callback measures more often
LOCK_ATTEMPTS, LOCK_PAUSE = 10, 0.02  # seconds between them
IN_USE = (errno.EACCES, errno.EAGAIN)  # of a lock; with another number the file system has none
LARGEST_RECORD = 2**26  # bytes
# What facts of a record are read as; one of another kind was written by nobody.
NUMBER = int | float
KINDS: dict[str, Any] = {
    **dict.fromkeys(("status", "started"), str),
    **{"images_seen": int, "seconds": NUMBER, "cpu_seconds": NUMBER, "peak_memory_gib": NUMBER},
    **dict.fromkeys(("machine", "computing", "versions"), dict),
    **dict.fromkeys(("rollbacks", "resumed", "wandb_fragments"), list),
}
_locked: dict[Path, int] = {}  # by the process of this number, which a forked one is not


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

    def refuse_links(self) -> None:
        """Whoever made the directory does not choose other places that are written to, nor what is waited for.

        W&B leaves links to its cache in its own folder, where it writes to nothing that is there.

        Raises:
            UserError: something in it is a link that leads out of it, or neither a file nor a folder.
        """
        here = self.path.resolve()
        for folder, folders, files in os.walk(here):
            for path in (Path(folder, name) for name in (*folders, *files)):
                if path.is_symlink() and not Path(os.path.realpath(path)).is_relative_to(here):
                    raise UserError(
                        f"{path} leads out of the run: put in its place what it leads to, or keep the whole run there"
                    )
                if path.exists() and not path.is_file() and not path.is_dir():
                    raise UserError(f"{path} is neither a file nor a folder: remove it")
            folders[:] = [name for name in folders if name != "wandb"]

    @property
    def config(self) -> dict[str, Any]:
        """The resolved config, as plain data."""
        try:
            return read_yaml(self.path / "config.yaml")
        except UserError as error:
            raise UserError(f"{self.path} is not a run: {error}") from error

    def write_config(self, config: dict[str, Any]) -> None:
        """Stores the resolved config."""
        text = yaml.safe_dump(config, sort_keys=False, allow_unicode=True)
        write_whole(self.path / "config.yaml", lambda file: file.write(text.encode()))

    @property
    def record(self) -> dict[str, Any]:
        """What `run.json` says, as far as it is what freqgan writes; empty where there is none."""
        try:
            with open_file(self.path / "run.json", most_bytes=LARGEST_RECORD) as file:
                record = json.load(file)
        except (OSError, ValueError, RecursionError):
            return {}
        known = record.items() if isinstance(record, dict) else ()
        return {name: fact for name, fact in known if isinstance(fact, KINDS.get(name, object))}

    def write_record(self, **facts: object) -> None:
        """Adds facts to `run.json`."""
        write_json(self.path / "run.json", self.record | facts)

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """Rows of `metrics.jsonl`; one that a crash tore, or that has no numbers, is left out."""
        return _scalars(self.path)

    def checkpoints(self) -> list[Path]:
        """Checkpoints, the newest first, `last.ckpt` before the others."""
        last = self.path / "checkpoints" / "last.ckpt"
        return ([last] if last.exists() else []) + [*self.numbered_checkpoints().values()]

    def numbered_checkpoints(self) -> dict[int, Path]:
        """Those that are named by the images seen, the newest first; other files may lie there too."""
        names = {p.stem.removeprefix("images_"): p for p in (self.path / "checkpoints").glob("images_*.ckpt")}
        return dict(sorted(((int(name), p) for name, p in names.items() if name.isdigit()), reverse=True))

    def newest_good_checkpoint(self) -> tuple[Path | None, list[Path]]:
        """The newest checkpoint that is whole, and the broken ones that were passed over.

        `last.ckpt` may be older than a numbered file if a run was killed between the two, so the counts decide.
        `best.ckpt` counts where there is no other: a run that went back to it may have been killed then.
        """
        best: tuple[int, Path] | None = None
        broken: list[Path] = []
        counts = {path: images for images, path in self.numbered_checkpoints().items()}
        for path in [*self.checkpoints(), *(self.path / "checkpoints").glob("best.ckpt")]:
            if best is not None and counts.get(path, 0) <= best[0]:
                continue
            images = images_in(path)
            if images is None:
                broken.append(path)
            elif best is None or images > best[0]:
                best = (images, path)
        return (best[1] if best else None), broken

    def checkpoint(self, which: str) -> Path:
        """The file that `checkpoint=last|best|<file>` names.

        Raises:
            UserError: there is no such file, or it is damaged.
        """
        known = self.path / "checkpoints" / (which if which.endswith(".ckpt") else f"{which}.ckpt")
        shared = known.with_suffix(SHARED)  # as an export may have it
        path = next((path for path in (known, shared) if os.path.exists(path)), Path(which))
        if not os.path.isfile(path):  # unlike that of Path, it takes names that no file can have
            there = ", ".join(p.stem for p in [*self.checkpoints(), *known.parent.glob("best.ckpt")])
            raise UserError(f"checkpoint={which} is not in {self.path}: there are {there or 'none yet'}")
        try:
            verify_checkpoint(path)
        except StorageError as error:
            raise UserError(f"{error}: choose another one with checkpoint=<file>") from error
        return path

    def evaluation(self, judged: Mapping[str, Any], usual: Mapping[str, Any], *, checkpoint: str) -> Path:
        """The folder of an evaluation's results: training's own, or one in it that is named by what was judged instead.

        Args:
            judged: `data_fingerprint`, `split` and `weights` of the evaluation.
            usual: the first two of training's evaluations, which take the averaged weights of the last checkpoint.
            checkpoint: last, best, or a file.
        """
        usual = {**usual, "weights": "ema"}
        others = [str(judged[name]) for name in usual if judged[name] != usual[name]]
        others += [Path(checkpoint).stem] if checkpoint not in ("last", "last.ckpt") else []
        return self.path / "evaluation" / "_".join(others)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Holds the directory while this process lives; `kill -9` frees it, and forked workers do not keep it.

        Raises:
            UserError: another process writes to this run.
            StorageError: the file system has no locks.
        """
        with storage(self.path):
            file = (self.path / ".lock").open("w")
        with file:
            for attempt in range(LOCK_ATTEMPTS):  # who asks `held` holds it for a moment
                try:
                    fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except OSError as error:
                    if error.errno not in IN_USE:
                        advice = "set paths.output_dir to a file system with locks"
                        raise StorageError(f"{self.path} cannot be locked ({error}): {advice}") from error
                    if attempt == LOCK_ATTEMPTS - 1:
                        advice = "wait for it, or start a new run"
                        raise UserError(f"{self.path} is in use by another process: {advice}") from error
                    time.sleep(LOCK_PAUSE)
            place = self.path.resolve()
            _locked[place] = os.getpid()
            try:
                yield
            finally:
                del _locked[place]

    def held(self) -> bool:
        """Whether a process writes to this run, be it this one: to ask the system would free a lock of our own."""
        if _locked.get(self.path.resolve()) == os.getpid():
            return True
        try:
            descriptor = os.open(self.path / ".lock", os.O_RDONLY | os.O_NONBLOCK)  # be it a pipe
        except OSError:
            return False
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)  # those who ask do not meet each other
        except OSError as error:
            return error.errno in IN_USE
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
    for row in _scalars(run.path, holding='"val/'):
        values = {key.removeprefix("val/"): value for key, value in row.items() if key.startswith("val/")}
        if values.keys() - BETWEEN_EVALUATIONS:
            found.append({"images_seen": row["images_seen"], **values})
    return found


def _scalars(run: Path, *, holding: str = "") -> list[dict[str, Any]]:
    """The rows of a run that are numbers by name, `images_seen` among them."""
    rows = read_rows(run / "metrics.jsonl", holding=holding)
    return [row for row in rows if "images_seen" in row and all(isinstance(value, NUMBER) for value in row.values())]


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
