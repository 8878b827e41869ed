import pytest
import torch
from torch import nn

from freqgan.blocks import GroupedLinear


@pytest.mark.parametrize("bias", [True, False])
def test_one_group_is_the_layer_of_pytorch(bias: bool) -> None:
    torch.manual_seed(0)
    ours, theirs = GroupedLinear(6, 4, bias=bias), nn.Linear(6, 4, bias=bias)
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(3, 6)
    assert torch.equal(ours(x), theirs(x))


@pytest.mark.parametrize("bias", [True, False])
def test_groups_are_layers_between_their_own_features(bias: bool) -> None:
    torch.manual_seed(0)
    layer = GroupedLinear(6, 9, groups=3, bias=bias).double()
    assert layer.weight.shape == (9, 2)
    singles = [nn.Linear(2, 3, bias=bias).double() for _ in range(3)]
    for i, single in enumerate(singles):
        single.load_state_dict({name: value.chunk(3)[i] for name, value in layer.state_dict().items()})
    x, weight = torch.randn(4, 6).double().requires_grad_(), torch.randn(4, 9).double()
    y = layer(x)
    parts = torch.cat([single(part) for single, part in zip(singles, x.chunk(3, 1), strict=True)], 1)
    torch.testing.assert_close(y, parts)
    learning = [x, *layer.parameters()]
    gradients = torch.autograd.grad((y * weight).sum(), learning)
    (expected,) = torch.autograd.grad((parts * weight).sum(), x, retain_graph=True)
    torch.testing.assert_close(gradients[0], expected)
    (parts * weight).sum().backward()
    for i, (name, _) in enumerate(layer.named_parameters()):
        torch.testing.assert_close(gradients[i + 1], torch.cat([getattr(single, name).grad for single in singles]))


def test_second_derivatives() -> None:
    layer = GroupedLinear(4, 6, groups=2).double()
    x = torch.randn(2, 4, dtype=torch.float64, requires_grad=True)
    weight = layer.weight.detach().clone().requires_grad_()

    def apply(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(layer, {"weight": weight}, (x,))

    assert torch.autograd.gradgradcheck(apply, (x, weight))


@pytest.mark.parametrize("groups", [1, 3])
def test_bf16_under_autocast(groups: int) -> None:
    torch.manual_seed(0)
    layer, x = GroupedLinear(6, 9, groups=groups), torch.randn(5, 6)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        y = layer(x)
    exact = layer(x).detach()
    assert y.dtype == torch.bfloat16
    assert float((y.float() - exact).norm() / exact.norm()) < 2**-7
