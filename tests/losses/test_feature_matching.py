import pytest
import torch
from torch import Tensor

from freqgan.losses import feature_matching


def outputs(seed: int, *, layers: int = 5, scales: int = 3) -> list[list[Tensor]]:
    random = torch.Generator().manual_seed(seed)
    return [[torch.randn(2, i + 1, 9 - i, 8, generator=random) for i in range(layers)] for _ in range(scales)]


@pytest.mark.parametrize(("layers", "count"), [("but_last", 4), ("all", 5)])
def test_it_is_the_published_sum(layers: str, count: int) -> None:
    fake, real = outputs(0), outputs(1)
    total = 0.0
    for of_fake, of_real in zip(fake, real, strict=True):
        for x, y in zip(of_fake[:count], of_real[:count], strict=True):
            total += (1 / 3) * (4 / (3 + 1)) * (x - y).abs().sum().item() / x.numel()
    assert feature_matching(fake, real, layers=layers).item() == pytest.approx(total)  # type: ignore[arg-type]


def test_deeper_discriminators_do_not_weigh_more() -> None:
    fake, real = outputs(0, layers=3, scales=1), outputs(1, layers=3, scales=1)
    distances = [(x - y).abs().mean() for x, y in zip(fake[0], real[0], strict=True)]
    torch.testing.assert_close(feature_matching(fake, real), 2 * (distances[0] + distances[1]))


def test_real_images_are_constants_and_logits_are_left_out() -> None:
    fake, real = ([[x.requires_grad_() for x in scale] for scale in outputs(seed)] for seed in (0, 1))
    feature_matching(fake, real).backward()
    assert all(x.grad is None for scale in real for x in scale)
    assert all(x.grad is not None and x.grad.abs().sum() > 0 for scale in fake for x in scale[:-1])
    assert all(scale[-1].grad is None for scale in fake)


def test_equal_images_have_no_distance() -> None:
    assert feature_matching(outputs(0), outputs(0), layers="all") == 0


def test_other_numbers_of_discriminators_or_layers_are_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        feature_matching(outputs(0), outputs(1, scales=2))
    with pytest.raises(ValueError, match="zip"):
        feature_matching(outputs(0), outputs(1, layers=4))
