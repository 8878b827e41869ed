from typing import Any

import pytest
import torch
from torch import nn
from torchvision.models import vgg13

from freqgan.networks import VGGDiscriminator

NORMS: list[Any] = ["batch", "group", "spectral", "none"]


def parameters(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def test_its_convolutions_are_those_of_vgg13() -> None:
    with torch.device("meta"):
        network, published = VGGDiscriminator(norm="none"), vgg13().features
    assert parameters(network.features) == parameters(published) == 9_404_992
    kinds = (nn.Conv2d, nn.MaxPool2d)
    ours, theirs = ([type(m) for m in net if isinstance(m, kinds)] for net in (network.features, published))
    assert ours == theirs
    assert parameters(network.to_logit) == 100 * 512 + 100 + 100 + 1


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("size", [(32, 32), (33, 50), (5, 7), (2, 1)])
def test_any_size_gives_a_logit_each(norm: Any, size: tuple[int, int]) -> None:
    logits = VGGDiscriminator(channels=4, norm=norm)(torch.randn(3, 3, *size))
    assert logits.shape == (3,)
    assert logits.isfinite().all()


def test_stages_widths_and_channels() -> None:
    network = VGGDiscriminator(in_channels=1, channels=4, max_channels=8, stages=3, hidden=6)
    widths = [m.out_channels for m in network.features if isinstance(m, nn.Conv2d)]
    assert widths == [4, 4, 8, 8, 8, 8]
    assert network(torch.randn(2, 1, 20, 20)).shape == (2,)


@pytest.mark.parametrize("norm", NORMS)
def test_every_weight_and_the_image_take_part(norm: Any) -> None:
    torch.manual_seed(0)
    network, image = VGGDiscriminator(channels=8, norm=norm), torch.randn(4, 3, 40, 40, requires_grad=True)
    network(image).square().sum().backward()
    assert image.grad is not None
    assert image.grad.abs().sum() > 0
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        # Behind a convolution's bias a batch norm takes away its mean.
        assert norm == "batch" or parameter.grad.abs().sum() > 0, name


def test_spectral_norm_bounds_every_layer() -> None:
    network = VGGDiscriminator(channels=2, norm="spectral")
    for _ in range(50):
        network(torch.randn(1, 3, 4, 4))
    layers = [module for module in network.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    assert len(layers) == 12
    for layer in layers:
        assert float(torch.linalg.matrix_norm(layer.weight.detach().flatten(1), 2)) == pytest.approx(1, abs=0.03)


def test_logits_are_at_least_float32() -> None:
    network = VGGDiscriminator(channels=4)
    with torch.autocast("cpu", torch.bfloat16):
        assert network(torch.randn(2, 3, 32, 32)).dtype == torch.float32
    assert network.double()(torch.randn(2, 3, 32, 32).double()).dtype == torch.float64
