"""A batch in parts, and a step's outputs without their graph."""

from torch import Tensor

from freqgan.ops.global_batch import rank, world_size
from freqgan.systems.rules import Batch, Outputs, Part, Rows


def split(batch: Batch, count: int) -> list[Part]:
    """The batch in parts as equal as can be, at most `count`, each with its rows of the global batch."""
    local = len(next(value for value in batch.values() if isinstance(value, Tensor)))
    size = -(-local // count)
    first, total = rank() * local, local * world_size()
    return [
        (
            {name: value[i : i + size] for name, value in batch.items()},
            Rows(first + i, first + min(i + size, local), total),
        )
        for i in range(0, local, size)
    ]


def detached(outputs: Outputs) -> Outputs:
    """The same nest of dictionaries with every tensor cut from its graph."""
    return {
        name: detached(value) if isinstance(value, dict) else value.detach() if isinstance(value, Tensor) else value
        for name, value in outputs.items()
    }
