"""How systems are measured: those whose samples stand for themselves, and those that make images of images."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor

from freqgan.errors import UserError
from freqgan.metrics import LabelToImageProtocol, NoEvaluation
from freqgan.systems.painted_measuring import measure_painted
from freqgan.systems.rules import Scores
from freqgan.systems.translating import Direction, Translate

_JUDGED = {
    "generation": "images made of chance",
    "label_to_image": "images made of label maps",
    "restoration": "images against their originals",
    "retrieval": "vectors of images and captions",
    "segmentation": "label maps made of images",
    "text_to_image": "images made of captions",
    "translation": "images of one domain made of another's",
}


def measure_samples(
    samples: Callable[[int, int], Tensor],
    protocol: Any,
    data: Any,
    split: str,
    cache_dir: Path,
    *,
    bands: Callable[[Tensor], dict[str, Tensor]] | None = None,
    fitting: str = "generation",
) -> Scores:
    """Runs a protocol of `freqgan.metrics` on samples 0 … n against a split of the data.

    Args:
        samples: (first, count) to images in [-1, 1].
        protocol: what is measured.
        data: the data module.
        split: of the data.
        cache_dir: where statistics of the real images are kept.
        bands: images to the bands whose values are compared.
        fitting: name of the protocol that is made for what the samples are made of.

    Raises:
        UserError: the protocol judges something else.
    """
    _refuse_others(protocol, "generation", "this model draws samples", fitting)
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
    _refuse_others(protocol, "restoration", "this model restores images")
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
    _refuse_others(protocol, "retrieval", "this model makes no images, it finds them")
    if isinstance(protocol, NoEvaluation):
        return {}
    values: Scores = protocol.evaluate(images, captions, pairs)
    return values


def measure_translated(
    translate: Mapping[Direction, Translate],
    protocol: Any,
    data: Any,
    split: str,
    cache_dir: Path,
    *,
    seed: int,
    varied: bool,
) -> Scores:
    """Runs a protocol of `freqgan.metrics` on translations.

    Args:
        translate: by direction, an image (1, c, h, w) to one of the other domain, in [-1, 1].
        protocol: what is measured.
        data: the data module, of two domains.
        split: of the data.
        cache_dir: where numbers that do not depend on the system are kept.
        seed: of what is drawn for the results.
        varied: whether results of other seeds differ.

    Raises:
        UserError: the protocol judges something else.
    """
    if isinstance(protocol, LabelToImageProtocol):
        return measure_painted(translate, protocol, data, split, cache_dir, seed=seed, varied=varied)
    _refuse_others(protocol, "translation", "this model translates images")
    if isinstance(protocol, NoEvaluation):
        return {}
    seeded = {direction: partial(function, seed=seed) for direction, function in translate.items()}
    values: Scores = protocol.evaluate(seeded, data, split=split, cache_dir=cache_dir)
    return values


def _refuse_others(protocol: Any, wanted: str, this: str, fitting: str | None = None) -> None:
    """Refuses a protocol of ours that judges what a model does not make, and names the one that fits it best."""
    kind = getattr(protocol, "KIND", None)
    if kind not in (None, wanted):
        raise UserError(f"metrics={kind} judges {_JUDGED[kind]}, {this}: set metrics={fitting or wanted}")
