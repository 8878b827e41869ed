import math

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from freqgan.ops.fourier import double, halve, low_passes, radial_masks


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


def at_new_centres(x: Tensor, rolloff: float) -> Tensor:
    """The low-passed Fourier series of torch's complex transform, evaluated in the middle of the new pixels."""
    spectrum = torch.fft.fft2(x)
    (height, width), waves = x.shape[-2:], []
    for n in (height, width):
        m = n - n // 2
        frequencies = torch.fft.fftfreq(n, 1 / n, dtype=torch.float64)
        centres = (torch.arange(m, dtype=torch.float64) + 0.5) * n / m - 0.5
        wave = torch.exp(2j * math.pi * frequencies * centres[:, None] / n) / n
        waves.append(wave * (2 * frequencies.abs() < m))
    for u in range(height):
        for v in range(width):
            radius = 2 * math.hypot(min(u, height - u) / height, min(v, width - v) / width)
            through = radius * (2 + rolloff) - 1
            through = min(max(through / rolloff + 0.5, 0.0), 1.0) if rolloff else float(through > 1e-9)
            spectrum[..., u, v] *= math.cos(math.pi / 2 * through) ** 2
    values = waves[0] @ spectrum @ waves[1].mT
    assert values.imag.abs().max() < 1e-12
    return values.real


@pytest.mark.parametrize("rolloff", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("size", [(8, 8), (12, 6), (9, 6), (5, 7), (2, 3), (1, 4)])
def test_half_the_size_is_the_low_passed_series_between_the_pixels(size: tuple[int, int], rolloff: float) -> None:
    x = image(*size)
    torch.testing.assert_close(halve(x, rolloff), at_new_centres(x, rolloff), rtol=0, atol=1e-12)


@pytest.mark.parametrize("size", [(8, 8), (12, 6), (16, 2)])
def test_doubled_again_it_is_the_low_passed_image(size: tuple[int, int]) -> None:
    x = image(*size)
    torch.testing.assert_close(double(halve(x, 1.0), size), by_full_transform(x, 1 / 3, 1.0), rtol=0, atol=1e-12)


@pytest.mark.parametrize("size", [(8, 6), (9, 5)])
def test_halving_and_doubling_keep_flat_images_and_know_no_direction(size: tuple[int, int]) -> None:
    flat = torch.full((1, 1, *size), -0.75, dtype=torch.float64)
    half = halve(flat, 1.0)
    torch.testing.assert_close(half, torch.full_like(half, -0.75), rtol=0, atol=1e-15)
    torch.testing.assert_close(double(half, size), flat, rtol=0, atol=1e-15)
    x = image(*size)
    for axis in (-1, -2):
        torch.testing.assert_close(halve(x.flip(axis), 1.0), halve(x, 1.0).flip(axis), rtol=0, atol=1e-12)
        y = halve(x, 1.0)
        torch.testing.assert_close(double(y.flip(axis), size), double(y, size).flip(axis), rtol=0, atol=1e-12)


@pytest.mark.parametrize("size", [(4, 6), (5, 3), (2, 1)])
def test_gradients_of_halving_and_doubling(size: tuple[int, int]) -> None:
    x = image(*size)[:1, :1].requires_grad_()
    half = halve(x, 0.5).detach().requires_grad_()
    assert gradcheck(lambda x: halve(x, 0.5), x)
    assert gradgradcheck(lambda x: halve(x, 0.5), x)
    assert gradcheck(lambda y: double(y, size), half)
    assert gradgradcheck(lambda y: double(y, size), half)
