"""The record of a run: `metrics.jsonl`, one flushed row at a time, and the services that mirror it."""

import json
import logging
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any, final

import pytorch_lightning as pl

from freqgan.callbacks.means import Means
from freqgan.errors import FreqganError
from freqgan.launcher import is_rank_zero
from freqgan.runs import RunDirectory
from freqgan.runs.files import storage, write_whole
from freqgan.runs.rows import append_row
from freqgan.systems import System

log = logging.getLogger(__name__)


class Mirror(ABC):
    """A service that shows what the journal holds; it may fail or hang without harm to the run.

    Attributes:
        patience: seconds that one call may hold up the run; a mirror that takes longer is left out from there on.
    """

    patience: float = 60.0

    @abstractmethod
    def start(self, run: RunDirectory, config: dict[str, Any]) -> dict[str, Any]:
        """Opens the service for a run with its resolved config; returns what `run.json` shall keep of it."""

    @abstractmethod
    def row(self, values: Mapping[str, float], images_seen: int) -> None:
        """Shows scalars."""

    @abstractmethod
    def pictures(self, paths: Mapping[str, Path], images_seen: int) -> None:
        """Shows the grids of one moment, PNG files by key."""

    @abstractmethod
    def checkpoint(self, path: Path, images_seen: int, names: Sequence[str]) -> None:
        """Notes a checkpoint under its names: `images_<n>`, and `last` or `best` if it is that now."""

    @abstractmethod
    def evaluation(self, path: Path, images_seen: int) -> None:
        """Notes the file of an evaluation of the newest checkpoint."""

    @abstractmethod
    def judged(
        self,
        run: RunDirectory,
        checkpoint: Path,
        values: Mapping[str, float],
        about: Mapping[str, Any],
        pictures: Mapping[str, Path],
    ) -> None:
        """Shows, by itself, what `freqgan evaluate` measured on one of a run's checkpoints.

        Args:
            run: the training run.
            checkpoint: the file whose weights were judged.
            values: numbers by metric.
            about: under which conditions: `protocol`, `images_seen`, `weights`, …
            pictures: galleries of what was judged, PNG files by key.
        """

    @abstractmethod
    def finish(self, exit_status: int) -> None:
        """Closes the service."""


