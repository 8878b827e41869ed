from itertools import pairwise
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from freqgan.errors import UserError
from freqgan.networks import StageDiscriminator

NORMS: list[Any] = ["batch", "spectral"]


def parameters(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def published(image_size: int, width: int, *, heads: tuple[str, ...], spectral: bool = False) -> int:
    """Layer by layer: convolutions, and what stands beside each, a bias or a batch norm's two numbers."""
    beside = 1 if spectral else 2
    down = {64: [1, 2, 4, 8], 128: [1, 2, 4, 8, 16], 256: [1, 2, 4, 8, 16, 32]}[image_size]
    back = {64: [8], 128: [16, 8], 256: [32, 16, 8]}[image_size]
    total = 16 * 3 * width + (width if spectral else 0)
    total += sum(16 * i * o * width**2 + beside * o * width for i, o in pairwise(down))
    total += sum(9 * i * o * width**2 + beside * o * width for i, o in pairwise(back))
    logit = 16 * 8 * width + 1
    if "match" in heads:
        total += 9 * (8 * width + 256) * 8 * width + beside * 8 * width + logit
    return total + (logit if "realism" in heads else 0)


@pytest.mark.parametrize("image_size", [64, 128, 256])
@pytest.mark.parametrize("spectral", [False, True])
def test_parameters_are_the_published_ones(image_size: int, spectral: bool) -> None:
    norm: Any = "spectral" if spectral else "batch"

    def count(**judged: Any) -> int:
        return parameters(StageDiscriminator(image_size=image_size, channels=4, norm=norm, **judged))

    assert count() == published(image_size, 4, heads=("realism",), spectral=spectral)
    assert count(condition_dim=256) == published(image_size, 4, heads=("match",), spectral=spectral)
    both = count(condition_dim=256, realism=True)
    assert both == published(image_size, 4, heads=("realism", "match"), spectral=spectral)


def test_attngan_has_these_three_discriminators() -> None:
    with torch.device("meta"):
        three = [StageDiscriminator(image_size=size, condition_dim=256, realism=True) for size in (64, 128, 256)]
    assert [parameters(network) for network in three] == [6_313_730, 19_424_002, 71_858_946]


@pytest.mark.parametrize(("image_size", "widths"), [(8, [16]), (16, [8, 16]), (32, [4, 8, 16]), (64, [2, 4, 8, 16])])
def test_smaller_images_begin_wider_and_end_as_wide(image_size: int, widths: list[int]) -> None:
    layers = StageDiscriminator(image_size=image_size, channels=2).features
    assert [layer.out_channels for layer in layers if isinstance(layer, nn.Conv2d)] == widths


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("image_size", [8, 16, 32, 64, 128])
def test_logits_come_realism_first_then_one_for_each_condition(image_size: int, norm: Any) -> None:
    image, right, wrong = torch.randn(2, 3, image_size, image_size), torch.randn(2, 6), torch.randn(2, 6)
    options: Any = {"image_size": image_size, "channels": 2, "norm": norm}
    assert StageDiscriminator(**options)(image).shape == (2, 1)
    match = StageDiscriminator(condition_dim=6, **options).eval()
    assert match.realism is None
    assert match(image, right).shape == (2, 1)
    both = StageDiscriminator(condition_dim=6, realism=True, **options).eval()
    logits = both(image, right, wrong)
    assert logits.shape == (2, 3)
    torch.testing.assert_close(both(image, wrong), logits[:, [0, 2]])
    assert (logits[:, 1] != logits[:, 2]).all()


@torch.no_grad()
def test_values_layer_by_layer() -> None:
    torch.manual_seed(0)
    network: Any = StageDiscriminator(image_size=128, condition_dim=6, realism=True, channels=2).double()
    convolutions = [m for m in network.features if isinstance(m, nn.Conv2d)]
    norms = [m for m in network.features if isinstance(m, nn.BatchNorm2d)]
    assert [tuple(m.weight.shape) for m in convolutions] == [
        *((2, 3, 4, 4), (4, 2, 4, 4), (8, 4, 4, 4), (16, 8, 4, 4), (32, 16, 4, 4), (16, 32, 3, 3))
    ]
    image, condition = torch.randn(3, 3, 128, 128).double(), torch.randn(3, 6).double()

    def normed(x: Tensor, norm: Any) -> Tensor:
        return F.leaky_relu(F.batch_norm(x, None, None, norm.weight, norm.bias, training=True), 0.2)

    x = F.leaky_relu(F.conv2d(image, convolutions[0].weight, stride=2, padding=1), 0.2)
    for convolution, norm in zip(convolutions[1:], norms, strict=True):
        stride = 2 if convolution.weight.shape[-1] == 4 else 1
        x = normed(F.conv2d(x, convolution.weight, stride=stride, padding=1), norm)
    joined = torch.cat([x, condition[:, :, None, None].repeat(1, 1, 4, 4)], 1)
    joint, norm, _, to_logit = network.match
    matching = normed(F.conv2d(joined, joint.weight, padding=1), norm)
    wanted = [
        (features * layer.weight).sum((1, 2, 3)) + layer.bias
        for features, layer in ((x, network.realism), (matching, to_logit))
    ]
    torch.testing.assert_close(network(image, condition), torch.stack(wanted, 1))


@pytest.mark.parametrize("norm", NORMS)
def test_every_weight_image_and_condition_take_part(norm: Any) -> None:
    torch.manual_seed(0)
    network = StageDiscriminator(image_size=32, condition_dim=6, realism=True, channels=4, norm=norm)
    image, condition = torch.randn(4, 3, 32, 32, requires_grad=True), torch.randn(4, 6, requires_grad=True)
    network(image, condition).square().sum().backward()
    for name, tensor in [*network.named_parameters(), ("image", image), ("condition", condition)]:
        assert tensor.grad is not None and tensor.grad.any(), name  # noqa: PT018


def test_spectral_norm_bounds_every_layer_but_the_logits() -> None:
    torch.manual_seed(0)
    network: Any = StageDiscriminator(image_size=16, condition_dim=6, realism=True, channels=4, norm="spectral")
    assert not any(isinstance(module, nn.BatchNorm2d) for module in network.modules())
    for _ in range(30):
        network(torch.zeros(1, 3, 16, 16), torch.zeros(1, 6))
    layers = {n: m for n, m in network.named_modules() if isinstance(m, nn.Conv2d)}
    free = {name for name, layer in layers.items() if not hasattr(layer, "parametrizations")}
    assert free == {"realism", "match.2"}
    for name in layers.keys() - free:
        matrix = layers[name].weight.detach().flatten(1)
        assert float(torch.linalg.matrix_norm(matrix, 2)) == pytest.approx(1, abs=0.02)


def test_weights_begin_orthogonal() -> None:
    network: Any = StageDiscriminator(image_size=16, channels=8)
    matrix = network.features[2].weight.detach().flatten(1)
    torch.testing.assert_close(matrix @ matrix.T, torch.eye(64))
    assert network.realism.bias.abs().max() == 0


@pytest.mark.parametrize("image_size", [0, 4, 12, 48, 65])
def test_other_sizes_are_refused(image_size: int) -> None:
    with pytest.raises(UserError, match=rf"images of {image_size}x{image_size} .* power of two of at least 8"):
        StageDiscriminator(image_size=image_size)


def test_conditions_are_those_that_are_judged() -> None:
    image, condition = torch.randn(2, 3, 8, 8), torch.randn(2, 6)
    with pytest.raises(ValueError, match="got 1 conditions, wanted no condition"):
        StageDiscriminator(image_size=8, channels=2)(image, condition)
    with pytest.raises(ValueError, match="got 0 conditions, wanted at least one condition"):
        StageDiscriminator(image_size=8, channels=2, condition_dim=6, realism=True)(image)


def test_logits_are_float32_at_least() -> None:
    network = StageDiscriminator(image_size=16, condition_dim=6, channels=4)
    with torch.autocast("cpu", torch.bfloat16):
        assert network(torch.randn(2, 3, 16, 16), torch.randn(2, 6)).dtype == torch.float32
