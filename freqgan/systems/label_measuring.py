"""How images made of label maps are measured, and label maps made of images."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import torch
from torch import Tensor

from freqgan.data.stream import collate
from freqgan.errors import UserError
from freqgan.metrics import LabelToImageProtocol, NoEvaluation, SegmentationProtocol
from freqgan.ops.keyed_random import key
from freqgan.systems.measuring import measure_samples
from freqgan.systems.rules import Batch, Scores


@final
@dataclass(frozen=True)
class Synthesis:
    """A system that makes images of label maps, as far as measuring needs it.

    Args:
        results: a completed batch, and a seed for each of its rows, to images in [-1, 1].
        completed: adds instances to a batch that has labels alone.
        num_classes: of the label maps.
        varied: whether results of other seeds differ.
    """

    results: Callable[[Batch, Sequence[int]], Tensor]
    completed: Callable[[Batch], Batch]
    num_classes: int
    varied: bool


def measure_synthesized(
    synthesis: Synthesis, protocol: Any, data: Any, split: str, cache_dir: Path, *, seed: int
) -> Scores:
    """Runs a protocol of `freqgan.metrics` on results for the label maps of a split, taken round and round if need be.

    Args:
        synthesis: makes the results.
        protocol: what is measured.
        data: the data module.
        split: of the data.
        cache_dir: where what is found of real images is kept.
        seed: of what is drawn for the results.

    Raises:
        UserError: the protocol judges something else.
    """
    if isinstance(protocol, LabelToImageProtocol):

        def synthesize(sample: Any, number: int, look: int) -> Tensor:
            return synthesis.results(sample, [key(seed, "measured", number, look)])

        def samples(limit: int | None) -> Iterable[Batch]:
            return map(synthesis.completed, data.evaluation_pairs(split, limit=limit))

        return protocol.evaluate(
            synthesize,
            samples,
            num_classes=synthesis.num_classes,
            varied=synthesis.varied,
            fingerprint=f"{data.fingerprint()}_{split}",
            cache_dir=cache_dir,
        )
    dataset = data.dataset(split)

    def result(number: int) -> Tensor:
        batch = synthesis.completed(collate([data.sample(split, number % len(dataset))]))
        return synthesis.results(batch, [key(seed, "measured", number)])

    def drawn(first: int, count: int) -> Tensor:
        return torch.cat([result(number) for number in range(first, first + count)])

    return measure_samples(drawn, protocol, data, split, cache_dir, fitting="label_to_image")


def measure_segmented(
    segment: Callable[[Tensor], Tensor],
    samples: Callable[..., Iterable[Batch]],
    protocol: Any,
    class_names: Sequence[str],
) -> Scores:
    """Runs a protocol of `freqgan.metrics` on the classes that are found in images.

    Args:
        segment: images to classes.
        samples: given `limit`, samples with `image` and `label_map`, one by one.
        protocol: what is measured.
        class_names: of all classes.

    Raises:
        UserError: the protocol judges something else.
    """
    if isinstance(protocol, NoEvaluation):
        return {}
    if not isinstance(protocol, SegmentationProtocol):
        raise UserError("this model makes no images, it segments them: set metrics=segmentation")
    return protocol.evaluate(segment, samples, class_names)
