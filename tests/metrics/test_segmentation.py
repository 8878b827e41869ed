"""Judging segmenters by label maps, and what a segmenter finds in real images."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from freqgan.metrics import JudgeSegmenter, SegmentationProtocol, higher_is_better
from freqgan.metrics.confusion import confusion
from freqgan.metrics.eight_bit import to_eight_bit
from freqgan.metrics.segmentation import confusion_on_real
from tests.forked import on_ranks

CLASSES, NAMES = 3, ("sky", "road", "car")


def maps() -> list[dict[str, Tensor]]:
    """Images whose first channel says their labels, but for a few pixels."""
    random = torch.Generator().manual_seed(0)
    samples = []
    for _ in range(5):
        labels = torch.randint(2, (1, 4, 6), generator=random)  # no cars
        image = (labels.float()[:, None] - 1).expand(-1, 3, -1, -1).clone()
        image[..., 0, 0] = 0.0
        samples.append({"image": image, "label_map": labels})
    return samples


def samples(limit: int | None = None) -> Iterator[dict[str, Tensor]]:
    yield from maps()[:limit]


def segment(image: Tensor) -> Tensor:
    return (image[:, 0] + 1).round().long()


def test_scores_are_over_all_pixels() -> None:
    values = SegmentationProtocol().evaluate(segment, samples, NAMES)
    assert [*values] == ["mean_iou", "pixel_accuracy", "class_accuracy", "iou_sky", "iou_road"]
    counts = sum(confusion(segment(s["image"]), s["label_map"], CLASSES) for s in maps())
    assert isinstance(counts, Tensor)
    assert values["pixel_accuracy"] == pytest.approx(float(counts.diagonal().sum() / counts.sum()))
    assert values["iou_sky"] == pytest.approx(float(counts[0, 0] / (counts[0].sum() + counts[1, 0])))
    assert values["mean_iou"] == pytest.approx((values["iou_sky"] + values["iou_road"]) / 2)
    assert all(higher_is_better(name) for name in values)


def test_processes_change_nothing(tmp_path: Path) -> None:
    values = SegmentationProtocol().evaluate(segment, samples, NAMES)
    assert on_ranks(2, tmp_path, lambda: SegmentationProtocol().evaluate(segment, samples, NAMES)) == [values] * 2


def test_names_say_how_many_there_were() -> None:
    protocol = SegmentationProtocol(num_images=3)
    assert protocol.name == "segmentation_n3"
    assert next(iter(protocol.evaluate(segment, samples, NAMES))) == "mean_iou_n3"
    assert protocol.small().name == "segmentation_n2"


def test_what_is_found_in_real_images_is_kept(tmp_path: Path) -> None:
    asked: list[Tensor] = []

    def seen(image: Tensor) -> Tensor:
        asked.append(image)
        return segment(image)

    judge = JudgeSegmenter(seen, CLASSES, "hash", "run")
    counts = [confusion_on_real(judge, samples, file=tmp_path / "counts.pt") for _ in range(2)]
    assert torch.equal(*counts)
    assert len(asked) == 5
    assert all(torch.equal(image, to_eight_bit(s["image"])) for image, s in zip(asked, maps(), strict=True))
    expected: Any = sum(confusion(segment(to_eight_bit(s["image"])), s["label_map"], CLASSES) for s in maps())
    assert torch.equal(counts[0], expected)
