import pytest
import torch
import torch.nn.functional as F
from torch import nn

from freqgan.networks.folding_convolution import FoldingConv2d


def layer(inputs: int, outputs: int, kernel: int, dilation: int = 1) -> FoldingConv2d:
    generator = torch.Generator().manual_seed(0)
    made = FoldingConv2d(inputs, outputs, kernel, dilation=dilation).double()
    for parameter in made.parameters():
        nn.init.normal_(parameter, generator=generator)
    return made


@pytest.mark.parametrize("kernel", [1, 3, 5])
@pytest.mark.parametrize("dilation", [1, 2, 3])
@pytest.mark.parametrize("outputs", [4, 6])
def test_it_is_the_sum_of_its_paths_and_folds_into_one_convolution(kernel: int, dilation: int, outputs: int) -> None:
    module, x = layer(4, outputs, kernel, dilation), torch.randn(2, 4, 9, 8, dtype=torch.float64)
    expected = F.conv2d(x, module.weight, module.bias, padding=dilation * (kernel // 2), dilation=dilation)
    expected = expected + F.conv2d(x, module.point) + (x if outputs == 4 else 0)
    torch.testing.assert_close(module(x), expected, rtol=0, atol=1e-12)
    folded = module.folded()
    assert type(folded) is nn.Conv2d
    assert torch.equal(folded(x), module(x))


def test_every_path_learns() -> None:
    module, x = layer(3, 3, 3), torch.randn(2, 3, 6, 5, dtype=torch.float64)
    assert [name for name, _ in module.named_parameters()] == ["weight", "bias", "point"]
    target = torch.randn(2, 3, 6, 5, dtype=torch.float64)
    (module(x) * target).sum().backward()
    assert module.weight.grad is not None
    assert module.point.grad is not None
    torch.testing.assert_close(module.weight.grad[:, :, 1:2, 1:2], module.point.grad)
    torch.testing.assert_close(module.point.grad[..., 0, 0], torch.einsum("bohw,bihw->oi", target, x))


def test_checkpoints_hold_what_is_learned_and_nothing_else() -> None:
    assert list(layer(3, 3, 3).state_dict()) == ["weight", "bias", "point"]


def test_folded_on_the_device_and_in_the_precision_of_the_layer() -> None:
    assert layer(3, 3, 3).folded().weight.dtype == torch.float64
    with torch.device("meta"):
        assert FoldingConv2d(3, 3, 3).folded().weight.device.type == "meta"
