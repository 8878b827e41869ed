"""Evaluation split over processes: each measures its own batches, and the first one brings them together.

Batch i belongs to process i modulo their number. No batch is padded or seen twice, so the number of processes does not
change a metric; nothing is exchanged inside a loop, so processes may have different numbers of batches.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import torch.distributed as dist

from freqgan.errors import FreqganError
from freqgan.ops.global_batch import rank, world_size

T = TypeVar("T")
R = TypeVar("R")
State = dict[str, Any]  # of a metric: sums are tensors, collections are lists of tensors


def map_reduce(measure: Callable[[], T], finish: Callable[[list[T]], R]) -> R:
    """`measure` on every process, `finish` of all its results on the first, the outcome on every process.

    Raises:
        FreqganError: one was raised on some process; it is raised on all, so that none waits for the others.
    """
    if world_size() == 1:
        return finish([measure()])
    outcomes: list[Any] | None = [None] * world_size() if rank() == 0 else None
    dist.gather_object(_attempt(measure), outcomes)
    final = [_attempt(lambda: finish([_value(outcome) for outcome in outcomes])) if outcomes else None]
    dist.broadcast_object_list(final)
    result: R = _value(final[0])
    return result


def on_first(function: Callable[[], R]) -> R:
    """What `function` returns or raises on the first process, on every process."""
    return map_reduce(lambda: None, lambda _: function())


def merge(states: list[State]) -> State:
    """One metric's states of all processes as if one process had seen all batches in their order.

    >>> from torch import tensor
    >>> merge([{"sum": tensor(1), "rows": [tensor(0), tensor(2)]}, {"sum": tensor(2), "rows": [tensor(1)]}])
    {'sum': tensor(3), 'rows': [tensor(0), tensor(1), tensor(2)]}
    """
    merged: State = {}
    for name, first in states[0].items():
        values = [state[name] for state in states]
        merged[name] = interleave(values) if isinstance(first, list) else sum(values[1:], first)
    return merged


def interleave(lists: list[list[T]]) -> list[T]:
    """What processes took in turn, in its order again.

    >>> interleave([["a", "c"], ["b"]])
    ['a', 'b', 'c']
    """
    size = len(lists)
    return [lists[i % size][i // size] for i in range(sum(map(len, lists)))]


def _attempt(function: Callable[[], Any]) -> Any:
    try:
        return function()
    except FreqganError as error:
        return error


def _value(outcome: Any) -> Any:
    if isinstance(outcome, FreqganError):
        raise outcome
    return outcome
