import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from freqgan.blocks import EnlargingConv2d


def plain(x: Tensor, layer: EnlargingConv2d) -> Tensor:
    return F.conv2d(x.repeat_interleave(2, 2).repeat_interleave(2, 3), layer.weight, layer.bias, padding=1)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("size", [(4, 4), (3, 5), (1, 1), (1, 6)])
def test_values_and_gradients_are_those_of_the_enlarged_image(size: tuple[int, int], bias: bool) -> None:
    torch.manual_seed(0)
    layer = EnlargingConv2d(3, 5, bias=bias).double()
    x = torch.randn(2, 3, *size).double().requires_grad_()
    ours, wanted = layer(x), plain(x, layer)
    assert ours.shape == (2, 5, 2 * size[0], 2 * size[1])
    torch.testing.assert_close(ours, wanted)
    weight = torch.randn_like(ours)
    gradients = [torch.autograd.grad((y * weight).sum(), [x, *layer.parameters()]) for y in (ours, wanted)]
    torch.testing.assert_close(*gradients)


def test_a_weight_s_sums_are_made_in_its_own_precision() -> None:
    layer, x = EnlargingConv2d(8, 8), torch.ones(1, 8, 4, 4)
    wanted = plain(x, layer)
    with torch.autocast("cpu", torch.bfloat16):
        ours = layer(x)
    assert ours.dtype == torch.bfloat16
    torch.testing.assert_close(ours.float(), wanted, atol=0.02, rtol=0.01)


def test_its_parameters_are_those_of_a_3x3_convolution() -> None:
    layer = EnlargingConv2d(3, 5)
    assert [tuple(p.shape) for p in layer.parameters()] == [(5, 3, 3, 3)]
