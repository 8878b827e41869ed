"""The two-dimensional discrete wavelet transform with any PyWavelets filter, critically sampled and exact.

Names, signs and phase are PyWavelets' (`LL` = cA, `HL` = cV, `LH` = cH, `HH` = cD). Its "periodization" wraps
the signal round; an odd side is first extended by its last sample, and the last high coefficient, which the
others imply, is left out. "reflect" mirrors the signal (`freqgan.ops.lifting`).

Every filter is a matrix per axis, cut into blocks along its diagonal where the side is long; mirrored borders
are lifted instead when it is long.
"""

from functools import lru_cache, partial
from typing import Literal

import numpy as np
import pywt
from jaxtyping import Float
from torch import Tensor

from freqgan.ops.filter_bank import FilterBank, MatrixBank
from freqgan.ops.haar import FourBands
from freqgan.ops.lifting import LIFTINGS
from freqgan.ops.linear import linear

Mode = Literal["periodization", "reflect"]

# The longest side for which the matrix is no slower than lifting, measured in float32 on one core.
_LIFTING_SIDE = 256


def dwt(image: Float[Tensor, "*b h w"], wavelet: str, mode: Mode = "periodization") -> FourBands:
    """One level: (LL, HL, LH, HH) with sides ⌈n/2⌉ for the low and ⌊n/2⌋ for the high direction."""
    rows, columns = (filter_bank(wavelet, mode, side) for side in image.shape[-2:])
    analysis, adjoint = partial(_analyse, rows, columns, False), partial(_synthesise, rows, columns, True)
    ll, hl, lh, hh = linear(analysis, adjoint, image)
    return ll, hl, lh, hh


def inverse_dwt(
    ll: Float[Tensor, "*b h_low w_low"],
    hl: Float[Tensor, "*b h_low w_high"],
    lh: Float[Tensor, "*b h_high w_low"],
    hh: Float[Tensor, "*b h_high w_high"],
    wavelet: str,
    mode: Mode = "periodization",
) -> Float[Tensor, "*b h w"]:
    """The image whose `dwt` bands these are; its sides follow from the bands' shapes."""
    sides = ll.shape[-2] + lh.shape[-2], ll.shape[-1] + hl.shape[-1]
    rows, columns = (filter_bank(wavelet, mode, side) for side in sides)
    synthesis, adjoint = partial(_synthesise, rows, columns, False), partial(_analyse, rows, columns, True)
    (image,) = linear(synthesis, adjoint, ll, hl, lh, hh)
    return image


@lru_cache(maxsize=256)
def filter_bank(wavelet: str, mode: Mode, side: int) -> FilterBank:
    """The filter bank for one side of at least 2, the faster one where there are two."""
    if mode == "reflect" and side > _LIFTING_SIDE:
        return LIFTINGS[wavelet]
    return MatrixBank(analysis_matrix(wavelet, mode, side))


@lru_cache(maxsize=256)
def condition_number(wavelet: str, mode: Mode, side: int) -> float:
    """How much one level along one axis can amplify rounding errors on the way back: 1 is orthonormal."""
    # Only the border's shape matters, so a longer side of the same parity adds nothing but time.
    return float(np.linalg.cond(analysis_matrix(wavelet, mode, min(side, 128 + side % 2))))


def analysis_matrix(wavelet: str, mode: Mode, side: int) -> np.ndarray:
    """The float64 matrix (side, side) from a signal to its ⌈side/2⌉ low, then its ⌊side/2⌋ high coefficients."""
    filters = pywt.Wavelet(wavelet)
    n_low, half = (side + 1) // 2, filters.dec_len // 2
    matrix = np.zeros((side, side))
    for row in range(side):
        k, taps = (row, filters.dec_lo) if row < n_low else (row - n_low, filters.dec_hi)
        for j, weight in enumerate(taps):
            matrix[row, _inside(2 * k + half - j, side, mode)] += weight
    return matrix


def _inside(index: int, side: int, mode: Mode) -> int:
    if mode == "periodization":
        return min(index % (side + side % 2), side - 1)
    index %= 2 * (side - 1)
    return min(index, 2 * (side - 1) - index)


def _analyse(rows: FilterBank, columns: FilterBank, dual: bool, image: Tensor) -> tuple[Tensor, ...]:
    # Along the height first: products there come one per image, and like its full width.
    low, high = rows.split(image, -2, dual=dual)
    return *columns.split(low, -1, dual=dual), *columns.split(high, -1, dual=dual)


def _synthesise(
    rows: FilterBank, columns: FilterBank, dual: bool, ll: Tensor, hl: Tensor, lh: Tensor, hh: Tensor
) -> tuple[Tensor, ...]:
    low, high = columns.merge(ll, hl, -1, dual=dual), columns.merge(lh, hh, -1, dual=dual)
    return (rows.merge(low, high, -2, dual=dual),)
