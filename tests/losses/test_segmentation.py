from math import log

import pytest
import torch
import torch.nn.functional as F

from freqgan.losses import rarity, segmentation_loss


def example() -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(0)
    labels = torch.randint(3, (4, 5, 6), generator=random)
    labels[0, :2], labels[1], labels[2, 0, 0] = 255, 7, -1
    return torch.randn(4, 3, 5, 6, generator=random), labels


@pytest.mark.parametrize("weights", [None, [0.5, 1.0, 3.0]])
def test_it_is_the_mean_over_images_of_means_over_their_labelled_pixels(weights: list[float] | None) -> None:
    logits, labels = example()
    of_images = []
    for image, of_image in zip(logits, labels, strict=True):
        losses = []
        for y in range(5):
            for x in range(6):
                label = int(of_image[y, x])
                if 0 <= label < 3:
                    loss = image[:, y, x].logsumexp(0) - image[label, y, x]
                    losses.append(loss * (1.0 if weights is None else weights[label]))
        of_images.append(torch.stack(losses).mean() if losses else torch.tensor(0.0))
    given = None if weights is None else torch.tensor(weights)
    torch.testing.assert_close(segmentation_loss(logits, labels, given), torch.stack(of_images).mean())


def test_parts_of_a_batch_have_its_mean() -> None:
    logits, labels = example()
    halves = [segmentation_loss(logits[part], labels[part]) for part in (slice(2), slice(2, 4))]
    torch.testing.assert_close(torch.stack(halves).mean(), segmentation_loss(logits, labels))


def test_gradients_are_finite_and_pixels_without_a_label_have_none() -> None:
    logits, labels = example()
    logits.requires_grad_()
    segmentation_loss(logits, labels).backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
    known = (labels >= 0) & (labels < 3)
    assert not logits.grad.movedim(1, -1)[~known].any()
    assert logits.grad.movedim(1, -1)[known].any()


def test_where_all_pixels_have_labels_it_is_pytorch_s() -> None:
    logits, labels = torch.randn(2, 3, 4, 4), torch.randint(3, (2, 4, 4))
    torch.testing.assert_close(segmentation_loss(logits, labels), F.cross_entropy(logits, labels))


def test_rare_classes_weigh_more() -> None:
    maps = [torch.tensor([[[0, 0, 0, 0], [0, 0, 1, 255]]]), torch.tensor([[[0, 0, 9, -3]]])]
    weights = rarity(maps, 3, least=1.02)
    raw = [1 / log(1.02 + share) for share in (8 / 9, 1 / 9, 0.0)]
    mean = raw[0] * 8 / 9 + raw[1] / 9
    torch.testing.assert_close(weights, torch.tensor([value / mean for value in raw]))
    assert rarity([], 2, least=1.1).isfinite().all()
