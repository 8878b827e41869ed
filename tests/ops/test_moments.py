"""Moments of all processes' rows, and their derivatives."""

from pathlib import Path
from typing import Any

import pytest
import torch

from freqgan.ops.global_batch import rank, world_size
from freqgan.ops.moments import global_moments
from tests.forked import on_ranks

# gloo's threads start only in the forked processes.
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


@pytest.mark.parametrize("shape", [(6, 3), (4, 3, 5), (4, 3, 5, 7), (1, 2, 3, 3)])
def test_moments_are_those_of_every_channel(shape: tuple[int, ...]) -> None:
    x = torch.randn(shape) * 3 + 50  # far from zero: no cancellation
    channels = [x[:, c].flatten() for c in range(shape[1])]
    mean, variance = global_moments(x)
    torch.testing.assert_close(mean, torch.stack([values.mean() for values in channels]))
    torch.testing.assert_close(variance, torch.stack([(values - values.mean()).square().mean() for values in channels]))


@pytest.mark.parametrize("shape", [(4, 2), (2, 2, 3, 2)])
def test_first_and_second_derivatives(shape: tuple[int, ...]) -> None:
    x = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(global_moments, x)
    assert torch.autograd.gradgradcheck(global_moments, x)


def test_half_precision_is_summed_in_float32() -> None:
    x = torch.randn(8, 3, 32, 32).bfloat16()
    for moment, expected in zip(global_moments(x), global_moments(x.float()), strict=True):
        assert moment.dtype == torch.float32
        torch.testing.assert_close(moment, expected, rtol=1e-5, atol=1e-5)


def test_processes_share_their_rows(tmp_path: Path) -> None:
    x = torch.randn(6, 3, 2, 2, generator=torch.Generator().manual_seed(0))

    def scenario() -> list[Any]:
        own = x.chunk(world_size())[rank()].clone().requires_grad_()
        mean, variance = global_moments(own)
        (mean.pow(3) + variance.sqrt()).sum().backward()
        assert own.grad is not None
        # Every process has the whole loss, so its gradient of it counts once for each.
        return [mean.tolist(), variance.tolist(), (own.grad / world_size()).flatten().tolist()]

    mean, variance, gradient = scenario()
    outcomes = on_ranks(2, tmp_path, scenario)
    for outcome in outcomes:
        assert outcome[0] == pytest.approx(mean, abs=1e-6)
        assert outcome[1] == pytest.approx(variance, abs=1e-6)
    assert outcomes[0][2] + outcomes[1][2] == pytest.approx(gradient, abs=1e-6)
