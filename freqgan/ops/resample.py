"""Resizing as MATLAB's `imresize` does it, the reference of super-resolution.

Kernels are widened by the reduction factor (antialiasing), borders are mirrored with the edge repeated
(symmetric), and pixel centres are aligned: a pixel of a reduction by s covers s·s pixels. Cubic: R. Keys, "Cubic
convolution interpolation for digital image processing", 1981, with a = -1/2. Weights follow MATLAB's
`contributions`, in float64: positions u = x / scale + (1 - 1 / scale) / 2 counted from 1, then each row divided by
its sum.

Float images go through one matrix per axis, dense unless the axis is long. Bytes go through the taps one after the
other in float64 and are rounded after each axis, half away from zero, the axis that shrinks more coming first: as
MATLAB does for uint8. Cubic reductions by 2, 4 and 8 have sums that float64 holds exactly, and those by odd numbers
none half-way between two bytes, so that no order of summation could give other bytes.
"""

import math
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from freqgan.ops.linear import constant, linear

if TYPE_CHECKING:
    from scipy import sparse

Kernel = Literal["nearest", "box", "bilinear", "bicubic", "lanczos2", "lanczos3"]
Size = tuple[int, int]

_LARGEST = 2**23  # entries of a dense matrix
_WIDTHS: dict[Kernel, int] = {"nearest": 1, "box": 1, "bilinear": 2, "bicubic": 4, "lanczos2": 4, "lanczos3": 6}


class _Axis(NamedTuple):
    """How one axis is resized: everything that its weights depend on."""

    old: int
    new: int
    scale: float
    kernel: Kernel
    antialias: bool


def resize(
    image: Shaped[Tensor, "*b h w"], size: Size | float, *, kernel: Kernel = "bicubic", antialias: bool = True
) -> Shaped[Tensor, "*b new_h new_w"]:
    """`imresize(image, size)`: linear and differentiable on floats, rounded to bytes on bytes.

    Args:
        image: uint8, or floats, which come back in float32 at least; sides of any length from 1.
        size: new height and width, or the factor for both sides, whose fractions are rounded up.
        kernel: "box" reduced by a whole number averages; "nearest" is never antialiased.
        antialias: widen the kernel where the image shrinks.

    Raises:
        ValueError: a new side is less than 1.

    >>> resize(torch.tensor([[0, 255]], dtype=torch.uint8), (1, 4))
    tensor([[  0,  52, 203, 255]], dtype=torch.uint8)
    """
    height, width = image.shape[-2:]
    rows, columns = (_axis(old, size, place, kernel, antialias) for place, old in enumerate((height, width)))
    if image.dtype == torch.uint8:
        return _resize_bytes(image, rows, columns)
    image = image.to(torch.promote_types(image.dtype, torch.float32))
    (resized,) = linear(partial(_multiply, rows, columns), partial(_transposed, rows, columns), image)
    return resized


def reach(scale: float, *, kernel: Kernel = "bicubic", antialias: bool = True) -> int:
    """How far from a new pixel's centre the old pixels it is made of can lie, in old pixels, rounded up.

    >>> reach(1 / 4), reach(4)
    (8, 2)
    """
    return math.ceil(_support(scale, kernel, antialias) / 2)


def mirrored(positions: np.ndarray, length: int) -> np.ndarray:
    """Indices within an axis that symmetric padding finds at any positions.

    >>> mirrored(np.arange(-3, 5), 2).tolist()
    [1, 1, 0, 0, 1, 1, 0, 0]
    """
    folded: np.ndarray = positions % (2 * length)
    return np.where(folded < length, folded, 2 * length - 1 - folded)


def _axis(old: int, size: Size | float, place: int, kernel: Kernel, antialias: bool) -> _Axis:
    if isinstance(size, tuple):
        new, scale = size[place], size[place] / old
    else:
        # The small number: 1/3 of 321 is 107, and not one more if the product falls above it.
        new, scale = math.ceil(size * old - 1e-9), float(size)
    if new < 1:
        raise ValueError(f"size={size}: a side of {old} would become {new}, wanted at least 1")
    return _Axis(old, new, scale, kernel, antialias)


def _support(scale: float, kernel: Kernel, antialias: bool) -> float:
    return _WIDTHS[kernel] / (scale if scale < 1 and antialias and kernel != "nearest" else 1.0)


