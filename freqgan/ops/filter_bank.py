"""Invertible two-channel filter banks along one axis: matrices for short sides, shifted sums for long ones.

The third kind, lifting, is in `freqgan.ops.lifting`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from freqgan.ops.linear import constant

Taps = tuple[tuple[int, float], ...]


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


@dataclass(frozen=True, eq=False)
class MatrixBank:
    """Any linear bank for one side: O(n) per sample, yet the fastest way while n is small.

    Attributes:
        analysis: float64 (n, n), the low coefficients' rows above the high ones'.
        synthesis: its inverse.
    """

    analysis: np.ndarray
    synthesis: np.ndarray

    def split(self, x: Tensor, axis: int, *, dual: bool = False) -> tuple[Tensor, Tensor]:
        """`analysis @ x`, or `synthesis.T @ x` for the dual bank, in its two halves."""
        matrix = constant(self.synthesis.T if dual else self.analysis, x)
        n_low = (len(matrix) + 1) // 2
        low, high = matrix[:n_low], matrix[n_low:]
        return (x @ low.mT, x @ high.mT) if axis == -1 else (low @ x, high @ x)

    def merge(self, low: Tensor, high: Tensor, axis: int, *, dual: bool = False) -> Tensor:
        """`synthesis @ x`, or `analysis.T @ x` for the dual bank."""
        matrix = constant(self.analysis.T if dual else self.synthesis, low)
        x = torch.cat((low, high), dim=axis)
        return x @ matrix.mT if axis == -1 else matrix @ x


@dataclass(frozen=True, eq=False)
class PeriodicBank:
    """A finite filter bank that wraps round an even side, as weighted sums of shifted copies.

    Plain sums beat torch's strided and transposed convolutions on a CPU, and no GPU setting makes them TF32.

    Attributes:
        taps: low and high coefficient k as pairs (offset from sample 2k, weight).
        dual_taps: the same of the dual bank.
    """

    taps: tuple[Taps, Taps]
    dual_taps: tuple[Taps, Taps]

    def split(self, x: Tensor, axis: int, *, dual: bool = False) -> tuple[Tensor, Tensor]:
        """Coefficient k is the sum over taps of weight · x[2k + offset]."""
        samples = (x[..., 0::2], x[..., 1::2]) if axis == -1 else (x[..., 0::2, :], x[..., 1::2, :])
        low, high = (
            [(offset % 2, offset // 2, weight) for offset, weight in taps]
            for taps in (self.dual_taps if dual else self.taps)
        )
        return _shifted_sum(samples, low, axis), _shifted_sum(samples, high, axis)

    def merge(self, low: Tensor, high: Tensor, axis: int, *, dual: bool = False) -> Tensor:
        """The transpose of the other bank's `split`."""
        both = self.taps if dual else self.dual_taps
        even, odd = (
            [
                (band, -(offset // 2), weight)
                for band, taps in enumerate(both)
                for offset, weight in taps
                if offset % 2 == phase
            ]
            for phase in (0, 1)
        )
        bands = (low, high)
        phases = _shifted_sum(bands, even, axis), _shifted_sum(bands, odd, axis)
        return (
            torch.stack(phases, dim=-1).flatten(-2)
            if axis == -1
            else torch.stack(phases, dim=-2).flatten(-3, -2)
        )


def _shifted_sum(inputs: Sequence[Tensor], terms: Sequence[tuple[int, int, float]], axis: int) -> Tensor:
    """Σ weight · inputs[which] read `shift` further on, wrapping round, over terms (which, shift, weight)."""
    n = inputs[0].shape[axis]
    before, after = -min(shift for _, shift, _ in terms), max(shift for _, shift, _ in terms)
    before, after = max(before, 0), max(after, 0)
    wrapped = [
        torch.cat((x.narrow(axis, n - before, before), x, x.narrow(axis, 0, after)), axis) for x in inputs
    ]
    (which, shift, weight), *rest = terms
    total = wrapped[which].narrow(axis, before + shift, n) * weight
    for which, shift, weight in rest:
        total.add_(wrapped[which].narrow(axis, before + shift, n), alpha=weight)
    return total
