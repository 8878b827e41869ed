import math

import pytest
import torch
from torch import Tensor

from freqgan.metrics import SpectrumDistance
from freqgan.metrics.spectrum import num_rings, radial_power_spectrum


def _noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def _distance(real: Tensor, fake: Tensor) -> float:
    metric = SpectrumDistance(min(real.shape[-2:]))
    for batch in real.split(3):
        metric.update(batch, real=True)
    metric.update(fake, real=False)
    return metric.compute()["spectrum_distance"].item()


@pytest.mark.parametrize("shape", [(6, 6), (5, 7), (8, 4)])
def test_spectrum_equals_its_definition(shape: tuple[int, int]) -> None:
    height, width = shape
    size = min(shape)
    image = _noise(1, 2, height, width).double()
    rings: dict[int, list[float]] = {}
    for u in range(height):
        for v in range(width):
            powers = []
            for channel in image[0]:
                phases = [
                    [-2j * math.pi * (u * y / height + v * x / width) for x in range(width)] for y in range(height)
                ]
                waves = torch.tensor(phases, dtype=torch.complex128).exp()
                powers.append(float((channel * waves).sum().abs() ** 2 / (height * width)))
            fy, fx = min(u, height - u) / height, min(v, width - v) / width
            ring = torch.tensor(size * math.sqrt(fy**2 + fx**2), dtype=torch.float64).round().item()
            rings.setdefault(int(ring), []).append(sum(powers) / len(powers))
    expected = [sum(rings[k]) / len(rings[k]) if k in rings else 0.0 for k in range(num_rings(size))]
    torch.testing.assert_close(radial_power_spectrum(image)[0], torch.tensor(expected, dtype=torch.float64))


@pytest.mark.parametrize("frequency", [1, 5, 16])
def test_a_cosine_fills_one_ring(frequency: int) -> None:
    x = torch.arange(32)
    image = (2 * math.pi * frequency * x / 32).cos().expand(1, 1, 32, 32)
    spectrum = radial_power_spectrum(image)[0]
    assert spectrum.argmax() == frequency
    others = torch.cat([spectrum[:frequency], spectrum[frequency + 1 :]])
    assert others.max() < 1e-10


def test_a_checkerboard_is_seen_in_the_corner() -> None:
    i = torch.arange(32)
    image = ((-1.0) ** (i[:, None] + i)).expand(1, 3, 32, 32)
    assert radial_power_spectrum(image)[0].argmax() == num_rings(32) - 1


def test_white_noise_is_flat_at_its_variance() -> None:
    spectrum = radial_power_spectrum(0.3 * _noise(200, 3, 16, 16)).mean(0)
    torch.testing.assert_close(spectrum, torch.full_like(spectrum, 0.09), rtol=0.1, atol=0)


def test_a_set_against_itself_is_zero() -> None:
    images = _noise(7, 3, 16, 16)
    assert _distance(images, images) == pytest.approx(0, abs=1e-12)


def test_half_the_contrast_is_six_decibel() -> None:
    images = _noise(50, 1, 16, 16)
    assert _distance(images, images / 2) == pytest.approx(20 * math.log10(2), abs=1e-3)


def test_brightness_does_not_count_and_blur_does() -> None:
    images = _noise(50, 1, 16, 16)
    blurred = torch.nn.functional.avg_pool2d(images, 3, 1, 1)
    assert _distance(images, images + 0.5) < 1e-3
    assert _distance(images, blurred) > 5


def test_differences_below_the_rounding_of_a_png_do_not_count() -> None:
    grey = torch.zeros(4, 1, 16, 16)
    assert _distance(grey, grey + 1e-5 * _noise(4, 1, 16, 16)) < 1e-3
