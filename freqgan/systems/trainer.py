"""Lightning's Trainer without what a `System` does itself: steps, records, checkpoints and the order of the data."""

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import pytorch_lightning as pl

from freqgan.errors import StorageError


def make_trainer(machine: Mapping[str, Any], callbacks: Sequence[pl.Callback], **more: Any) -> pl.Trainer:
    """A Trainer that trains until the system stops it, and says nothing of its own.

    Args:
        machine: arguments that say where it runs, of `Hardware.trainer_arguments`.
        callbacks: called in this order.
        **more: further arguments of Lightning's Trainer.
    """
    # Its advice is about loops that this package does not use.
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="pytorch_lightning")
    warnings.filterwarnings("ignore", module="lightning_fabric")
    return pl.Trainer(
        **machine,
        callbacks=list(callbacks),
        logger=False,
        max_epochs=-1,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        **more,
    )


@contextmanager
def torn_down(trainer: pl.Trainer) -> Iterator[None]:
    """Tears the callbacks down when training ends by an error too: Lightning does so only when it ends well."""
    try:
        yield
    except Exception:
        for callback in trainer.callbacks:  # type: ignore[attr-defined]
            with suppress(StorageError):  # a full disk is not reported twice
                callback.teardown(trainer, trainer.lightning_module, "fit")
        raise
