"""Samples as every evaluation of every run sees them, whatever its seed."""

from collections.abc import Callable, Iterator

import numpy as np
from torch import Tensor

from freqgan.data.base import Sample
from freqgan.data.ranges import to_signed_range
from freqgan.data.stage import Stage
from freqgan.data.stream import Batch, collate
from freqgan.ops.keyed_random import permutation

_NAMES = ("name", "name_b")
_MAPS = ("label_map", "instance_map")


def chosen(length: int, limit: int | None) -> list[int]:
    """Indices in order: all, or the same evenly drawn subset in every run."""
    indices: list[int] = np.sort(permutation(0, "evaluation", 0, length)[:limit]).tolist()
    return indices


def one_by_one(read: Callable[[int], Sample], indices: list[int], stage: Stage | None) -> Iterator[Batch]:
    """Whole samples, each as a batch of one, `converted`, with its name.

    Args:
        read: the sample of an index.
        indices: which ones.
        stage: makes of samples what evaluations see, or None.
    """
    for index in indices:
        sample = read(index)
        if stage is not None:
            sample = stage.evaluated(sample)
        yield {"name": str(index)} | converted(collate([sample])) | {k: sample[k] for k in _NAMES if k in sample}


def converted(batch: Batch) -> Batch:
    """A batch as systems get it: images float32 in [-1, 1], label and instance maps int64, the rest as it is."""
    return {name: _converted(name, value) if isinstance(value, Tensor) else value for name, value in batch.items()}


def _converted(name: str, value: Tensor) -> Tensor:
    if name.startswith("image"):
        return to_signed_range(value)
    return value.long() if name in _MAPS else value
