import math

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from freqgan.ops.fourier import low_passes, radial_masks


def image(height: int, width: int) -> Tensor:
    return torch.randn(2, 3, height, width, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def by_full_transform(x: Tensor, cutoff: float, rolloff: float) -> Tensor:
    """torch's complex transform, masked coefficient by coefficient."""
    spectrum = torch.fft.fft2(x)
    height, width = x.shape[-2:]
    for u in range(height):
        for v in range(width):
            radius = 2 * math.hypot(min(u, height - u) / height, min(v, width - v) / width)
            through = min(max((radius / cutoff - 1) / rolloff + 0.5, 0.0), 1.0)
            spectrum[..., u, v] *= math.cos(math.pi / 2 * through) ** 2
    filtered = torch.fft.ifft2(spectrum)
    assert filtered.imag.abs().max() < 1e-12
    return filtered.real


@pytest.mark.parametrize("size", [(8, 8), (9, 6), (5, 7)])
def test_values_are_those_of_torchs_full_transform(size: tuple[int, int]) -> None:
    x = image(*size)
    for low, cutoff in zip(low_passes(x, (0.3, 0.6), 0.5), (0.3, 0.6), strict=True):
        torch.testing.assert_close(low, by_full_transform(x, cutoff, 0.5), rtol=0, atol=1e-12)


def test_masks() -> None:
    (soft,), (sharp,) = radial_masks(64, 64, (0.5,), 0.5), radial_masks(64, 64, (0.5,), 0.0)
    assert soft.shape == (64, 33)
    assert soft[0, 0] == 1
    assert soft[0, 16] == pytest.approx(0.5)
    assert soft[0, 12] == pytest.approx(1)
    assert soft[0, 20] == pytest.approx(0)
    assert set(sharp.ravel()) == {0.0, 1.0}
    assert (sharp[0] == [1.0] * 17 + [0.0] * 16).all()


def test_a_wave_passes_below_its_cutoff_only() -> None:
    x = torch.cos(2 * math.pi * 5 / 32 * torch.arange(32, dtype=torch.float64)).expand(1, 1, 32, 32)
    below, above = low_passes(x, (0.2, 0.45), 0.25)
    torch.testing.assert_close(below, torch.zeros_like(x), rtol=0, atol=1e-12)
    torch.testing.assert_close(above, x, rtol=0, atol=1e-12)


@pytest.mark.parametrize("size", [(4, 6), (5, 3)])
def test_gradients(size: tuple[int, int]) -> None:
    x = image(*size)[:1, :1].requires_grad_()
    assert gradcheck(lambda x: low_passes(x, (0.4, 0.7), 0.5), x)
    assert gradgradcheck(lambda x: low_passes(x, (0.4, 0.7), 0.5), x)
