"""Mode collapse, seen while it happens: how much samples of a fixed noise differ, against how much real images do."""

import logging
from collections.abc import Iterable
from typing import Any, final

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import Tensor

from freqgan.callbacks.journal import Journal
from freqgan.limits import Count, NonNegative, Several
from freqgan.systems import System

log = logging.getLogger(__name__)

SIDE = 8  # pixels; details of single samples, and noise, differ in a collapsed generator too


@final
class CollapseMonitor(pl.Callback):
    """Writes `val/diversity`, 1 where samples differ as much as real images, and warns once where they hardly do.

    The samples are those of the averaged weights, the same ones over the whole run. Systems that make images of images
    are left alone. The first process measures; its place is before `Interruption`, since what it writes belongs to a
    step.

    An untrained generator's samples are alike too: there is no warning before half of the budget unless they differed
    already. On drawings of 32 pixels, runs that learned came from 0.04 to 0.9; one that made a single pattern of all
    noise stayed at 0.1.

    Args:
        threshold: diversity below which a generator counts as collapsed.
        count: samples, and real images of the training split, that are compared with each other.
        every_images: interval; None for a tenth of the budget.
    """

    def __init__(self, *, threshold: NonNegative = 0.3, count: Several = 64, every_images: Count | None = None) -> None:
        self.threshold, self.count, self.every_images = threshold, count, every_images
        self._real: float | None = None
        self._differed = self._warned = False

    def state_dict(self) -> dict[str, Any]:
        """Whether the samples have ever differed, and whether it has warned."""
        return {"differed": self._differed, "warned": self._warned}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continues from `state_dict`."""
        self._differed, self._warned = state_dict["differed"], state_dict["warned"]

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Measures at every interval of images, and when the budget is used up."""
        assert isinstance(pl_module, System)
        if pl_module.examples is not None:
            return  # results differ as much as what they are made of
        due = pl_module.due(self.every_images, share=0.1) or pl_module.clock.finished
        if due and trainer.is_global_zero:
            callbacks: list[pl.Callback] = trainer.callbacks  # type: ignore[attr-defined]
            journal = next(callback for callback in callbacks if isinstance(callback, Journal))
            value = self.diversity(pl_module, trainer.datamodule)  # type: ignore[attr-defined]
            journal.write(pl_module, {"val/diversity": value})
            self._judge(value, pl_module)

    def diversity(self, system: System, data: Any) -> float:
        """Of the samples, as a share of the real images'."""
        if self._real is None:
            self._real = spread(data.evaluation_images("train", limit=self.count))
        return spread([system.sample(0, self.count, seed=system.seed)]) / max(self._real, 1e-12)

    def _judge(self, value: float, system: System) -> None:
        alike = value < self.threshold
        expected = self._differed or system.clock.progress >= 0.5
        self._differed = self._differed or not alike
        if alike and expected and not self._warned:
            self._warned = True
            log.warning(
                "val/diversity=%.2f at %d images: samples hardly differ, the generator may have collapsed: "
                "lower optim.lr, set model.terms.discriminator.r1, or choose another loss",
                *(value, system.clock.images_seen),
            )


def spread(batches: Iterable[Tensor]) -> float:
    """Mean distance between any two images of batches (b, c, h, w), averaged over 8×8 areas; 0 for fewer than two.

    >>> spread([torch.zeros(1, 1, 4, 4), torch.ones(1, 1, 4, 4)])  # √(8 · 8)
    8.0
    """
    areas = torch.cat([F.adaptive_avg_pool2d(images.float(), SIDE).flatten(1).cpu() for images in batches])
    return float(torch.pdist(areas).mean()) if len(areas) > 1 else 0.0