@final
class Journal(pl.Callback):
    """Writes rows of scalars and tells the mirrors.

    Args:
        run: the directory of the run.
        mirrors: services to tell.
        every_steps: steps between two rows of training terms, which are means over those steps.
    """

    def __init__(self, run: RunDirectory, mirrors: Sequence[Mirror], *, every_steps: int) -> None:
        self.run = run
        self.path = run.path / "metrics.jsonl"
        self.mirrors = list(mirrors)
        self.every_steps = every_steps
        self._means = Means()
        self._since = (0, 0.0)

    @contextmanager
    def mirrored(self, config: dict[str, Any]) -> Iterator[None]:
        """Starts the mirrors of the process that writes, and finishes them with the block's exit status."""
        if not is_rank_zero():
            yield
            return
        status = 1
        for facts in self._tell(lambda mirror: mirror.start(self.run, config)):
            self.run.write_record(**facts)
        try:
            yield
            status = 0
        except FreqganError as error:
            status = error.exit_status
            raise
        except KeyboardInterrupt:
            status = 130
            raise
        finally:
            self._tell(lambda mirror: mirror.finish(status))

    def write(self, system: System, values: Mapping[str, float]) -> None:
        """Appends one row."""
        if not system.trainer.is_global_zero:
            return
        clock = system.clock
        row = {"images_seen": clock.images_seen, "time/seconds": round(clock.seconds, 3), **values}
        with storage(self.path):
            append_row(self.path, row)
        self._tell(lambda mirror: mirror.row(row, clock.images_seen))

    def pictures(self, paths: Mapping[str, Path], images_seen: int) -> None:
        """Shows the grids of one moment in the mirrors; their files are the record."""
        self._tell(lambda mirror: mirror.pictures(paths, images_seen))

    def checkpoint(self, path: Path, images_seen: int, names: Sequence[str]) -> None:
        """Tells the mirrors of a checkpoint."""
        self._tell(lambda mirror: mirror.checkpoint(path, images_seen, names))

    def evaluation(self, path: Path, images_seen: int) -> None:
        """Tells the mirrors of an evaluation's file."""
        self._tell(lambda mirror: mirror.evaluation(path, images_seen))

    def state_dict(self) -> dict[str, Any]:
        """Terms of the steps since the last row, over all processes."""
        return self._means.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continues the row that was being added up."""
        self._means.load_state_dict(state_dict)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Drops rows that were written after the checkpoint this run continues from, and one that was cut off."""
        assert isinstance(pl_module, System)
        self._since = (pl_module.clock.images_seen, time.monotonic())
        if trainer.is_global_zero and self.path.exists():
            kept = [row for row in self.run.metrics if row["images_seen"] <= pl_module.clock.images_seen]
            lines = "".join(json.dumps(row) + "\n" for row in kept).encode()
            if lines != self.path.read_bytes():
                write_whole(self.path, lambda file: file.write(lines))

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Adds up the terms of a step, and writes their means over steps and processes when a row is due."""
        assert isinstance(pl_module, System)
        self._means.add(outputs)
        if pl_module.clock.steps % self.every_steps == 0 or pl_module.clock.finished:
            self.close_row(pl_module)

    def close_row(self, system: System) -> None:
        """Writes the means of the steps since the last row, if there were any."""
        if not self._means:
            return
        clock, (images, then), now = system.clock, self._since, time.monotonic()
        means = {f"train/{name}": mean for name, mean in self._means.take().items()}
        means["time/images_per_second"] = round((clock.images_seen - images) / max(now - then, 1e-9), 2)
        means["train/generator_updates"] = clock.generator_updates
        for player, optimizer in zip(system.players(), system.trainer.optimizers, strict=True):
            means[f"train/{player}/lr"] = float(optimizer.param_groups[0]["lr"])
        self.write(system, means)
        self._since = (clock.images_seen, now)

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Leaves the counts of the run in `run.json`, and why it ended before its budget if it did."""
        assert isinstance(pl_module, System)
        if trainer.is_global_zero:
            facts = ("images_seen", "generator_updates", "seconds", "stopped")
            self.run.write_record(**{name: getattr(pl_module.clock, name) for name in facts})

    def flush(self) -> None:
        """Puts every row on the disk; a checkpoint never outlives rows written before it."""
        if self.path.exists():
            with storage(self.path), self.path.open("a") as file:
                os.fsync(file.fileno())

    def _tell(self, what: Callable[[Mirror], Any]) -> list[Any]:
        """What the mirrors answer; one that fails is left out from here on."""
        answers = tell(self.mirrors, what)
        self.mirrors = list(answers)
        return [answer for answer in answers.values() if answer is not None]


def tell(mirrors: Iterable[Mirror], what: Callable[[Mirror], Any]) -> dict[Mirror, Any]:
    """Calls every mirror; those that fail or take longer than their patience are named in the log, and left out.

    Each call has a thread of its own, which is given up where it hangs: a signal still ends the run, and a call that
    comes back too late changes nothing.
    """
    answers: dict[Mirror, Any] = {}
    for mirror in mirrors:
        answer: Future[Any] = Future()
        Thread(target=_call, args=(answer, what, mirror), daemon=True).start()
        done, _ = wait([answer], timeout=mirror.patience)
        error = answer.exception() if done else TimeoutError(f"no answer within {mirror.patience:g} s")
        if error is None:
            answers[mirror] = answer.result()
        else:
            log.warning("%s is left out from here on: %s", type(mirror).__name__, error)
    return answers


def _call(answer: "Future[Any]", what: Callable[[Mirror], Any], mirror: Mirror) -> None:
    try:
        answer.set_result(what(mirror))
    except Exception as error:
        answer.set_exception(error)
