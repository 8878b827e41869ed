"""A batch in parts, and a step's outputs without their graph."""

from itertools import pairwise

from torch import Tensor

from freqgan.ops.global_batch import rank, world_size
from freqgan.systems.rules import Batch, Outputs, Part, Rows


def split(batch: Batch, count: int) -> list[Part]:
    """The batch in `count` parts that differ by one row at most, each with its rows of the global batch.

    No part is larger than the first. Of fewer rows than `count`, each is a part.
    """
    local = len(next(value for value in batch.values() if isinstance(value, Tensor)))
    count = min(count, local)
    cuts = [-(-local * number // count) for number in range(count + 1)]
    offset, total = rank() * local, local * world_size()
    return [
        (
            {name: value[first:end] for name, value in batch.items()},
            Rows(offset + first, offset + end, total),
        )
        for first, end in pairwise(cuts)
    ]


def detached(outputs: Outputs) -> Outputs:
    """The same nest of dictionaries with every tensor cut from its graph."""
    return {
        name: detached(value) if isinstance(value, dict) else value.detach() if isinstance(value, Tensor) else value
        for name, value in outputs.items()
    }
