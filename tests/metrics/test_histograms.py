import pytest
import torch
from scipy.stats import wasserstein_distance

from freqgan.metrics.histograms import BINS, histogram, scaled_wasserstein


def test_every_value_is_counted_once() -> None:
    counts = histogram(torch.tensor([[-1e9, -1e-9], [0.0, 1e9]]))
    assert counts.sum() == 4
    assert counts[0] == counts[-1] == counts[BINS // 2 - 1] == counts[BINS // 2] == 1


@pytest.mark.parametrize("scale", [1e-3, 1.0, 100.0])
def test_equals_scipys_distance_at_any_scale(scale: float) -> None:
    generator = torch.Generator().manual_seed(0)
    real, fake = (scale * torch.randn(n, generator=generator) * s + scale * s for n, s in ((3000, 1.0), (2000, 1.5)))
    measured = scaled_wasserstein(histogram(real)[None], histogram(fake)[None])
    noise = 2 / 255 / 12**0.5
    expected = wasserstein_distance(real, fake) / max(real.std().item(), noise)
    assert measured.item() == pytest.approx(expected, rel=0.01)


def test_how_often_a_set_is_counted_does_not_matter() -> None:
    counts = histogram(torch.randn(1000, generator=torch.Generator().manual_seed(0)))[None]
    assert scaled_wasserstein(counts, 7 * counts).item() == pytest.approx(0, abs=1e-12)
