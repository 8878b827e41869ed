"""How systems whose samples stand for themselves are measured."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import Tensor

from freqgan.errors import UserError
from freqgan.metrics import RestorationProtocol
from freqgan.systems.rules import Scores


def measure_samples(
    samples: Callable[[int, int], Tensor],
    protocol: Any,
    data: Any,
    split: str,
    cache_dir: Path,
    *,
    bands: Callable[[Tensor], dict[str, Tensor]] | None = None,
) -> Scores:
    """Runs a protocol of `freqgan.metrics` on samples 0 … n against a split of the data.

    Args:
        samples: (first, count) to images in [-1, 1].
        protocol: what is measured.
        data: the data module.
        split: of the data.
        cache_dir: where statistics of the real images are kept.
        bands: images to the bands whose values are compared.

    Raises:
        UserError: the protocol judges something else.
    """
    if isinstance(protocol, RestorationProtocol):
        raise UserError(
            "metrics=restoration compares images with their originals, samples have none: set metrics=generation"
        )
    values: Scores = protocol.evaluate(
        samples,
        lambda: data.evaluation_images(split),
        fingerprint=f"{data.fingerprint()}_{split}",
        cache_dir=cache_dir,
        bands=bands,
    )
    return values
