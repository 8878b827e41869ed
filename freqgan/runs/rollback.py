"""Going back: a run that has diverged goes on from its last good checkpoint, with a smaller learning rate."""

import logging
from collections.abc import Mapping
from typing import Any

from freqgan.errors import DivergedError
from freqgan.runs.directory import RunDirectory
from freqgan.runs.files import images_in
from freqgan.runs.resume import Choice

log = logging.getLogger(__name__)


def go_back(run: RunDirectory, settings: Mapping[str, Any], error: DivergedError) -> Choice:
    """Where a run goes on that has diverged. `run.json` keeps every time: a run that is killed later knows of it.

    Raises:
        DivergedError: `error`, where a run may not go back, has done so as often as it may, or has nothing whole.
    """
    record, most = run.record, settings["rollback"]["most"]
    before = record.get("rollbacks", [])
    checkpoint = run.newest_good_checkpoint()[0]
    if settings["on_divergence"] == "stop" or len(before) >= most or checkpoint is None:
        raise error
    images = images_in(checkpoint) or 0
    event = {"diverged_at": record.get("images_seen"), "back_to": images, "why": str(error)}
    run.write_record(rollbacks=[*before, event])
    log.warning(
        "%s; going back to %d images with %g of the learning rate (%d of at most %d times)",
        *(error, images, slowed(run, settings), len(before) + 1, most),
    )
    return Choice(run=run, checkpoint=checkpoint, images_seen=images, gone_back=True)


def slowed(run: RunDirectory, settings: Mapping[str, Any]) -> float:
    """The factor on the learning rate of a run that has gone back, or 1."""
    factor: float = settings["rollback"]["lr_factor"]
    return float(factor ** len(run.record.get("rollbacks", [])))
