"""Numbers that are not finite, found by name."""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor


def not_finite(tensors: Mapping[str, Tensor]) -> Iterator[str]:
    """The names of the tensors that hold an infinity or no number.

    >>> [*not_finite({"weight": torch.ones(2), "bias": torch.tensor(float("nan")), "steps": torch.tensor(3)})]
    ['bias']
    """
    return (name for name, x in tensors.items() if x.is_floating_point() and not bool(torch.isfinite(x).all()))
