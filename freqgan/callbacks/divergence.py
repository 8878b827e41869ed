"""Runs that go wrong: noticed within one interval of the log, with the batch that did it kept to be looked at."""

import logging
from typing import Any, final

import pytorch_lightning as pl
import torch
from torch import Tensor

from freqgan.callbacks.journal import Journal
from freqgan.callbacks.means import Means
from freqgan.callbacks.sample_grid import save_grid
from freqgan.errors import DivergedError, StorageError
from freqgan.ops.finite import not_finite
from freqgan.ops.global_batch import rank
from freqgan.runs import RunDirectory
from freqgan.runs.files import storage, write_whole
from freqgan.systems import System
from freqgan.systems.parallel import greatest

log = logging.getLogger(__name__)

ENERGY = 1000.0  # of a generated band over that of the real one; up to 54 was seen in runs that learned
CERTAIN = 0.999  # mean accuracy of a discriminator from which its generator has little to learn
SILENT, LOOKED_AT = "gradient_norm/generator", ("/accuracy", "/energy", "gradient_norm/generator")


@final
class Divergence(pl.Callback):
    """Ends a run that cannot become good any more.

    A loss or a gradient that is not finite is refused by the step itself. This looks, every `every_steps` steps, for a
    weight, an average or a buffer that is not; for a generator without any gradient in all of those steps; and for a
    band with a thousand times the energy of the real one. A discriminator that is never wrong is told of once.

    What a run stumbled over goes to `diverged/`: the batch of each process as a file for `torch.load`, its images as
    PNG.

    Args:
        run: the directory of the run.
        journal: of the run.
        every_steps: interval.
        gone_back: whether the run has just gone back to where it begins.
    """

    def __init__(self, run: RunDirectory, journal: Journal, *, every_steps: int, gone_back: bool = False) -> None:
        self.run = run
        self.journal = journal
        self.every_steps = every_steps
        self.gone_back = gone_back
        self._batch: dict[str, Any] = {}
        self._means = Means()
        self._told = False

    def state_dict(self) -> dict[str, Any]:
        """What steps told since the last look, and whether a discriminator has been told of."""
        return {"means": self._means.state_dict(), "told": self._told}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continues from `state_dict`."""
        self._means.load_state_dict(state_dict["means"])
        self._told = state_dict["told"]

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """A row for having gone back."""
        assert isinstance(pl_module, System)
        if self.gone_back:
            events = self.run.record["rollbacks"]
            row = {"train/rollbacks": len(events), "train/diverged_at": events[-1]["diverged_at"]}
            self.journal.write(pl_module, row)

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Remembers what the step is made of."""
        self._batch = batch

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Looks at every interval.

        Raises:
            DivergedError: on all processes, if one of them has found something.
        """
        assert isinstance(pl_module, System)
        self._means.add({name: value for name, value in outputs.items() if name.endswith(LOOKED_AT)})
        if pl_module.clock.steps % self.every_steps == 0:
            self._look(pl_module)

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Keeps the batch of a divergence."""
        assert isinstance(pl_module, System)
        if isinstance(exception, DivergedError) and self._batch:
            try:
                self._keep(f"images_{pl_module.clock.images_seen}_{rank()}", str(exception))
            except StorageError as error:
                log.warning("what the run stumbled over is not kept: %s", error)

    def _look(self, system: System) -> None:
        means, images = self._means.take(), system.clock.images_seen
        found = [f"{name} is not finite" for name in not_finite(system.state_dict())]
        found += [f"{name} is above {ENERGY:g}" for name in means if exploded(name, means[name])]
        if means.get(SILENT) == 0.0:
            found.append(f"for {self.every_steps} steps the discriminator has given the generator no gradient")
        if greatest(len(found)):
            told = found[0] if found else "another process has diverged"
            raise DivergedError(f"{told} at images_seen={images}: lower optim.lr, or set model.clip or r1")
        never_wrong = [name for name, mean in means.items() if name.endswith("/accuracy") and mean >= CERTAIN]
        if never_wrong and not self._told:
            self._told = True
            log.warning(
                "%s=%.4f in the steps up to %d images: a discriminator that is never wrong teaches little: lower its "
                "learning rate, or raise model.terms.discriminator.r1",
                *(never_wrong[0], means[never_wrong[0]], images),
            )

    def _keep(self, name: str, why: str) -> None:
        folder = self.run.path / "diverged"
        with storage(folder):
            folder.mkdir(exist_ok=True)
        batch = {key: value.cpu() if isinstance(value, Tensor) else value for key, value in self._batch.items()}
        write_whole(folder / f"{name}.pt", lambda file: torch.save(batch | {"why": why}, file))
        for key, value in batch.items():
            if key.startswith("image") and isinstance(value, Tensor) and value.ndim == 4:
                save_grid(value, folder / f"{name}_{key}.png")


def exploded(name: str, mean: float) -> bool:
    """Whether this is a band with far more energy than the real one.

    >>> exploded("bands/HH1/energy", 2000.0), exploded("bands/HH1/energy", 54.0)
    (True, False)
    """
    return name.endswith("/energy") and mean > ENERGY
