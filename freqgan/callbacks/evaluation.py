"""Judging the generator while it trains, by the same protocol that `freqgan evaluate` uses afterwards."""

import logging
import math
import operator
import time
from pathlib import Path
from typing import Any, Literal, final

import pytorch_lightning as pl

from freqgan.callbacks.checkpoint_store import CheckpointStore
from freqgan.callbacks.galleries import write_galleries
from freqgan.callbacks.journal import Journal
from freqgan.callbacks.stopping import Plateau
from freqgan.lifetime import shielded
from freqgan.metrics import (
    GenerationProtocol,
    LabelToImageProtocol,
    NoEvaluation,
    RestorationProtocol,
    RetrievalProtocol,
    SegmentationProtocol,
    TextToImageProtocol,
    TranslationProtocol,
    higher_is_better,
)
from freqgan.metrics.ranks import on_first
from freqgan.runs import RunDirectory, write_json
from freqgan.systems import Clock, Remembering, System
from freqgan.systems.parallel import broadcast

log = logging.getLogger(__name__)

Protocol = (
    GenerationProtocol
    | LabelToImageProtocol
    | NoEvaluation
    | RestorationProtocol
    | RetrievalProtocol
    | SegmentationProtocol
    | TextToImageProtocol
    | TranslationProtocol
)

SHARE = 0.2  # of the budget, between two judgements


@final
class Evaluation(pl.Callback):
    """Runs a protocol at the start, at intervals and at the end, and keeps the best checkpoint by its first metric.

    Args:
        run: the directory of the run; results go to `evaluation/<protocol>.json` and the journal, galleries of systems
            that have some beside it.
        journal: where the numbers go.
        store: saves the best checkpoint.
        protocol: what is measured; its first number decides which checkpoint is the best.
        at_start: `full` judges the untrained generator, `small` only exercises the protocol on a few images.
        every_images: interval; None for a fifth of the budget.
        cache_dir: where statistics of the real images are kept.
        seed: of the samples.
        plateau: hears of every judgement and may end the run by it.
    """

    def __init__(
        self,
        run: RunDirectory,
        journal: Journal,
        store: CheckpointStore,
        protocol: Protocol,
        *,
        at_start: Literal["full", "small", "none"],
        every_images: int | None,
        cache_dir: Path,
        seed: int,
        plateau: Plateau | None = None,
    ) -> None:
        self.run = run
        self.journal = journal
        self.store = store
        self.protocol = protocol
        self.at_start = at_start
        self.every_images = every_images
        self.cache_dir = cache_dir
        self.seed = seed
        self.plateau = plateau
        self.best: float | None = None
        self._best_at = self._judged_at = -1
        self._judged_before: int | None = None

    def state_dict(self) -> dict[str, Any]:
        """The best number so far, and the images seen when it and the newest were measured."""
        judged_at = max(self._judged_at, -1 if self._judged_before is None else self._judged_before)
        return {"best": self.best, "best_at": self._best_at, "judged_at": judged_at}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continues from `state_dict`."""
        self.best, self._best_at = state_dict["best"], state_dict["best_at"]
        self._judged_before = state_dict["judged_at"]

    def judge(self, trainer: pl.Trainer, system: System) -> None:
        """Runs the protocol on the averaged weights of this moment, once."""
        images = system.clock.images_seen
        if self._judged_at == images:
            return
        begun = time.monotonic()
        values = self._measure(trainer, system, self.protocol)
        if not values:
            return
        log.info("%s = %.4g at %d images (%.0f s)", *next(iter(values.items())), images, time.monotonic() - begun)
        with shielded():  # half of what follows from a judgement could not be made up for
            self._settle(trainer, system, values)
        if trainer.is_global_zero:
            self._show(trainer, system, self.run.path / "evaluation")

    def _settle(self, trainer: pl.Trainer, system: System, values: dict[str, float]) -> None:
        images = self._judged_at = system.clock.images_seen
        self.journal.write(system, {f"val/{name}": value for name, value in values.items()})
        first, value = next(iter(values.items()))
        better = operator.gt if higher_is_better(first) else operator.lt
        improved = not math.isnan(value) and (self.best is None or better(value, self.best))
        if improved:
            self.best, self._best_at = value, images
        if self.plateau is not None:
            self.plateau.judged(system, values)
            if system.clock.finished:  # the checkpoint of a run's end has no row begun
                self.journal.close_row(system)
        path = self.run.path / "evaluation" / f"{self.protocol.name}.json"
        if trainer.is_global_zero:
            write_json(path, values | {"images_seen": images})
        self.store.save(trainer, best=improved)
        if trainer.is_global_zero:
            self.journal.evaluation(path, images)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """A mistake in the protocol shows in the first minute; a continued run gets what its end left undone."""
        assert isinstance(pl_module, System)
        clock = pl_module.clock
        earlier = self.best is not None and self._best_at != clock.images_seen
        if earlier and not on_first(lambda: self.store.has_best(self._best_at)):
            self.best = None  # its file is gone: the best one from here on counts
        if clock.images_seen == 0 and self.at_start == "small":
            values = self._measure(trainer, pl_module, self.protocol.small())
            if self.plateau is not None:
                self.plateau.refuse_unknown(values)
        elif self._owed(clock):
            self.judge(trainer, pl_module)
        elif self._best_at == clock.images_seen:
            self.store.save(trainer, best=True)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Judges at every interval of images, and when the budget is used up."""
        assert isinstance(pl_module, System)
        if pl_module.due(self.every_images, share=SHARE) or pl_module.clock.finished:
            self.judge(trainer, pl_module)

    def _owed(self, clock: Clock) -> bool:
        """Whether this moment, before a step, should have been judged."""
        images, before = clock.images_seen, self._judged_before
        if images == 0:
            return self.at_start == "full" and before != 0
        if clock.finished:
            return before != images
        every = self.every_images or round((clock.end or 0) * SHARE)
        return before is not None and every > 0 and images // every > max(before, 0) // every

    def _show(self, trainer: pl.Trainer, system: System, folder: Path) -> None:
        data, images = trainer.datamodule, system.clock.images_seen  # type: ignore[attr-defined]
        how: dict[str, Any] = {"split": self.protocol.split, "seed": self.seed, "weights": "ema"}
        paths = write_galleries(system, data, self.run, folder, images_seen=images, **how)
        if paths:
            self.journal.pictures(paths, images)

    def _measure(self, trainer: pl.Trainer, system: System, protocol: Protocol) -> dict[str, float]:
        data = trainer.datamodule  # type: ignore[attr-defined]
        # A network may keep statistics of each process's own rows; those of rank zero are the checkpoint's.
        broadcast(system.ema.buffers())
        if isinstance(system, Remembering):  # what a checkpoint of this moment has
            system.remember(data)
        return system.measure(
            protocol, data, split=protocol.split, seed=self.seed, weights="ema", cache_dir=self.cache_dir
        )
