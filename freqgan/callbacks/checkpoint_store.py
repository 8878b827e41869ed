"""Checkpoints: `images_<n>.ckpt`, `best.ckpt` and `last.ckpt`, each whole, none with a number that is not finite."""

import logging
import shutil
from pathlib import Path
from typing import Any, final

import pytorch_lightning as pl
from pytorch_lightning.plugins.io import CheckpointIO

from freqgan.callbacks.journal import Journal
from freqgan.errors import DivergedError, InterruptedRunError, StorageError
from freqgan.metrics.ranks import on_first
from freqgan.ops.finite import not_finite
from freqgan.runs import RunDirectory, copy_whole, read_checkpoint, write_checkpoint
from freqgan.runs.files import ELSEWHERE, images_in, storage
from freqgan.systems import Remembering, System

log = logging.getLogger(__name__)


@final
class AtomicCheckpointIO(CheckpointIO):
    """Lightning's door to the disk; its own is not atomic across file systems and passes over a read-only folder."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Writes a whole file or raises."""
        write_checkpoint(Path(path), checkpoint)

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = None) -> dict[str, Any]:
        """Reads plain data and tensors."""
        return read_checkpoint(Path(path))

    def remove_checkpoint(self, path: Any) -> None:
        """Deletes a file."""
        Path(path).unlink(missing_ok=True)


@final
class CheckpointStore(pl.Callback):
    """Saves at the start, at intervals, when interrupted, and at the end.

    Args:
        run: the directory of the run.
        journal: rows before a checkpoint are on the disk before it is; it tells the mirrors.
        every_images: interval; None for a tenth of the budget.
        keep: how many numbered files stay, the newest ones; `best.ckpt` and `last.ckpt` stay besides.
        milestones_every_images: the first file behind each multiple stays too; None for no such files.
    """

    def __init__(
        self,
        run: RunDirectory,
        journal: Journal,
        *,
        every_images: int | None,
        keep: int,
        milestones_every_images: int | None = None,
    ) -> None:
        self.run = run
        self.folder = run.path / "checkpoints"
        self.journal = journal
        self.every_images = every_images
        self.keep = keep
        self.milestones_every_images = milestones_every_images
        self.config = run.config
        self._saved_at = -1
        self._begun = self._went_back = False
        for stale in self.folder.glob(".*.tmp"):
            stale.unlink(missing_ok=True)

    def save(self, trainer: pl.Trainer, *, best: bool = False) -> None:
        """Writes the checkpoint of this moment, once.

        Raises:
            DivergedError: a weight or buffer is not finite; older files stay.
        """
        system = trainer.lightning_module
        assert isinstance(system, System)
        images = system.clock.images_seen
        path = self.folder / f"images_{images}.ckpt"
        new = self._saved_at != images
        if new:
            for name in not_finite(system.state_dict()):
                fix = "the last good checkpoint is kept: lower optim.lr or set model.clip"
                raise DivergedError(f"{name} is not finite at images_seen={images}; {fix}")
            if isinstance(system, Remembering):
                system.remember(trainer.datamodule)  # type: ignore[attr-defined]
            self.journal.flush()
            trainer.save_checkpoint(path)
            if trainer.is_global_zero:
                copy_whole(path, self.folder / "last.ckpt")
                self._prune()
            self._saved_at = images
        if best and trainer.is_global_zero:
            copy_whole(path, self.folder / "best.ckpt")
        if (new or best) and trainer.is_global_zero:
            self.journal.checkpoint(path, images, [path.stem, "last", *(["best"] if best else [])])

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """The config travels inside as plain data."""
        checkpoint["config"] = self.config

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """A run that goes back to an older file leaves the later ones."""
        assert isinstance(pl_module, System)
        images = pl_module.clock.images_seen
        self._went_back = on_first(lambda: self._abandon_later(images))

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """A disk that cannot be written to shows now."""
        assert isinstance(pl_module, System)
        self._begun = True  # from here on, all of a run that goes on is back in its place
        if self._went_back or pl_module.clock.images_seen == 0:
            self.save(trainer)
        on_first(self._refuse_little_space)

    def has_best(self, images: int) -> bool:
        """Whether there is a best checkpoint, be it again from the file of that moment; for rank zero alone."""
        best, found = self.folder / "best.ckpt", self.folder / f"images_{images}.ckpt"
        if not best.exists() and found.exists():
            copy_whole(found, best)
        return best.exists()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Saves at every interval of images, and when the budget is used up."""
        assert isinstance(pl_module, System)
        if pl_module.due(self.every_images, share=0.1) or pl_module.clock.finished:
            self.save(trainer)

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """An interruption comes between whole steps, so this moment can be continued exactly."""
        if isinstance(exception, InterruptedRunError) and self._begun:
            self.save(trainer)

    def _abandon_later(self, images: int) -> bool:
        """Moves what was saved behind this moment, which is not this run's future any more, out of the way."""
        later = [path for seen, path in self.run.numbered_checkpoints().items() if seen > images]
        if not later:
            return False
        count = len(later)
        for path in (self.folder / "best.ckpt", self.folder / "last.ckpt"):
            seen = images_in(path) if path.exists() else images
            later += [path] if seen is None or seen > images else []
        abandoned = self.folder / "abandoned"
        with storage(abandoned):
            abandoned.mkdir(exist_ok=True)
            for path in later:
                path.replace(abandoned / path.name)
        log.warning("going back to %d images: %d later checkpoints are moved to %s", images, count, abandoned)
        return True

    def _refuse_little_space(self) -> None:
        """A disk that the run would fill shows now.

        Raises:
            StorageError: it has no room for what is kept, and one more while that is written.
        """
        kept = [*self.run.checkpoints()[: self.keep + 1], *self.folder.glob("best.ckpt")]  # not milestones
        there = [path.stat().st_size for path in kept]
        needed = max(there, default=0) * (self.keep + 3) - sum(there)
        free = shutil.disk_usage(self.folder).free
        if needed > free:
            raise StorageError(
                f"{self.folder} has room for {free / 2**20:.0f} MiB, and checkpoints will need "
                f"{needed / 2**20:.0f} MiB more: {ELSEWHERE}, or lower checkpoint.keep={self.keep}"
            )

    def _prune(self) -> None:
        files, every = self.run.numbered_checkpoints(), self.milestones_every_images
        # The newest come first, so that the last one of each multiple is its first file.
        stay = {seen // every: path for seen, path in files.items() if seen >= every} if every else {}
        for path in {*[*files.values()][self.keep :]} - {*stay.values()}:
            path.unlink(missing_ok=True)
