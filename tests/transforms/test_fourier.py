import math

import pytest
import torch
from torch import Tensor

from freqgan.errors import UserError
from freqgan.transforms import Fourier


def image(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("num_classes", [2, 3, 4, 5])
@pytest.mark.parametrize("size", [(32, 32), (31, 40)])
def test_real_band_images_that_sum_to_the_image(num_classes: int, size: tuple[int, int]) -> None:
    x = image(2, 3, *size)
    bands = Fourier(num_classes)(x)
    assert list(bands) == [f"F{i}" for i in range(1, num_classes + 1)]
    assert all(not band.is_complex() and band.shape == x.shape for band in bands.values())
    torch.testing.assert_close(torch.stack(tuple(bands.values())).sum(0), x, rtol=0, atol=1e-12)


def test_sharp_rings_are_torchs_by_zeroed_coefficients() -> None:
    x = image(1, 1, 16, 12)
    radius = torch.hypot(2 * torch.fft.fftfreq(16)[:, None], 2 * torch.fft.fftfreq(12)[None, :])
    spectrum = torch.fft.fft2(x)
    edges = (-1.0, 0.3, 0.7, 2.0)
    for i, band in enumerate(Fourier(3, cutoffs=(0.3, 0.7), rolloff=0.0)(x).values()):
        ring = (edges[i] < radius) & (radius <= edges[i + 1])
        torch.testing.assert_close(band, torch.fft.ifft2(spectrum * ring).real, rtol=0, atol=1e-12)


def test_sharp_rings_of_two_resolutions_are_torchs_by_zeroed_coefficients() -> None:
    x = image(1, 1, 16, 12)
    radius = torch.hypot(2 * torch.fft.fftfreq(16)[:, None], 2 * torch.fft.fftfreq(12)[None, :])
    spectrum, low = torch.fft.fft2(x), radius < 0.499
    bands = Fourier(3, levels=2, cutoffs=[0.7], rolloff=0.0)(x)
    assert list(bands) == ["F1_2", "F2_2", "F3_2", "F2_1", "F3_1"]
    assert [tuple(band.shape[-2:]) for band in bands.values()] == [(4, 3), (8, 6), (8, 6), (16, 12), (16, 12)]
    for name, ring in (("F2_1", (radius <= 0.7) & ~low), ("F3_1", radius > 0.7)):
        torch.testing.assert_close(bands[name], torch.fft.ifft2(spectrum * ring).real, rtol=0, atol=1e-12)


def test_waves_go_to_their_resolution() -> None:
    transform = Fourier(levels=2, rolloff=0.5)
    for cycles, name in ((2, "F1_2"), (4, "F2_2"), (12, "F2_1")):
        wave = torch.sin(2 * math.pi * cycles / 32 * torch.arange(32.0, dtype=torch.float64)).expand(1, 1, 32, 32)
        for direction in (wave, wave.mT):
            energy = {key: float(band.square().mean()) for key, band in transform(direction).items()}
            assert max(energy, key=lambda key: energy[key]) == name
            assert energy[name] > 0.99 * sum(energy.values())


@pytest.mark.parametrize(("rolloff", "beyond"), [(0.0, 1 / 3), (1.0, 1 / 3), (2.0, 0.01)])
def test_small_images_keep_the_scale_of_the_image(rolloff: float, beyond: float) -> None:
    transform = Fourier(levels=3, rolloff=rolloff)
    flat = transform(torch.ones(1, 1, 24, 40, dtype=torch.float64))
    torch.testing.assert_close(flat["F1_3"], torch.ones(1, 1, 3, 5, dtype=torch.float64), rtol=0, atol=1e-12)
    assert max(float(flat[f"F2_{level}"].abs().max()) for level in (1, 2, 3)) < 1e-12
    sides = torch.ones(64, dtype=torch.float64)
    sides[16:48] = -1
    assert float(transform(torch.outer(sides, sides).expand(1, 1, -1, -1))["F1_3"].abs().max()) < 1 + beyond


def test_waves_go_to_their_ring() -> None:
    transform = Fourier(3, rolloff=0.5)
    for cycles, name in ((2, "F1"), (6, "F2"), (12, "F3")):
        wave = torch.sin(2 * math.pi * cycles / 32 * torch.arange(32.0, dtype=torch.float64)).expand(1, 1, 32, 32)
        for direction in (wave, wave.mT):
            energy = {key: float(band.square().sum()) for key, band in transform(direction).items()}
            assert max(energy, key=lambda key: energy[key]) == name
            assert energy[name] > 0.99 * sum(energy.values())


def test_soft_edges_ring_less() -> None:
    step = torch.ones(1, 1, 64, 64, dtype=torch.float64)
    step[..., 16:48] = -1
    ripple = {rolloff: (Fourier(2, rolloff=rolloff)(step)["F1"][..., 24:40] + 1).abs().max() for rolloff in (0.0, 1.0)}
    assert ripple[1.0] < 0.1 * ripple[0.0]


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Fourier(0), "transform.num_classes=0 splits nothing"),
        (lambda: Fourier(2, cutoffs=[0.0]), "needs 1 rising cut-offs"),
        (lambda: Fourier(2, rolloff=3), "transform.rolloff=3 must lie between 0 and 2"),
        (lambda: Fourier(6).bands(16), "leave band F2 of a 16×16 image without a frequency"),
    ],
)
def test_mistakes(build: object, message: str) -> None:
    with pytest.raises(UserError) as error:
        build()  # type: ignore[operator]
    assert message in str(error.value)
