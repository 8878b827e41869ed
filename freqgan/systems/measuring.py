"""How systems are measured: those whose samples stand for themselves, and those that make images of images."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from freqgan.errors import UserError
from freqgan.metrics import GenerationProtocol, NoEvaluation, RestorationProtocol, RetrievalProtocol
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
    _refuse_retrieval(protocol, "set metrics=generation")
    values: Scores = protocol.evaluate(
        samples,
        lambda: data.evaluation_images(split),
        fingerprint=f"{data.fingerprint()}_{split}",
        cache_dir=cache_dir,
        bands=bands,
    )
    return values


def measure_restored(
    restore: Callable[[Tensor], Tensor],
    pairs: Callable[[], Iterable[Mapping[str, Any]]],
    protocol: Any,
    data: Any,
    split: str,
    cache_dir: Path,
) -> Scores:
    """Runs a protocol of `freqgan.metrics` on what a system makes of images that it is given.

    Args:
        restore: `image_low` (1, c, h, w) to an image, in [-1, 1].
        pairs: samples with `image_low` and `image`, one by one.
        protocol: what is measured.
        data: the data module.
        split: of the data, that the pairs are of.
        cache_dir: where the numbers of plain enlargement are kept.

    Raises:
        UserError: the protocol judges something else.
    """
    if isinstance(protocol, GenerationProtocol):
        raise UserError(
            "metrics=generation judges images made of chance, these have originals: set metrics=restoration"
        )
    _refuse_retrieval(protocol, "set metrics=restoration")
    fingerprint = f"{data.fingerprint()}_{split}"
    values: Scores = protocol.evaluate(restore, pairs, fingerprint=fingerprint, cache_dir=cache_dir)
    return values


def measure_retrieval(
    images: Callable[[Tensor], Tensor],
    captions: Callable[[Sequence[str]], Tensor],
    pairs: Callable[[], Iterable[Mapping[str, Any]]],
    protocol: Any,
) -> Scores:
    """Runs a protocol of `freqgan.metrics` on vectors of images and captions.

    Args:
        images: to their vectors.
        captions: to their vectors.
        pairs: samples with `image` and all captions, one by one.
        protocol: what is measured.

    Raises:
        UserError: the protocol judges something else.
    """
    if isinstance(protocol, NoEvaluation):
        return {}
    if not isinstance(protocol, RetrievalProtocol):
        raise UserError("this model makes no images, it finds them: set metrics=retrieval")
    return protocol.evaluate(images, captions, pairs)


def _refuse_retrieval(protocol: Any, fix: str) -> None:
    if isinstance(protocol, RetrievalProtocol):
        raise UserError(f"metrics=retrieval judges vectors of images and captions, this model makes images: {fix}")
