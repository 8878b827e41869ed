"""How well images are segmented, against their own label maps; and a segmenter that judges others' images."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from math import isnan
from pathlib import Path
from typing import Any, Literal, final

import torch
from torch import Tensor

from freqgan.limits import Count
from freqgan.metrics import ranks
from freqgan.metrics.confusion import class_ious, confusion, segmentation_scores
from freqgan.metrics.eight_bit import to_eight_bit
from freqgan.metrics.real_cache import read, write
from freqgan.ops.global_batch import rank, world_size

Segment = Callable[[Tensor], Tensor]
Sample = Mapping[str, Any]
Samples = Callable[..., Iterable[Sample]]
Scores = dict[str, float]


@final
@dataclass(frozen=True)
class JudgeSegmenter:
    """A trained segmenter, as far as judging needs it.

    Args:
        segment: images (b, c, h, w) in [-1, 1] to classes (b, h, w).
        num_classes: that it tells apart.
        hash: of its weights.
        run: that trained it.
    """

    segment: Segment
    num_classes: int
    hash: str
    run: str

    def confusion(self, image: Tensor, label_map: Tensor) -> Tensor:
        """What it takes an image's pixels for, by their labels, see `freqgan.metrics.confusion`."""
        return confusion(self.segment(image), label_map, self.num_classes)


def confusion_on_real(judge: JudgeSegmenter, samples: Callable[[], Iterable[Sample]], *, file: Path) -> Tensor:
    """What a judge takes pixels of real images for, kept in a file: how far it can be trusted.

    With several processes, each calls this and gets the same numbers.

    Args:
        judge: is asked.
        samples: with `image` and `label_map`, one by one.
        file: where the numbers are kept.
    """
    known = ranks.on_first(lambda: read(file, ["counts"]))
    if known is not None:
        return known["counts"]

    def measure() -> Tensor:
        own = islice(samples(), rank(), None, world_size())
        return summed((judge.confusion(to_eight_bit(s["image"]), s["label_map"]) for s in own), judge.num_classes)

    def finish(parts: list[Tensor]) -> Tensor:
        counts = summed(parts, judge.num_classes)
        write(file, {"counts": counts})
        return counts

    return ranks.map_reduce(measure, finish)


def summed(counts: Iterable[Tensor], num_classes: int) -> Tensor:
    """The sum of confusions, each of so many classes."""
    return sum(counts, torch.zeros(num_classes, num_classes, dtype=torch.int64))


@final
class SegmentationProtocol:
    """Mean IoU, pixel accuracy and class accuracy over all pixels of a split, and the IoU of every class.

    Args:
        num_images: take only so many, evenly drawn and named in the metrics; None takes all.
    """

    KIND = "segmentation"
    split: Literal["train", "val"] = "val"

    def __init__(self, *, num_images: Count | None = None) -> None:
        self.num_images = num_images

    @property
    def name(self) -> str:
        """Names the numbers: protocols of equal name are comparable on the same images."""
        return f"segmentation{self._count}"

    def small(self) -> "SegmentationProtocol":
        """The same on two images: to find mistakes, not to compare."""
        return SegmentationProtocol(num_images=2)

    @torch.no_grad()
    def evaluate(self, segment: Segment, samples: Samples, class_names: Sequence[str]) -> Scores:
        """Every metric by name; with several processes, each calls this and gets the same numbers.

        Args:
            segment: an image (1, c, h, w) in [-1, 1] to its classes (1, h, w).
            samples: given `limit`, samples with `image` and `label_map`, one by one.
            class_names: of all classes.

        Returns:
            `mean_iou`, `pixel_accuracy`, `class_accuracy`, see `freqgan.metrics.confusion`, and `iou_<class>` of every
            class that is there or was found.

        Raises:
            UserError: no pixel has a label.
        """
        num_classes = len(class_names)

        def measure() -> Tensor:
            own = islice(samples(limit=self.num_images), rank(), None, world_size())
            return summed((confusion(segment(s["image"]), s["label_map"], num_classes) for s in own), num_classes)

        return ranks.map_reduce(measure, lambda parts: self._scores(summed(parts, num_classes), class_names))

    def _scores(self, counts: Tensor, class_names: Sequence[str]) -> Scores:
        ious = zip(class_names, class_ious(counts), strict=True)
        scores = segmentation_scores(counts) | {f"iou_{name}": iou for name, iou in ious if not isnan(iou)}
        return {f"{name}{self._count}": value for name, value in scores.items()}

    @property
    def _count(self) -> str:
        return "" if self.num_images is None else f"_n{self.num_images}"
