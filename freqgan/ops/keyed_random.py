"""Stateless randomness: every draw is a function of (seed, purpose, position), so no generator state is ever saved.

A purpose is a short word such as "noise" or "augment". Keys are mixed by `numpy.random.SeedSequence`, never added:
neighbouring seeds and positions give unrelated streams.
"""

import zlib
from functools import lru_cache

import numpy as np
import torch


def key(seed: int, purpose: str, *position: int) -> int:
    """A 63-bit key of (seed, purpose, position…), all non-negative.

    >>> key(0, "noise", 1) == key(0, "noise", 1), key(0, "noise", 1) == key(0, "noise", 2)
    (True, False)
    """
    words = np.random.SeedSequence((seed, zlib.crc32(purpose.encode()), *position)).generate_state(2, np.uint32)
    return (int(words[0]) << 31) ^ int(words[1])


def torch_generator(seed: int, purpose: str, *position: int) -> torch.Generator:
    """A CPU generator of its own for (seed, purpose, position…)."""
    return torch.Generator().manual_seed(key(seed, purpose, *position))


def numpy_generator(seed: int, purpose: str, *position: int) -> np.random.Generator:
    """A NumPy generator of its own for (seed, purpose, position…)."""
    return np.random.default_rng(np.random.SeedSequence((seed, zlib.crc32(purpose.encode()), *position)))


@lru_cache(maxsize=8)
def permutation(seed: int, purpose: str, epoch: int, n: int) -> np.ndarray:
    """The order of pass `epoch` over n items, int64; sample k of a run is `permutation(…, k // n, n)[k % n]`."""
    order = numpy_generator(seed, purpose, epoch).permutation(n)
    order.setflags(write=False)
    return order
