"""The two-dimensional discrete wavelet transform with any PyWavelets filter, critically sampled and exact.

Names, signs and phase are PyWavelets' (`LL` = cA, `HL` = cV, `LH` = cH, `HH` = cD). Its "periodization" wraps
the signal round; an odd side is first extended by its last sample, and the last high coefficient, which the
others imply, is left out. "reflect" mirrors the signal (`freqgan.ops.lifting`).

Short sides multiply by one dense matrix per axis, which on a CPU beats every convolution of torch; long ones
add shifted copies or lift. Constants are NumPy arrays and become tensors per call: a cached tensor could
belong to another device, to `inference_mode` or to a trace of `torch.export`.
"""

from functools import lru_cache, partial
from typing import Literal

import numpy as np
import pywt
from jaxtyping import Float
from torch import Tensor

from freqgan.ops.filter_bank import FilterBank, MatrixBank, PeriodicBank, Taps
from freqgan.ops.haar import FourBands
from freqgan.ops.lifting import LIFTINGS
from freqgan.ops.linear import linear

Mode = Literal["periodization", "reflect"]

# Longest sides for which the matrix wins, measured in float32 on one core.
_MATRIX_SIDE = {"periodization": 256, "reflect": 96}


def dwt(image: Float[Tensor, "*b h w"], wavelet: str, mode: Mode = "periodization") -> FourBands:
    """One level: (LL, HL, LH, HH) with sides ⌈n/2⌉ for the low and ⌊n/2⌋ for the high direction."""
    rows, columns = (filter_bank(wavelet, mode, side) for side in image.shape[-2:])
    analysis, adjoint = partial(_analyse, rows, columns, False), partial(_synthesise, rows, columns, True)
    ll, hl, lh, hh = linear(analysis, adjoint, image)
    return ll, hl, lh, hh


def inverse_dwt(
    ll: Float[Tensor, "*b h w"],
    hl: Float[Tensor, "*b h w2"],
    lh: Float[Tensor, "*b h2 w"],
    hh: Float[Tensor, "*b h2 w2"],
    wavelet: str,
    mode: Mode = "periodization",
) -> Float[Tensor, "*b h_image w_image"]:
    """The image whose `dwt` bands these are; its sides follow from the bands' shapes."""
    sides = ll.shape[-2] + lh.shape[-2], ll.shape[-1] + hl.shape[-1]
    rows, columns = (filter_bank(wavelet, mode, side) for side in sides)
    synthesis, adjoint = partial(_synthesise, rows, columns, False), partial(_analyse, rows, columns, True)
    (image,) = linear(synthesis, adjoint, ll, hl, lh, hh)
    return image


@lru_cache(maxsize=256)
def filter_bank(wavelet: str, mode: Mode, side: int) -> FilterBank:
    """The fastest exact filter bank for one side of at least 2."""
    if side > _MATRIX_SIDE[mode]:
        if mode == "reflect":
            return LIFTINGS[wavelet]
        if side % 2 == 0 and _reconstructs(wavelet):
            return PeriodicBank(_taps(wavelet, dual=False), _taps(wavelet, dual=True))
    matrix = analysis_matrix(wavelet, mode, side)
    return MatrixBank(matrix, np.linalg.inv(matrix))


@lru_cache(maxsize=256)
def condition_number(wavelet: str, mode: Mode, side: int) -> float:
    """How much one level along one axis can amplify rounding errors on the way back: 1 is orthonormal."""
    # Only the border's shape matters, so a longer side of the same parity adds nothing but time.
    return float(np.linalg.cond(analysis_matrix(wavelet, mode, min(side, 128 + side % 2))))


def analysis_matrix(wavelet: str, mode: Mode, side: int, *, dual: bool = False) -> np.ndarray:
    """The float64 matrix (side, side) from a signal to its ⌈side/2⌉ low, then its ⌊side/2⌋ high coefficients.

    With `dual`, that of the synthesis filters; a periodized even side's two matrices are each other's
    transposed inverse.
    """
    low, high = _taps(wavelet, dual=dual)
    n_low = (side + 1) // 2
    matrix = np.zeros((side, side))
    for row in range(side):
        centre, taps = (2 * row, low) if row < n_low else (2 * (row - n_low), high)
        for offset, weight in taps:
            matrix[row, _inside(centre + offset, side, mode)] += weight
    return matrix


def _inside(index: int, side: int, mode: Mode) -> int:
    if mode == "periodization":
        return min(index % (side + side % 2), side - 1)
    index %= 2 * (side - 1)
    return min(index, 2 * (side - 1) - index)


@lru_cache(maxsize=256)
def _taps(wavelet: str, *, dual: bool) -> tuple[Taps, Taps]:
    """Low and high coefficient k as pairs (offset from sample 2k, weight), in PyWavelets' phase."""
    filters = pywt.Wavelet(wavelet)
    half = filters.dec_len // 2
    both = (filters.rec_lo, filters.rec_hi) if dual else (filters.dec_lo, filters.dec_hi)
    low, high = (
        tuple((j + 1 - half if dual else half - j, float(weight)) for j, weight in enumerate(taps) if weight)
        for taps in both
    )
    return low, high


@lru_cache(maxsize=256)
def _reconstructs(wavelet: str) -> bool:
    """Whether the filters as stored invert each other: dmey's, cut to 62 taps, are off by 2e-3."""
    side = 2 * pywt.Wavelet(wavelet).dec_len
    analysis = analysis_matrix(wavelet, "periodization", side)
    dual = analysis_matrix(wavelet, "periodization", side, dual=True)
    return bool(np.abs(analysis @ dual.T - np.eye(side)).max() < 1e-9)


def _analyse(rows: FilterBank, columns: FilterBank, dual: bool, image: Tensor) -> tuple[Tensor, ...]:
    low, high = columns.split(image, -1, dual=dual)
    ll, lh = rows.split(low, -2, dual=dual)
    hl, hh = rows.split(high, -2, dual=dual)
    return ll, hl, lh, hh


def _synthesise(
    rows: FilterBank, columns: FilterBank, dual: bool, ll: Tensor, hl: Tensor, lh: Tensor, hh: Tensor
) -> tuple[Tensor, ...]:
    low, high = rows.merge(ll, lh, -2, dual=dual), rows.merge(hl, hh, -2, dual=dual)
    return (columns.merge(low, high, -1, dual=dual),)
