"""The two-dimensional Haar transform by slices and butterflies, orthonormal for even sides.

Signs and names are PyWavelets' (`LL` = cA, `HL` = cV, `LH` = cH, `HH` = cD). An odd side is extended by
repeating its last sample, as PyWavelets does; the high coefficients of that pair are zero and are left out,
so the transform stays critically sampled and exact.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from freqgan.ops.linear import linear

FourBands = tuple[
    Float[Tensor, "*b h_low w_low"],
    Float[Tensor, "*b h_low w_high"],
    Float[Tensor, "*b h_high w_low"],
    Float[Tensor, "*b h_high w_high"],
]


def haar(image: Float[Tensor, "*b h w"]) -> FourBands:
    """One level: (LL, HL, LH, HH) with sides ⌈n/2⌉ for the low and ⌊n/2⌋ for the high direction."""
    height, width = image.shape[-2:]
    if height % 2:
        image = torch.cat((image, image[..., -1:, :]), dim=-2)
    if width % 2:
        image = torch.cat((image, image[..., -1:]), dim=-1)
    ll, hl, lh, hh = linear(_butterflies, _inverse_butterflies, image)
    h, w = height // 2, width // 2
    return ll, hl[..., :w], lh[..., :h, :], hh[..., :h, :w]


def inverse_haar(
    ll: Float[Tensor, "*b h_low w_low"],
    hl: Float[Tensor, "*b h_low w_high"],
    lh: Float[Tensor, "*b h_high w_low"],
    hh: Float[Tensor, "*b h_high w_high"],
) -> Float[Tensor, "*b h w"]:
    """The image whose `haar` bands these are; its sides follow from the bands' shapes."""
    rows, columns = ll.shape[-2] - lh.shape[-2], ll.shape[-1] - hl.shape[-1]
    if rows or columns:
        hl, lh, hh = F.pad(hl, (0, columns)), F.pad(lh, (0, 0, 0, rows)), F.pad(hh, (0, columns, 0, rows))
    (image,) = linear(_inverse_butterflies, _butterflies, ll, hl, lh, hh)
    return image[..., : image.shape[-2] - rows, : image.shape[-1] - columns]


def _butterflies(image: Tensor) -> tuple[Tensor, ...]:
    # Rows first: contiguous runs vectorise, and only the second pass reads every other number.
    even, odd = image[..., 0::2, :], image[..., 1::2, :]
    low = torch.lerp(even, odd, 0.5)  # (even + odd) / 2 in one pass
    high = even - low
    low_even, low_odd, high_even, high_odd = low[..., 0::2], low[..., 1::2], high[..., 0::2], high[..., 1::2]
    return low_even + low_odd, low_even - low_odd, high_even + high_odd, high_even - high_odd


def _inverse_butterflies(ll: Tensor, hl: Tensor, lh: Tensor, hh: Tensor) -> tuple[Tensor, ...]:
    *lead, h, w = ll.shape
    halves = ll.new_empty(2, *lead, h, w, 2)
    for half, low, high in zip(halves, (ll, lh), (hl, hh), strict=True):
        torch.add(low, high, out=half[..., 0])
        torch.sub(low, high, out=half[..., 1])
    low_rows, high_rows = halves.flatten(-2)
    image = ll.new_empty(*lead, h, 2, 2 * w)
    even, odd = image.unbind(-2)
    torch.lerp(low_rows, high_rows, 0.5, out=even)
    torch.sub(low_rows, even, out=odd)
    return (image.flatten(-3, -2),)
