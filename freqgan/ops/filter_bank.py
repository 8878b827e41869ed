"""Invertible two-channel filter banks along one axis: what they promise, and those given by their matrix.

The other kind, lifting, is in `freqgan.ops.lifting`.
"""

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple, Protocol, final, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from freqgan.ops.linear import constant

# Longer sides are cut into blocks of about 64 samples, to skip the zeros beside the matrix's diagonal.
_WHOLE_SIDE, _BLOCK, _GAP = 96, 64, 16


@runtime_checkable
class FilterBank(Protocol):
    """An invertible bank along one axis (-1 or -2) of a tensor with any leading axes.

    `split` and `merge` invert each other. With `dual=True` both belong to the dual bank, the transposed
    inverse: so `merge(dual=True)` is the adjoint of `split()`, and `split(dual=True)` the adjoint of
    `merge()`.
    """

    def split(self, x: Tensor, axis: int, *, dual: bool = False) -> tuple[Tensor, Tensor]:
        """The ⌈n/2⌉ low and ⌊n/2⌋ high coefficients."""

    def merge(self, low: Tensor, high: Tensor, axis: int, *, dual: bool = False) -> Tensor:
        """The signal with these coefficients."""


@final
class MatrixBank:
    """The bank of one side given by its matrix: on a CPU faster than any convolution of torch.

    Args:
        analysis: float64 (n, n), the rows of the ⌈n/2⌉ low coefficients above those of the high ones.
    """

    def __init__(self, analysis: np.ndarray) -> None:
        synthesis = np.linalg.inv(analysis)
        # Rounding noise hides the zeros, and its smallest numbers are subnormal in float32: a hundred times slower.
        synthesis[np.abs(synthesis) < 1e-15] = 0
        n = len(analysis)
        n_low = (n + 1) // 2
        self._split = {
            dual: (_blocks(matrix[:n_low], n), _blocks(matrix[n_low:], n))
            for dual, matrix in ((False, analysis), (True, synthesis.T))
        }
        self._merge = {
            dual: _blocks(matrix, n_low, n - n_low) for dual, matrix in ((False, synthesis), (True, analysis.T))
        }

    def split(self, x: Tensor, axis: int, *, dual: bool = False) -> tuple[Tensor, Tensor]:
        """The low and the high coefficients."""
        low, high = self._split[dual]
        return _product(low, axis, x), _product(high, axis, x)

    def merge(self, low: Tensor, high: Tensor, axis: int, *, dual: bool = False) -> Tensor:
        """The signal with these coefficients."""
        return _product(self._merge[dual], axis, low, high)


class _Run(NamedTuple):
    """What some rows of a matrix take from a run of one input's samples."""

    which: int
    start: int
    weights: np.ndarray


_Rows = tuple[_Run, ...]


def _blocks(matrix: np.ndarray, *widths: int) -> tuple[_Rows, ...]:
    """Cut a matrix whose columns belong to inputs of these widths into blocks of rows without their zeros."""
    side = sum(widths)
    whole = side <= _WHOLE_SIDE
    blocks = []
    for rows in [matrix] if whole else np.array_split(matrix, side // _BLOCK):
        used = np.arange(side) if whole else np.flatnonzero(rows.any(axis=0))
        runs = []
        for which, (first, end) in enumerate(pairwise(accumulate(widths, initial=0))):
            own = used[(first <= used) & (used < end)]
            for run in np.split(own, np.flatnonzero(np.diff(own) > _GAP) + 1):
                if run.size:
                    weights = np.ascontiguousarray(rows[:, run[0] : run[-1] + 1])
                    runs.append(_Run(which, int(run[0]) - first, weights))
        blocks.append(tuple(runs))
    return tuple(blocks)


def _product(blocks: Sequence[_Rows], axis: int, *inputs: Tensor) -> Tensor:
    flat = [x.reshape(-1, *x.shape[axis:]) for x in inputs]  # (rows, n) or (images, n, width)
    length = sum(len(runs[0].weights) for runs in blocks)
    product = flat[0].new_empty(flat[0].shape[0], length, *flat[0].shape[2:])
    start = 0
    for runs in blocks:
        out = product.narrow(1, start, len(runs[0].weights))
        start += out.shape[1]
        for number, run in enumerate(runs):
            weights = constant(run.weights, out)
            x = flat[run.which].narrow(1, run.start, weights.shape[1])
            beta = min(number, 1)  # the first run fills, the others add
            if axis == -1:
                torch.addmm(out, x, weights.mT, beta=beta, out=out)
            else:
                torch.baddbmm(out, weights.expand(x.shape[0], -1, -1), x, beta=beta, out=out)
    return product.view(*inputs[0].shape[:axis], length, *inputs[0].shape[axis:][1:])
