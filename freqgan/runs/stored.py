"""Runs as other verbs use them: a system rebuilt from its stored config, with the weights of a checkpoint."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from freqgan.errors import UserError
from freqgan.runs.directory import RunDirectory
from freqgan.runs.files import read_checkpoint


def load_weights(system: Any, run: Path, checkpoint: str) -> dict[str, Any]:
    """Loads the raw and the averaged weights of a checkpoint into a system; returns the checkpoint.

    Args:
        system: built from the run's own config.
        run: the run's directory.
        checkpoint: last, best, or a file.

    Raises:
        UserError: no such checkpoint, or one of another model.
    """
    path = RunDirectory(run).checkpoint(checkpoint)
    content = read_checkpoint(path)
    try:
        system.load_state_dict(content["state_dict"] | content["ema"])
    except RuntimeError as error:
        first = str(error).splitlines()[1].strip() if "\n" in str(error) else str(error)
        raise UserError(f"{path} does not fit the model of {run}/config.yaml ({first})") from error
    return content


def describe_checkpoint(content: Mapping[str, Any], weights: str) -> dict[str, Any]:
    """Facts that belong beside any result made from a checkpoint."""
    return {"images_seen": content["clock"]["images_seen"], "weights": weights}
