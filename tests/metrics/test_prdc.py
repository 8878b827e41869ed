import pytest
import torch
from torch import Tensor

from freqgan.metrics import PRDC
from freqgan.metrics import prdc as module
from freqgan.metrics.prdc import prdc


def _sets(n: int = 40, m: int = 30, d: int = 6) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    real = torch.randn(n, d, generator=generator)
    return real, torch.randn(m, d, generator=generator) * 0.8 + 0.5


def _by_definition(real: Tensor, fake: Tensor, k: int) -> dict[str, float]:
    def distance(a: Tensor, b: Tensor) -> float:
        return float((a.double() - b.double()).square().sum().sqrt())

    def radius(points: Tensor, i: int) -> float:
        others = [distance(points[i], points[j]) for j in range(len(points)) if j != i]
        return sorted(others)[k - 1]

    n, m = len(real), len(fake)
    real_radius = [radius(real, i) for i in range(n)]
    fake_radius = [radius(fake, j) for j in range(m)]
    in_real = [[distance(real[i], fake[j]) < real_radius[i] for j in range(m)] for i in range(n)]
    in_fake = [[distance(real[i], fake[j]) < fake_radius[j] for j in range(m)] for i in range(n)]
    return {
        "precision": sum(any(in_real[i][j] for i in range(n)) for j in range(m)) / m,
        "recall": sum(any(in_fake[i]) for i in range(n)) / n,
        "density": sum(sum(row) for row in in_real) / (k * m),
        "coverage": sum(any(row) for row in in_real) / n,
    }


@pytest.mark.parametrize("k", [1, 3, 5])
def test_equals_the_definition(k: int) -> None:
    real, fake = _sets()
    measured = {name: value.item() for name, value in prdc(real, fake, k).items()}
    expected = _by_definition(real, fake, k)
    assert measured == pytest.approx(expected, abs=1e-12)
    assert 0 < expected["precision"] < 1
    assert 0 < expected["recall"] < 1


def test_blocks_do_not_change_the_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    real, fake = _sets()
    expected = prdc(real, fake)
    monkeypatch.setattr(module, "_BLOCK", 7)
    assert prdc(real, fake) == expected


def test_a_set_against_itself_is_perfect() -> None:
    real, _ = _sets(200)
    assert {name: value.item() for name, value in prdc(real, real).items()} == pytest.approx(
        {"precision": 1, "recall": 1, "density": 1, "coverage": 1}
    )


def test_sets_far_apart_share_nothing() -> None:
    real, fake = _sets()
    assert {value.item() for value in prdc(real, fake + 1000).values()} == {0.0}


def test_few_modes_lower_recall_and_coverage_but_not_precision() -> None:
    real, _ = _sets(200)
    fake = real[:3].repeat_interleave(40, 0) + 0.01 * torch.randn(120, 6, generator=torch.Generator().manual_seed(1))
    measured = prdc(real, fake)
    assert measured["precision"] > 0.95
    assert measured["recall"] < 0.05
    assert measured["coverage"] < 0.2


def test_too_few_vectors_are_refused() -> None:
    real, fake = _sets()
    with pytest.raises(ValueError, match="k=5 neighbours need more than 5 vectors, got 40 real, 5 fake"):
        prdc(real, fake[:5])


def test_metric_takes_batches() -> None:
    real, fake = _sets()
    metric = PRDC(k=3)
    for batch in real.split(9):
        metric.update(batch, real=True)
    for batch in fake.split(11):
        metric.update(batch, real=False)
    assert metric.compute() == prdc(real, fake, 3)
    metric.reset()
    assert metric.real_features == []
