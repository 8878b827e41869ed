import pytest
import torch
from scipy import stats

from freqgan.errors import UserError
from freqgan.ops.noise import orthogonal_frame, uniform_rows


def frame(count: int, d: int, n: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return orthogonal_frame(*torch.randn(2, count, d, n, generator=generator))


def test_rows_of_a_sample_are_orthogonal() -> None:
    rows = torch.nn.functional.normalize(frame(64, 100, 10), dim=-1)
    gram = rows @ rows.transpose(1, 2)
    assert (gram - torch.eye(10)).abs().max() < 1e-5


@pytest.mark.parametrize(("d", "n"), [(100, 7), (8, 8), (4, 1)])
def test_every_row_is_standard_normal(d: int, n: int) -> None:
    rows = frame(4000, d, n)
    for i in range(n):
        assert stats.kstest(rows[:, i].flatten()[:20000].numpy(), "norm").pvalue > 1e-3
        assert stats.kstest(rows[:, i].norm(dim=1).numpy(), stats.chi(d).cdf).pvalue > 1e-3
    direction = torch.nn.functional.normalize(rows, dim=-1).mean(0)
    assert direction.abs().max() < 4 / (4000 * d) ** 0.5 * 1.5


def test_too_few_dimensions_are_refused() -> None:
    with pytest.raises(UserError, match="latent_dim=3 is too small for 4"):
        frame(2, 3, 4)


def test_uniform_rows_are_numbers_below_one_by_sample() -> None:
    rows = uniform_rows(torch.Generator().manual_seed(0), 4000)
    assert rows.shape == (4000,)
    assert 0 <= rows.min() < rows.max() < 1
    assert stats.kstest(rows.numpy(), "uniform").pvalue > 1e-3
    assert torch.equal(rows, uniform_rows(torch.Generator().manual_seed(0), 4000))
