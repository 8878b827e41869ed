import math

import pytest
import torch
from scipy.stats import wasserstein_distance
from torch import Tensor

from freqgan.metrics import BandStatisticsDistance


def _noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def _bands(images: Tensor) -> dict[str, Tensor]:
    """Mean and half difference of neighbouring columns."""
    left, right = images[..., ::2], images[..., 1::2]
    return {"low": (left + right) / 2, "high": (left - right) / 2}


def _distance(real: Tensor, fake: Tensor) -> dict[str, float]:
    metric = BandStatisticsDistance(_bands, real.shape[1:])
    for batch in real.split(4):
        metric.update(batch, real=True)
    metric.update(fake, real=False)
    return {name: value.item() for name, value in metric.compute().items()}


def test_equals_scipys_wasserstein_distance() -> None:
    real = _noise(9, 3, 16, 16) + 0.7
    fake = 0.2 * _noise(13, 3, 16, 16, seed=1) ** 3 - 0.1
    measured = _distance(real, fake)
    for name, band in _bands(real).items():
        other = _bands(fake)[name]
        expected = wasserstein_distance(band.flatten(), other.flatten()) / band.std().item()
        assert measured[f"band_distance_{name}"] == pytest.approx(expected, rel=0.01)


def test_a_set_against_itself_is_zero() -> None:
    images = _noise(8, 3, 16, 16)
    assert _distance(images, images) == {"band_distance_low": 0.0, "band_distance_high": 0.0}


def test_a_shift_by_one_deviation_is_one() -> None:
    images = _noise(50, 1, 16, 16)
    shifted = _distance(images, images + math.sqrt(0.5))
    assert shifted["band_distance_low"] == pytest.approx(1, rel=0.02)
    assert shifted["band_distance_high"] == pytest.approx(0, abs=1e-4)


def test_an_empty_band_costs_its_mean_absolute_value() -> None:
    images = _noise(50, 1, 16, 16)
    flat = images[..., ::2].repeat_interleave(2, -1)
    expected = math.sqrt(2 / math.pi)  # E|x| / std of a normal distribution
    assert _distance(images, flat)["band_distance_high"] == pytest.approx(expected, rel=0.02)


def test_a_constant_real_band_divides_by_the_rounding_of_a_png() -> None:
    images = torch.zeros(4, 1, 16, 16)
    moved = _distance(images, images + 0.1)
    assert moved["band_distance_low"] == pytest.approx(0.1 / (2 / 255 / math.sqrt(12)), rel=0.01)


def test_values_out_of_reach_count_as_the_limit() -> None:
    images = torch.full((2, 1, 2, 2), 1e9)
    metric = BandStatisticsDistance(_bands, (1, 2, 2))
    metric.update(images, real=True)
    assert metric.real_counts.sum() == 2 * 4
    assert metric.real_counts[0, -1] == 4


def test_the_hash_tells_transforms_apart() -> None:
    def hash_(transform: object) -> str:
        return BandStatisticsDistance(transform, (3, 8, 8)).transform_hash

    assert hash_(_bands) == hash_(_bands)
    assert hash_(_bands) != hash_(lambda x: {"low": _bands(x)["low"], "high": -_bands(x)["high"]})
    assert hash_(_bands) != hash_(lambda x: dict(zip("ab", _bands(x).values(), strict=True)))
