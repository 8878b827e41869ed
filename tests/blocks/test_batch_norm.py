"""One process: PyTorch's layer. Several: the same numbers as one process with all rows."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from freqgan.blocks import BatchNorm2d
from freqgan.ops.global_batch import rank, world_size
from tests.forked import on_ranks

# gloo's threads start only in the forked processes.
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")

X = torch.randn(12, 3, 4, 5, generator=torch.Generator().manual_seed(0)) * 3 + 50  # far from zero: no cancellation


def layer(kind: type[nn.BatchNorm2d] = BatchNorm2d) -> nn.BatchNorm2d:
    norm = kind(3)
    with torch.no_grad():
        norm.weight.copy_(torch.tensor([0.5, 1.0, 2.0]))
        norm.bias.copy_(torch.tensor([0.1, 0.0, -0.3]))
    return norm


def weigh(y: Tensor) -> Tensor:
    """A sum that is no function of the statistics alone."""
    return (y * torch.linspace(-1, 1, y[0].numel()).view_as(y[0])).square().sum() + y.pow(3).sum()


def measured() -> dict[str, Any]:
    """Everything a training step and an evaluation see of the layer, on this process's rows."""
    norm = layer()
    x = X.chunk(world_size())[rank()].clone().requires_grad_()
    y = norm(x)
    weigh(y).backward()
    buffers = {name: buffer.tolist() for name, buffer in norm.named_buffers()}
    inside = norm.eval()(x).detach()
    return {
        "rows": torch.cat([y.detach(), x.grad, inside], 1).tolist(),
        "weight": [norm.weight.grad.tolist(), norm.bias.grad.tolist()],
        "buffers": buffers,
    }


@pytest.mark.parametrize("processes", [2, 3])
def test_several_processes_are_one_layer(processes: int, tmp_path: Path) -> None:
    alone = measured()
    outcomes = on_ranks(processes, tmp_path, measured)
    rows = torch.cat([torch.tensor(outcome["rows"]) for outcome in outcomes])
    torch.testing.assert_close(rows, torch.tensor(alone["rows"]), rtol=1e-4, atol=1e-4)
    weights = sum(torch.tensor(outcome["weight"]) for outcome in outcomes)
    torch.testing.assert_close(weights, torch.tensor(alone["weight"]), rtol=1e-4, atol=1e-3)
    for outcome in outcomes:
        for name, value in outcome["buffers"].items():
            assert value == pytest.approx(alone["buffers"][name], rel=1e-5)


def test_the_gradient_can_be_differentiated_again(tmp_path: Path) -> None:
    def penalty() -> list[float]:
        norm = layer().double()
        x = X.double().chunk(world_size())[rank()].clone().requires_grad_()
        (gradient,) = torch.autograd.grad(weigh(norm(x)), x, create_graph=True)
        gradient.square().sum().backward()
        assert norm.weight.grad is not None
        return norm.weight.grad.tolist()

    alone = penalty()
    outcomes = on_ranks(2, tmp_path, penalty)
    assert [sum(values) for values in zip(*outcomes, strict=True)] == pytest.approx(alone, rel=1e-9)


def test_bf16_comes_out_as_bf16_with_statistics_in_float32(tmp_path: Path) -> None:
    def scenario() -> list[Any]:
        norm = layer()
        y = norm(X.chunk(2)[rank()].bfloat16().contiguous(memory_format=torch.channels_last))
        channels_last = y.is_contiguous(memory_format=torch.channels_last)
        assert norm.running_mean is not None
        return [str(y.dtype), channels_last, norm.running_mean.tolist()]

    norm = layer()
    norm(X.bfloat16())
    assert norm.running_mean is not None
    for dtype, channels_last, mean in on_ranks(2, tmp_path, scenario):
        assert dtype == "torch.bfloat16"
        assert channels_last
        assert mean == pytest.approx(norm.running_mean.tolist(), rel=1e-4)


def test_one_process_has_the_layer_of_pytorch_bit_for_bit() -> None:
    ours, theirs = layer(), layer(nn.BatchNorm2d)
    for training in (True, True, False):
        assert torch.equal(ours.train(training)(X), theirs.train(training)(X))
    assert ours.state_dict().keys() == theirs.state_dict().keys()
    assert all(torch.equal(a, b) for a, b in zip(ours.state_dict().values(), theirs.state_dict().values(), strict=True))


def test_untracked_statistics_are_those_of_the_input_in_evaluation_too(tmp_path: Path) -> None:
    norm = BatchNorm2d(3, tracked=False)
    assert list(norm.buffers()) == []
    torch.testing.assert_close(norm(X), norm.eval()(X))

    def scenario() -> list[Any]:
        return BatchNorm2d(3, tracked=False)(X.chunk(world_size())[rank()]).tolist()

    rows = torch.cat([torch.tensor(rows) for rows in on_ranks(2, tmp_path, scenario)])
    torch.testing.assert_close(rows, norm.train()(X), rtol=1e-4, atol=1e-4)
