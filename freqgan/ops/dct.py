"""The orthonormal DCT-II of whole images and of blocks.

Whole images multiply by a matrix per axis up to a side of 256 and go through a real FFT above (Makhoul, "A
fast cosine transform in one and two dimensions", 1980). Blocks multiply by their 2-D basis: unlike a
convolution, a GPU does not compute that in TF32 unless told to.
"""

import math
from functools import lru_cache, partial

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from freqgan.ops.linear import constant, linear

# The longest side for which the matrix wins, measured in float32 on one core.
_MATRIX_SIDE = 256


Size = tuple[int, int]


def dct(image: Float[Tensor, "*b h w"], kept: Size | None = None) -> Float[Tensor, "*b h_kept w_kept"]:
    """The orthonormal two-dimensional DCT-II: `scipy.fft.dctn(image, axes=(-2, -1), norm="ortho")`.

    Args:
        image: real images.
        kept: how many of the lowest coefficients to return per axis; all by default.
    """
    size = _size(image)
    (coefficients,) = linear(partial(_dct, kept or size), partial(_inverse_dct, size), image)
    return coefficients


def inverse_dct(coefficients: Float[Tensor, "*b h_kept w_kept"], size: Size | None = None) -> Float[Tensor, "*b h w"]:
    """The image with these DCT coefficients.

    Args:
        coefficients: all, or the lowest ones; the others are zero.
        size: the image's sides; by default as many as there are coefficients.
    """
    kept = _size(coefficients)
    (image,) = linear(partial(_inverse_dct, size or kept), partial(_dct, kept), coefficients)
    return image


def block_dct(image: Float[Tensor, "*b h w"], block_size: int) -> Float[Tensor, "*b n h_blocks w_blocks"]:
    """The DCT of every block of block_size² pixels: block_size² coefficients in JPEG's zig-zag order."""
    basis = zigzag_basis(block_size)
    (coefficients,) = linear(partial(_block_dct, basis), partial(_inverse_block_dct, basis), image)
    return coefficients


def inverse_block_dct(coefficients: Float[Tensor, "*b n h_blocks w_blocks"]) -> Float[Tensor, "*b h w"]:
    """The image whose `block_dct` this is."""
    basis = zigzag_basis(math.isqrt(coefficients.shape[-3]))
    (image,) = linear(partial(_inverse_block_dct, basis), partial(_block_dct, basis), coefficients)
    return image


@lru_cache(maxsize=64)
def dct_matrix(n: int) -> np.ndarray:
    """The float64 matrix (n, n) of the orthonormal DCT-II: row k is the k-th cosine."""
    # Whole turns are taken off in integers: cosines of large angles would lose two digits.
    quarter_turns = np.outer(np.arange(n), 2 * np.arange(n) + 1) % (4 * n) / n
    return _norms(n)[:, None] * np.cos(np.pi / 2 * quarter_turns)


@lru_cache(maxsize=8)
def zigzag_basis(block_size: int) -> np.ndarray:
    """The float64 matrix (n, n) of a block's 2-D DCT, n = block_size², rows in zig-zag order."""
    cosines = dct_matrix(block_size)
    # JPEG walks the anti-diagonals up and down by turns: even ones upwards, along rising columns.
    order = sorted(np.ndindex(block_size, block_size), key=lambda uv: (sum(uv), uv[(sum(uv) + 1) % 2]))
    return np.stack([np.outer(cosines[u], cosines[v]).ravel() for u, v in order])


def _norms(n: int) -> np.ndarray:
    norms = np.full(n, math.sqrt(2 / n))
    norms[0] = math.sqrt(1 / n)
    return norms


def _size(image: Tensor) -> Size:
    return image.shape[-2], image.shape[-1]


def _dct(kept: Size, image: Tensor) -> tuple[Tensor, ...]:
    return (_dct_along(_dct_along(image, -2, kept[0]), -1, kept[1]).contiguous(),)


def _inverse_dct(size: Size, coefficients: Tensor) -> tuple[Tensor, ...]:
    return (_inverse_dct_along(_inverse_dct_along(coefficients, -1, size[1]), -2, size[0]).contiguous(),)


def _dct_along(x: Tensor, axis: int, kept: int) -> Tensor:
    n = x.shape[axis]
    if n <= _MATRIX_SIDE:
        matrix = constant(dct_matrix(n)[:kept], x)
        return x @ matrix.mT if axis == -1 else matrix @ x
    x = x.movedim(axis, -1)
    folded = torch.cat((x[..., 0::2], x[..., 1::2].flip(-1)), dim=-1)
    turned = torch.fft.rfft(folded) * constant(_quarter_turns(n), x)
    y = torch.cat((turned.real, -turned.imag[..., 1 : (n + 1) // 2].flip(-1)), dim=-1)
    return (y * constant(_norms(n), x))[..., :kept].movedim(-1, axis)


def _inverse_dct_along(y: Tensor, axis: int, n: int) -> Tensor:
    kept = y.shape[axis]
    if n <= _MATRIX_SIDE:
        matrix = constant(dct_matrix(n)[:kept], y)
        return y @ matrix if axis == -1 else matrix.mT @ y
    y = F.pad(y.movedim(axis, -1), (0, n - kept)) / constant(_norms(n), y)
    mirrored = F.pad(y[..., (n + 1) // 2 :].flip(-1), (1, 0))
    turned = torch.complex(y[..., : n // 2 + 1], -mirrored)
    folded = torch.fft.irfft(turned * constant(_quarter_turns(n).conj(), y), n=n)
    x = torch.empty_like(folded)
    x[..., 0::2], x[..., 1::2] = folded[..., : (n + 1) // 2], folded[..., (n + 1) // 2 :].flip(-1)
    return x.movedim(-1, axis)


def _quarter_turns(n: int) -> np.ndarray:
    turns: np.ndarray = np.exp(-0.5j * np.pi * np.arange(n // 2 + 1) / n)
    return turns


def _block_dct(basis: np.ndarray, image: Tensor) -> tuple[Tensor, ...]:
    side = math.isqrt(len(basis))
    rows, columns = image.shape[-2] // side, image.shape[-1] // side
    blocks = image.unflatten(-1, (columns, side)).unflatten(-3, (rows, side)).transpose(-3, -2)
    flat = blocks.flatten(-4, -3).flatten(-2)  # (*b, rows·columns, side²)
    return ((constant(basis, image) @ flat.mT).unflatten(-1, (rows, columns)),)


def _inverse_block_dct(basis: np.ndarray, coefficients: Tensor) -> tuple[Tensor, ...]:
    side = math.isqrt(len(basis))
    flat = coefficients.flatten(-2).mT @ constant(basis, coefficients)  # (*b, rows·columns, side²)
    blocks = flat.unflatten(-1, (side, side)).unflatten(-3, coefficients.shape[-2:])
    return (blocks.transpose(-3, -2).flatten(-4, -3).flatten(-2),)
