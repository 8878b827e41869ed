"""Wavelets by lifting with mirrored borders: any side of at least 2, odd ones too, exactly invertible.

Daubechies and Sweldens, "Factoring wavelet transforms into lifting steps" (1998), §7.7. The signal is
mirrored about its first and last sample (JPEG 2000; PyWavelets' mode "reflect"). Scale, sign and phase are
PyWavelets': away from the borders the coefficients equal those of its mode "periodization".
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Lifting:
    """A filter bank along one axis, as steps that add a multiple of the two neighbours' sum.

    The steps change the high (odd) and the low (even) samples by turns, beginning with the high ones.

    Attributes:
        steps: the multiple of each step.
        low_scale: factor of the low coefficients after the last step.
        high_scale: the same of the high coefficients.
    """

    steps: tuple[float, ...]
    low_scale: float
    high_scale: float

    def split(self, x: Tensor, axis: int, *, dual: bool = False) -> tuple[Tensor, Tensor]:
        """The ⌈n/2⌉ low and ⌊n/2⌋ high coefficients along `axis`, -1 or -2; `dual` as in `FilterBank`."""
        low_scale, high_scale = self._scales(inverse=dual)
        low, high = _every_other(x, axis, 0) * low_scale, _every_other(x, axis, 1) * high_scale
        self._step_through(low, high, axis, backwards=False, dual=dual)
        return low, high

    def merge(self, low: Tensor, high: Tensor, axis: int, *, dual: bool = False) -> Tensor:
        """The inverse of `split` with the same `dual`."""
        low, high = low.clone(), high.clone()
        self._step_through(low, high, axis, backwards=True, dual=dual)
        shape = list(low.shape)
        shape[axis] += high.shape[axis]
        x = low.new_empty(shape)
        low_scale, high_scale = self._scales(inverse=not dual)
        torch.mul(low, low_scale, out=_every_other(x, axis, 0))
        torch.mul(high, high_scale, out=_every_other(x, axis, 1))
        return x

    def _scales(self, *, inverse: bool) -> tuple[float, float]:
        return (1 / self.low_scale, 1 / self.high_scale) if inverse else (self.low_scale, self.high_scale)

    def _step_through(self, low: Tensor, high: Tensor, axis: int, *, backwards: bool, dual: bool) -> None:
        # The samples are scaled already, which saves a pass; so each step's multiple is rescaled to suit.
        ratio = self.high_scale / self.low_scale
        multiples = [step / ratio if i % 2 else step * ratio for i, step in enumerate(self.steps)]
        sign = -1 if backwards != dual else 1
        for i in reversed(range(len(multiples))) if backwards else range(len(multiples)):
            pairs = _low_and_neighbours(low, high, axis) if i % 2 else _high_and_neighbours(low, high, axis)
            for changed, added in pairs:
                # The transpose of a step adds the other way round.
                target, source = (added, changed) if dual else (changed, added)
                target.add_(source, alpha=sign * multiples[i])


def _every_other(x: Tensor, axis: int, start: int) -> Tensor:
    return x[..., start::2] if axis == -1 else x[..., start::2, :]


def _high_and_neighbours(low: Tensor, high: Tensor, axis: int) -> Iterator[tuple[Tensor, Tensor]]:
    n_low, n_high = low.shape[axis], high.shape[axis]
    inner = min(n_high, n_low - 1)
    yield high, low.narrow(axis, 0, n_high)
    yield high.narrow(axis, 0, inner), low.narrow(axis, 1, inner)
    if n_low == n_high:
        yield high.narrow(axis, n_high - 1, 1), low.narrow(axis, n_low - 1, 1)


def _low_and_neighbours(low: Tensor, high: Tensor, axis: int) -> Iterator[tuple[Tensor, Tensor]]:
    n_low, n_high = low.shape[axis], high.shape[axis]
    yield low.narrow(axis, 0, n_high), high
    yield low.narrow(axis, 1, n_low - 1), high.narrow(axis, 0, n_low - 1)
    yield low.narrow(axis, 0, 1), high.narrow(axis, 0, 1)
    if n_low > n_high:
        yield low.narrow(axis, n_low - 1, 1), high.narrow(axis, n_high - 1, 1)


# By PyWavelets' names: bior4.4 is CDF 9/7, bior2.2 is CDF 5/3. Both high-pass filters there have a negative
# centre.
LIFTINGS = {
    "bior2.2": Lifting((-1 / 2, 1 / 4), math.sqrt(2), -1 / math.sqrt(2)),
    "bior4.4": Lifting(
        (-1.586134342059924, -0.052980118572961, 0.882911075530934, 0.443506852043971),
        1.149604398860241,
        -1 / 1.149604398860241,
    ),
}
