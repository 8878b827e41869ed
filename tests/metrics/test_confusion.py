from math import isnan, nan

import pytest
import torch
from torchmetrics.functional.classification import multiclass_confusion_matrix, multiclass_jaccard_index

from freqgan.errors import UserError
from freqgan.metrics.confusion import class_ious, confusion, segmentation_scores


def maps(classes: int) -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(0)
    found, labels = (torch.randint(classes, (3, 8, 9), generator=random) for _ in range(2))
    labels[0, :3], labels[1, 2], labels[2, 0, 0] = 255, classes, -1
    return found, labels


def test_it_counts_as_torchmetrics_does() -> None:
    found, labels = maps(5)
    known = labels.where((labels >= 0) & (labels < 5), 255)
    expected = multiclass_confusion_matrix(found, known, 5, ignore_index=255)
    assert torch.equal(confusion(found, labels, 5), expected)
    scores = segmentation_scores(expected)
    iou = multiclass_jaccard_index(found, known, 5, average="macro", ignore_index=255)
    assert scores["mean_iou"] == pytest.approx(float(iou), abs=1e-6)


def test_scores_by_hand() -> None:
    # Classes 0 and 1 are there, 2 was found where there is none of it, and 3 is neither.
    counts = torch.tensor([[6, 2, 0, 0], [1, 2, 1, 0], [0, 0, 0, 0], [0, 0, 0, 0]])
    assert class_ious(counts)[:3] == pytest.approx([6 / 9, 2 / 6, 0.0])
    assert isnan(class_ious(counts)[3])
    assert segmentation_scores(counts) == pytest.approx(
        {"mean_iou": (6 / 9 + 2 / 6) / 3, "pixel_accuracy": 8 / 12, "class_accuracy": (6 / 8 + 2 / 4) / 2}
    )


def test_perfect_maps_have_one() -> None:
    _, labels = maps(4)
    counts = confusion(labels.clamp(0, 3), labels, 4)
    assert segmentation_scores(counts) == {"mean_iou": 1.0, "pixel_accuracy": 1.0, "class_accuracy": 1.0}


def test_maps_without_a_label_have_no_score() -> None:
    empty = confusion(torch.zeros(1, 2, 2, dtype=torch.int64), torch.full((1, 2, 2), 255), 3)
    assert not empty.any()
    assert class_ious(empty) == pytest.approx([nan] * 3, nan_ok=True)
    with pytest.raises(UserError, match="no pixel of these label maps has a class"):
        segmentation_scores(empty)
