"""What a metric knows of the real images, kept on disk: it costs minutes and changes only with the data."""

import hashlib
import logging
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import torch
from torch import Tensor

from freqgan.metrics.ranks import State

if TYPE_CHECKING:
    from torchmetrics import Metric

_log = logging.getLogger(__name__)


def cache_file(folder: Path, kind: str, *key: object) -> Path:
    """Where the statistics of `kind` for this key are or will be."""
    digest = hashlib.sha256(repr(key).encode()).hexdigest()[:32]
    return Path(folder, f"{kind}_{digest}.pt")


def restore(metric: "Metric", file: Path) -> bool:
    """Gives a fresh metric what the file knows of the real images; False if it is missing or damaged.

    A damaged file is reported as a warning.
    """
    state = real_state(metric)
    tensors = read(file, state)
    if tensors is None:
        return False
    for name, value in state.items():
        setattr(metric, name, [tensors[name]] if isinstance(value, list) else tensors[name])
    return True


def keep(metric: "Metric", file: Path) -> None:
    """Writes what the metric knows of the real images; if that fails, there is a warning and no file."""
    state = real_state(metric)
    write(file, {name: torch.cat(value) if isinstance(value, list) else value for name, value in state.items()})


def read(file: Path, names: Iterable[str] = ()) -> dict[str, Tensor] | None:
    """The tensors of a file; None if it, or one of these names, is missing or damaged, which is reported."""
    if not file.exists():
        return None
    try:
        with zipfile.ZipFile(file) as archive:
            if broken := archive.testzip():  # torch itself does not look
                raise ValueError(f"other bytes in {broken}")
        tensors: dict[str, Tensor] = torch.load(file, weights_only=True)
        return tensors | {name: tensors[name] for name in names}
    except Exception as error:  # a damaged file fails in as many ways as it has bytes
        _log.warning("%s is damaged (%s: %s): the real images are measured again", file, type(error).__name__, error)
        return None


def write(file: Path, tensors: dict[str, Tensor]) -> None:
    """Writes tensors beside the target and renames it, so that no reader ever sees half a file.

    If the file cannot be written, there is a warning and no file.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary = file.with_name(f".{uuid4().hex}.tmp")
        try:
            torch.save(tensors, temporary)
            temporary.replace(file)
        finally:
            temporary.unlink(missing_ok=True)
    except (OSError, RuntimeError) as error:  # torch reports a full disk as RuntimeError
        _log.warning("the statistics of the real images are not kept (%s): set paths.cache_dir", error)


def real_state(metric: "Metric") -> State:
    """The part of a metric's state that the real images determine."""
    return {name: value for name, value in metric.metric_state.items() if name.startswith("real_")}
