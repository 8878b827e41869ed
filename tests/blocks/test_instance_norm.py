"""PyTorch's layer, whatever the layout; in channels-last layout, the same layout comes out."""

import pytest
import torch
from torch import Tensor, nn

from freqgan.blocks import InstanceNorm2d

X = torch.randn(3, 4, 5, 6, generator=torch.Generator().manual_seed(0)) * 2 + 1
LAYOUTS = [torch.contiguous_format, torch.channels_last]


def pair(*, affine: bool) -> tuple[nn.Module, nn.Module]:
    ours, theirs = InstanceNorm2d(4, affine=affine), nn.InstanceNorm2d(4, affine=affine)
    for weight in theirs.parameters():
        nn.init.uniform_(weight, 0.5, 1.5)
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs


def gradients(layer: nn.Module, x: Tensor) -> list[Tensor]:
    x = x.detach().clone().requires_grad_()
    loss = (layer(x) * torch.linspace(-1, 1, x.numel()).view_as(x)).pow(2).sum()
    (first,) = torch.autograd.grad(loss, x, create_graph=True)
    (second,) = torch.autograd.grad(first.square().sum(), x)
    return [first.detach(), second]


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
@pytest.mark.parametrize("count", [1, 3])
def test_it_is_the_layer_of_pytorch(affine: bool, layout: torch.memory_format, count: int) -> None:
    ours, theirs = pair(affine=affine)
    x = X[:count].double().contiguous(memory_format=layout)
    for layer in (ours, theirs):
        layer.double()
    y = ours(x)
    assert y.is_contiguous(memory_format=layout)
    torch.testing.assert_close(y, theirs(x))
    for mine, expected in zip(gradients(ours, x), gradients(theirs, x), strict=True):
        torch.testing.assert_close(mine, expected)
    torch.testing.assert_close(ours.eval()(x), y)


def test_an_image_does_not_depend_on_the_others() -> None:
    layer = InstanceNorm2d(4)
    x = X.contiguous(memory_format=torch.channels_last)
    assert torch.equal(layer(x)[1:2], layer(x[1:2]))


def test_bf16_stays_bf16() -> None:
    x = X.bfloat16().contiguous(memory_format=torch.channels_last)
    y = InstanceNorm2d(4)(x)
    assert y.dtype == torch.bfloat16
    torch.testing.assert_close(y.float(), nn.InstanceNorm2d(4)(X), rtol=0, atol=0.02)


def test_a_single_pixel_has_no_variance() -> None:
    for layout in LAYOUTS:
        with pytest.raises(ValueError, match="Expected more than 1"):
            InstanceNorm2d(4)(torch.randn(2, 4, 2, 2).contiguous(memory_format=layout)[..., :1, :1])
