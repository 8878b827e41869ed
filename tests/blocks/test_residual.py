import pytest
import torch
from torch import nn

from freqgan.blocks import BatchNorm2d, InstanceNorm2d, ResidualBlock
from freqgan.blocks.residual import doubling, halving, same_size


def test_a_block_adds_two_convolutions_with_a_relu_between() -> None:
    torch.manual_seed(0)
    block = ResidualBlock(4, norm="instance")
    first, second = (m for m in block.modules() if isinstance(m, nn.Conv2d))
    x, pad, norm = torch.randn(2, 4, 6, 5), nn.ReflectionPad2d(1), nn.InstanceNorm2d(4)

    def convolved(layer: nn.Conv2d, y: torch.Tensor) -> torch.Tensor:
        return norm(nn.functional.conv2d(pad(y), layer.weight, layer.bias))

    torch.testing.assert_close(block(x), x + convolved(second, convolved(first, x).relu()))


@pytest.mark.parametrize(("norm", "kind"), [("instance", InstanceNorm2d), ("batch", BatchNorm2d), ("none", None)])
def test_norms(norm: str, kind: type | None) -> None:
    block = ResidualBlock(4, norm=norm)  # type: ignore[arg-type]
    found = [type(m) for m in block.modules() if "Norm" in type(m).__name__]
    assert found == ([] if kind is None else [kind] * 2)
    assert block(torch.randn(1, 4, 4, 4)).shape == (1, 4, 4, 4)


def test_sizes() -> None:
    x = torch.randn(1, 2, 8, 12)
    assert same_size(2, 3, 7)(x).shape == (1, 3, 8, 12)
    assert nn.Sequential(*halving(2, 4, "instance"))(x).shape == (1, 4, 4, 6)
    for upsampler in ("transposed", "interpolation"):
        assert nn.Sequential(*doubling(2, 4, "instance", upsampler))(x).shape == (1, 4, 16, 24)  # type: ignore[arg-type]


def test_interpolation_leaves_no_chequerboard() -> None:
    torch.manual_seed(0)
    flat = torch.ones(1, 2, 6, 6)
    inside = {how: doubling(2, 3, "none", how)[0](flat)[..., 2:-2, 2:-2] for how in ("transposed", "interpolation")}  # type: ignore[arg-type]
    differences = {how: (made - made.mean((2, 3), keepdim=True)).abs().max().item() for how, made in inside.items()}
    assert differences["interpolation"] < 1e-6 < 0.01 < differences["transposed"]
