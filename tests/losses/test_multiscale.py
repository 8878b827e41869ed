import pytest
import torch

from freqgan.losses import multiscale_l1


def pyramid(seed: int) -> dict[int, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {s: torch.randn(2, 3, 4 * s, 5 * s, generator=generator) for s in (1, 2, 4)}


def test_value_is_the_sum_of_each_scales_mean() -> None:
    images, targets = pyramid(0), pyramid(1)
    expected = sum(float((images[s] - targets[s]).abs().sum()) / images[s].numel() for s in images)
    assert multiscale_l1(images, targets).item() == pytest.approx(expected, rel=1e-6)
    assert multiscale_l1(images, images).item() == 0


def test_every_scale_has_a_gradient_of_its_own_size() -> None:
    images = {s: x.requires_grad_() for s, x in pyramid(0).items()}
    multiscale_l1(images, pyramid(1)).backward()
    for x in images.values():
        assert x.grad is not None
        torch.testing.assert_close(x.grad.abs(), torch.full_like(x, 1 / x.numel()))


def test_scales_without_a_target_are_no_loss() -> None:
    with pytest.raises(KeyError):
        multiscale_l1(pyramid(0), {1: pyramid(1)[1]})
