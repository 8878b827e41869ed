"""Checkpoints: `images_<n>.ckpt`, `best.ckpt` and `last.ckpt`, each whole, none with a number that is not finite."""

import logging
from pathlib import Path
from typing import Any, final

import pytorch_lightning as pl
import torch
from pytorch_lightning.plugins.io import CheckpointIO

from freqgan.callbacks.journal import Journal
from freqgan.errors import DivergedError, InterruptedRunError
from freqgan.runs import RunDirectory, copy_whole, read_checkpoint, write_checkpoint
from freqgan.systems import System

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
    """

    def __init__(self, run: RunDirectory, journal: Journal, *, every_images: int | None, keep: int) -> None:
        self.folder = run.path / "checkpoints"
        self.journal = journal
        self.every_images = every_images
        self.keep = keep
        self.config = run.config
        self._saved_at = -1
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
            refuse_non_finite(system)
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

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """A disk that cannot be written to shows now; a continued run has its file already."""
        assert isinstance(pl_module, System)
        if pl_module.clock.images_seen == 0:
            self.save(trainer)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Saves at every interval of images, and when the budget is used up."""
        assert isinstance(pl_module, System)
        if pl_module.due(self.every_images, share=0.1) or pl_module.clock.finished:
            self.save(trainer)

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """An interruption comes between whole steps, so this moment can be continued exactly."""
        if isinstance(exception, InterruptedRunError) and trainer.training:
            self.save(trainer)

    def _prune(self) -> None:
        numbered = sorted(self.folder.glob("images_*.ckpt"), key=lambda p: int(p.stem.removeprefix("images_")))
        for path in numbered[: -self.keep]:
            path.unlink(missing_ok=True)


def refuse_non_finite(system: System) -> None:
    """Raises a `DivergedError` that names the first weight or buffer that is not finite."""
    for name, tensor in system.state_dict().items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise DivergedError(
                f"{name} is not finite at images_seen={system.clock.images_seen}; the last good checkpoint is kept: "
                "lower optim.lr or set model.clip"
            )
