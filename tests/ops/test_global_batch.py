"""A loss between rows of the global batch trains the same weights on any number of processes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from freqgan.ops.global_batch import gather_rows, rank, world_size
from freqgan.systems.parallel import average_gradients
from tests.forked import on_ranks

# gloo's threads start only in the forked processes.
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")

ROWS = 12
X = torch.randn(2, ROWS, 5, generator=torch.Generator().manual_seed(0))
Loss = Callable[[nn.Module, Tensor, Tensor], Tensor]


def relativistic(network: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    """Own logits against the mean of all others' (relativistic average): a loss of a process's own rows."""
    a, b = network(real), network(fake)
    return F.softplus(gather_rows(b).mean(0) - a).mean() + F.softplus(b - gather_rows(a).mean(0)).mean()


def contrastive(network: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    """All rows against all rows: the same loss on every process."""
    a, b = gather_rows(network(real)), gather_rows(network(fake))
    return F.cross_entropy(a @ b.t(), torch.arange(len(a)))


def contrastive_of_own_rows(network: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    """Own rows against all rows."""
    a, b = network(real), network(fake)
    return F.cross_entropy(a @ gather_rows(b).t(), torch.arange(len(a)) + rank() * len(a))


def trained(loss: Loss) -> list[list[float]]:
    """Weights after eight steps, on this process's rows of the batch."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 3))
    parameters = list(network.parameters())
    real, fake = (x.chunk(world_size())[rank()] for x in X)
    optimizer = torch.optim.SGD(parameters, 0.2)
    for _ in range(8):
        optimizer.zero_grad()
        loss(network, real, fake).backward()
        average_gradients(parameters)
        optimizer.step()
    return [p.detach().flatten().tolist() for p in parameters]


@pytest.mark.parametrize("loss", [relativistic, contrastive, contrastive_of_own_rows], ids=lambda loss: loss.__name__)
@pytest.mark.parametrize("processes", [2, 3])
def test_losses_over_the_global_batch(loss: Loss, processes: int, tmp_path: Path) -> None:
    alone = trained(loss)
    for outcome in on_ranks(processes, tmp_path, lambda: trained(loss)):
        for weights, expected in zip(outcome, alone, strict=True):
            assert weights == pytest.approx(expected, abs=1e-6)


def test_losses_of_own_rows_only_would_differ(tmp_path: Path) -> None:
    def own(network: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
        return F.softplus(network(fake).mean(0) - network(real)).mean()

    alone, (together, _) = trained(own), on_ranks(2, tmp_path, lambda: trained(own))
    assert any(w != pytest.approx(e, abs=1e-4) for w, e in zip(together, alone, strict=True))


def test_a_gathered_loss_can_be_differentiated_twice(tmp_path: Path) -> None:
    def second(x: Tensor) -> list[float]:
        """Gradient of ½‖∇f‖², f the sum over pairs of rows of a quartic; what one process has of it."""
        own = x.chunk(world_size())[rank()].clone().requires_grad_()
        everyone = gather_rows(own)
        f = (own[:, None] * everyone[None]).square().sum()
        (gradient,) = torch.autograd.grad(f, own, create_graph=True)
        (result,) = torch.autograd.grad(gradient.square().sum() / 2, own)
        return [float(value) for value in result.flatten()]

    x = X[0].double()
    alone = second(x)
    first, last = on_ranks(2, tmp_path, lambda: second(x))
    assert first + last == pytest.approx(alone, rel=1e-9)


def test_rows_keep_their_order_and_dtype(tmp_path: Path) -> None:
    def scenario() -> list[Any]:
        rows = torch.full((2, 1), rank(), dtype=torch.float64)
        everyone = gather_rows(rows)
        images = torch.randn(2, 3, 4, 4).to(memory_format=torch.channels_last)
        return [everyone.flatten().tolist(), str(everyone.dtype), list(gather_rows(images).shape)]

    assert on_ranks(3, tmp_path, scenario) == [[[0, 0, 1, 1, 2, 2], "torch.float64", [6, 3, 4, 4]]] * 3


def test_alone_the_rows_are_all_there_are() -> None:
    rows = torch.randn(2, 3)
    assert gather_rows(rows) is rows
    assert (rank(), world_size()) == (0, 1)
