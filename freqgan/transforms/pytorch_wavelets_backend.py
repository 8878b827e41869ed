"""The transforms of pytorch-wavelets 1.3, fenced in where that library is wrong.

- It imports `pkg_resources`, gone since setuptools 82, for a part that is not used here: an empty stand-in
  lives while the import lasts.
- Gradients are its own adjoint filters, joined by `freqgan.ops.linear`: its autograd functions drop the high
  bands' gradient when the low band needs none, and fail under autocast.
- Its filters are passed in the image's precision: its modules would hold float32 ones for float64 images.
- Only even sides and "periodization": elsewhere its gradients are wrong at the borders, or the bands redundant.
"""

import importlib.util
import sys
import warnings
from functools import lru_cache, partial
from types import ModuleType
from typing import Any

import numpy as np
import pywt
from jaxtyping import Float
from torch import Tensor

from freqgan.errors import UserError
from freqgan.ops.haar import FourBands
from freqgan.ops.linear import constant, linear


def dwt(image: Float[Tensor, "b c h w"], wavelet: str) -> FourBands:
    """One periodized level: (LL, HL, LH, HH); both sides must be even and not shorter than the filter."""
    analysis = pywt.Wavelet(wavelet).filter_bank[:2]
    # torch convolves without turning the filter round.
    filters = tuple(np.array(taps[::-1]) for taps in analysis)
    ll, hl, lh, hh = linear(partial(_split, filters), partial(_merge, filters), image)
    return ll, hl, lh, hh


def inverse_dwt(
    ll: Float[Tensor, "b c h w"],
    hl: Float[Tensor, "b c h w"],
    lh: Float[Tensor, "b c h w"],
    hh: Float[Tensor, "b c h w"],
    wavelet: str,
) -> Float[Tensor, "b c 2*h 2*w"]:
    """The image whose `dwt` bands these are."""
    filters = tuple(np.array(taps) for taps in pywt.Wavelet(wavelet).filter_bank[2:])
    (image,) = linear(partial(_merge, filters), partial(_split, filters), ll, hl, lh, hh)
    return image


@lru_cache(maxsize=1)
def library() -> ModuleType:
    """The package `pytorch_wavelets`.

    Raises:
        UserError: if the library is not installed or does not import.
    """
    stand_in = ModuleType("pkg_resources")
    stand_in.resource_stream = None  # type: ignore[attr-defined]
    missing = importlib.util.find_spec("pkg_resources") is None
    if missing:
        sys.modules["pkg_resources"] = stand_in
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return importlib.import_module("pytorch_wavelets")
    except ImportError as error:
        raise UserError(
            f"transform.backend=pytorch_wavelets does not import ({error}): install pytorch-wavelets, or set "
            "transform.backend=native"
        ) from error
    finally:
        if missing:
            del sys.modules["pkg_resources"]


def _split(filters: tuple[np.ndarray, ...], image: Tensor) -> tuple[Tensor, ...]:
    low, high = (constant(taps, image) for taps in filters)
    # Channel by channel: (low, high) along the width, then both of these along the height.
    columns = library().dwt.lowlevel.afb1d(image, low, high, mode="periodization", dim=3)
    both = library().dwt.lowlevel.afb1d(columns, low, high, mode="periodization", dim=2)
    ll, lh, hl, hh = both.unflatten(1, (-1, 4)).unbind(2)
    return ll.contiguous(), hl.contiguous(), lh.contiguous(), hh.contiguous()


def _merge(filters: tuple[np.ndarray, ...], *bands: Tensor) -> tuple[Tensor, ...]:
    ll, hl, lh, hh = bands
    low, high = (constant(taps, ll) for taps in filters)
    synthesis: Any = library().dwt.lowlevel.sfb1d
    left = synthesis(ll, lh, low, high, mode="periodization", dim=2)
    right = synthesis(hl, hh, low, high, mode="periodization", dim=2)
    return (synthesis(left, right, low, high, mode="periodization", dim=3),)