@lru_cache(maxsize=256)
def _taps(axis: _Axis) -> tuple[np.ndarray, np.ndarray]:
    """Weights (new, taps) and the old pixels that they belong to, of an axis: MATLAB's `contributions`."""
    _, new, scale, kernel, _ = axis
    support = _support(scale, kernel, axis.antialias)
    shrink = _WIDTHS[kernel] / support
    centre = np.arange(1, new + 1) / scale + 0.5 * (1 - 1 / scale)
    first = np.floor(centre - support / 2)
    indices = first[:, None] + np.arange(math.ceil(support) + 2)
    weights = shrink * _value(kernel, shrink * (centre[:, None] - indices))
    weights /= weights.sum(1, keepdims=True)
    return weights, mirrored(indices.astype(np.int64) - 1, axis.old)


def _value(kernel: Kernel, x: np.ndarray) -> np.ndarray:
    if kernel in ("nearest", "box"):
        return np.where((x >= -0.5) & (x < 0.5), 1.0, 0.0)
    if kernel in ("lanczos2", "lanczos3"):
        lobes = _WIDTHS[kernel] // 2
        return np.where(np.abs(x) < lobes, np.sinc(x) * np.sinc(x / lobes), 0.0)
    x = np.abs(x)
    if kernel == "bilinear":
        return np.where(x < 1, 1 - x, 0.0)
    inner, outer = 1.5 * x**3 - 2.5 * x**2 + 1, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return np.where(x <= 1, inner, np.where(x <= 2, outer, 0.0))


def _multiply(rows: _Axis, columns: _Axis, image: Float[Tensor, "*b h w"]) -> tuple[Tensor, ...]:
    return (_along(-1, _matrix(columns), _along(-2, _matrix(rows), image)),)


def _transposed(rows: _Axis, columns: _Axis, image: Float[Tensor, "*b new_h new_w"]) -> tuple[Tensor, ...]:
    return (_along(-1, _matrix(columns).T, _along(-2, _matrix(rows).T, image)),)


def _along(place: Literal[-2, -1], matrix: "np.ndarray | sparse.sparray", image: Float[Tensor, "*b h w"]) -> Tensor:
    """The product of a matrix and all lines that lie along a dimension of an image."""
    if isinstance(matrix, np.ndarray):
        factor = constant(matrix, image)
        return factor @ image if place == -2 else image @ factor.T
    taps = matrix.tocoo()
    places = torch.from_numpy(np.stack(taps.coords)).to(image.device)
    factor = torch.sparse_coo_tensor(places, constant(taps.data, image), taps.shape, check_invariants=False)
    lines = image.movedim(place, 0)
    product: Tensor = torch.sparse.mm(factor, lines.reshape(len(lines), -1))
    return product.reshape(-1, *lines.shape[1:]).movedim(0, place)


def _matrix(axis: _Axis) -> "np.ndarray | sparse.sparray":
    """The matrix (new, old) of an axis, dense unless it is large; not kept then either."""
    if axis.new * axis.old > _LARGEST:
        return _sparse(axis)
    weights, indices = _taps(axis)
    matrix = np.zeros((axis.new, axis.old))
    np.add.at(matrix, (np.arange(axis.new)[:, None], indices), weights)
    return matrix


@lru_cache(maxsize=256)
def _sparse(axis: _Axis) -> "sparse.csr_array":
    """The same matrix as taps in order: SciPy adds up each sum from the first tap to the last, for any image."""
    from scipy import sparse

    weights, indices = _taps(axis)
    counted = weights != 0
    ends = np.concatenate(([0], counted.sum(1).cumsum()))
    return sparse.csr_array((weights[counted], indices[counted], ends), shape=(axis.new, axis.old))


def _resize_bytes(image: Tensor, rows: _Axis, columns: _Axis) -> Tensor:
    pixels = image.cpu().numpy()
    for axis, place in sorted(((rows, -2), (columns, -1)), key=lambda pass_: pass_[0].scale):
        lines = np.moveaxis(pixels, place, 0)
        sums = _sparse(axis) @ np.array(lines, np.float64, order="C").reshape(axis.old, -1)
        np.floor(np.add(sums, 0.5, out=sums), out=sums)
        pixels = np.moveaxis(sums.clip(0, 255, out=sums).reshape(axis.new, *lines.shape[1:]), 0, place)
    return torch.from_numpy(pixels.astype(np.uint8, order="C")).to(image.device)
