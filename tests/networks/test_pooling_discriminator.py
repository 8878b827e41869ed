from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from freqgan.errors import UserError
from freqgan.losses import r1_penalties
from freqgan.networks import PoolingDiscriminator


def network(size: tuple[int, int] = (16, 16), **settings: Any) -> PoolingDiscriminator:
    torch.manual_seed(0)
    return PoolingDiscriminator(**{"in_channels": 3, "image_size": size, "channels": 4, "hidden": [8]} | settings)


def kinds(module: nn.Module) -> list[str]:
    return [type(layer).__name__ for layer in module.children()]


@pytest.mark.parametrize("size", [(5, 5), (8, 8), (7, 30), (33, 17)])
@pytest.mark.parametrize("pooling", ["average", "max"])
@pytest.mark.parametrize("norm", ["batch", "instance", "group", "spectral", "none"])
def test_any_size_gives_one_logit(size: tuple[int, int], pooling: str, norm: str) -> None:
    discriminator = network(size, pooling=pooling, norm=norm, branches=[3, 5], condition_dim=6)
    logits = discriminator(torch.randn(2, 3, *size), condition=torch.randn(2, 6))
    assert (logits.shape, logits.dtype) == ((2, 1), torch.float32)


@pytest.mark.parametrize(
    ("convolutions", "pattern"),
    [([1, 1, 1], "CPCPCP"), ([2, 2], "CCPCCP"), ([1, 0, 2], "CPPCCP"), ([1, 0], "CPP")],  # [0060]; several poolings
)
def test_stages_are_convolutions_and_a_pooling(convolutions: list[int], pattern: str) -> None:
    discriminator = network(convolutions=convolutions, norm="none")
    letters = {"Conv2d": "C", "AvgPool2d": "P"}
    ((column,),) = discriminator.columns
    assert "".join(letters.get(kind, "") for kind in kinds(column)) == pattern
    assert discriminator(torch.randn(2, 3, 16, 16)).shape == (2, 1)


def test_values_of_a_column_and_the_dense_head_by_hand() -> None:
    discriminator = network((5, 4), convolutions=[1, 1], norm="none", pooling="max", hidden=[8, 6])
    for parameter in discriminator.parameters():
        nn.init.normal_(parameter, 0, 0.3)
    image = torch.randn(2, 3, 5, 4)
    w = [parameter.detach() for parameter in discriminator.parameters()]
    x = F.max_pool2d(F.leaky_relu(F.conv2d(image, w[0], w[1], padding=1), 0.2), 2, ceil_mode=True)
    x = F.max_pool2d(F.leaky_relu(F.conv2d(x, w[2], w[3], padding=1), 0.2), 2, ceil_mode=True)
    assert x.shape == (2, 8, 2, 1)  # 5 → 3 → 2 and 4 → 2 → 1
    x = F.leaky_relu(F.linear(x.flatten(1), w[4], w[5]), 0.2)
    x = F.leaky_relu(F.linear(x, w[6], w[7]), 0.2)
    torch.testing.assert_close(discriminator(image), F.linear(x, w[8], w[9]))


def test_columns_have_kernels_of_their_own_and_all_reach_the_head() -> None:
    discriminator = network(branches=[1, 3, 5], norm="none")
    (columns,) = discriminator.columns
    first = [next(column.children()) for column in columns]
    assert [convolution.kernel_size for convolution in first] == [(1, 1), (3, 3), (5, 5)]
    image = torch.randn(2, 3, 16, 16)
    before = discriminator(image)
    for convolution in first:
        convolution.weight.data.mul_(2)
        after = discriminator(image)
        assert not torch.equal(before, after)
        before = after


def test_parameters_are_those_of_the_layers() -> None:
    discriminator = PoolingDiscriminator(in_channels=3, image_size=(32, 32), condition_dim=5)
    convolutions = 9 * (3 * 64 + 64 * 128 + 128 * 256) + 64 + 2 * (128 + 256)
    dense = (256 * 4 * 4 + 5) * 256 + 256 + 256 + 1
    assert sum(p.numel() for p in discriminator.parameters()) == convolutions + dense


def test_what_it_sees_changes_the_logit_of_its_own_image_alone() -> None:
    discriminator = network(condition_dim=6).eval()
    image, condition = torch.randn(2, 3, 16, 16), torch.randn(2, 6)
    before = discriminator(image, condition=condition)
    for seen in (image, condition):
        seen[0] += 1
        after = discriminator(image, condition=condition)
        assert after[0] != before[0]
        assert after[1] == before[1]
        before = after


def test_networks_side_by_side_have_nothing_in_common() -> None:
    together = network(in_channels=[3, 5], condition_dim=6).eval()
    images, condition = [torch.randn(2, 3, 16, 16), torch.randn(2, 5, 16, 16)], torch.randn(2, 6)
    logits = together(*images, condition=condition)
    assert logits.shape == (2, 2)
    for place, image in enumerate(images):
        alone = network(in_channels=image.shape[1], condition_dim=6).eval()
        alone.columns, alone.heads = together.columns[place : place + 1], together.heads[place : place + 1]
        torch.testing.assert_close(alone(image, condition=condition)[:, 0], logits[:, place])


@pytest.mark.parametrize("pooling", ["average", "max"])
def test_gradients_reach_everything_and_r1_can_be_trained(pooling: str) -> None:
    discriminator = network(pooling=pooling, branches=[3, 5])
    image = torch.randn(4, 3, 16, 16, requires_grad=True)
    discriminator(image).square().sum().backward()
    assert image.grad is not None
    assert image.grad.abs().sum() > 0
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in discriminator.parameters())
    discriminator.zero_grad()
    r1_penalties(lambda x: {"LL1": discriminator(x["LL1"])[:, 0]}, {"LL1": image})["LL1"].backward()
    first = discriminator.columns[0][0][0].weight
    assert first.grad is not None
    assert first.grad.abs().sum() > 0


def test_logits_are_float32_in_autocast_and_stay_float64() -> None:
    discriminator = network()
    with torch.autocast("cpu", torch.bfloat16):
        assert discriminator(torch.randn(2, 3, 16, 16)).dtype == torch.float32
    assert discriminator.double()(torch.randn(2, 3, 16, 16, dtype=torch.float64)).dtype == torch.float64


def test_spectral_norm_bounds_convolutions_and_dense_layers() -> None:
    discriminator = network(norm="spectral", convolutions=[1, 1])
    for _ in range(50):
        discriminator(torch.randn(2, 3, 16, 16))
    layers = [module for module in discriminator.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    assert len(layers) == 4
    for layer in layers:
        assert float(torch.linalg.matrix_norm(layer.weight.detach().flatten(1), 2)) == pytest.approx(1, abs=0.02)


def test_initial_weights_follow_dcgan() -> None:
    discriminator = PoolingDiscriminator(in_channels=3, image_size=(32, 32))
    for module in discriminator.modules():
        if isinstance(module, nn.Conv2d | nn.Linear) and module.weight.numel() > 10_000:
            assert float(module.weight.detach().std()) == pytest.approx(0.02, rel=0.02)
        if isinstance(module, nn.BatchNorm2d):
            assert float(module.weight.detach().mean()) == pytest.approx(1, abs=0.01)
            assert module.bias.abs().max() == 0


@pytest.mark.parametrize(
    ("size", "settings", "message"),
    [
        ((4, 16), {}, r"convolutions=\[1, 1, 1\] pools 3 times and needs sides of at least 5, got 4x16"),
        ((16, 16), {"convolutions": []}, r"convolutions=\[\] must say how many"),
        ((16, 16), {"convolutions": [0, 1]}, "the first at least 1"),
        ((16, 16), {"convolutions": [1, -1]}, "must say how many"),
        ((16, 16), {"branches": [3, 4]}, r"branches=\[3, 4\] must name an odd kernel size"),
        ((16, 16), {"branches": []}, r"branches=\[\] must"),
        ((16, 16), {"hidden": [0]}, r"hidden=\[0\] must be numbers of units"),
    ],
)
def test_what_cannot_be_built_is_refused(size: tuple[int, int], settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        network(size, **settings)


def test_all_mistakes_are_named_at_once() -> None:
    with pytest.raises(UserError) as error:
        network((2, 2), branches=[2], hidden=[-1])
    assert len(error.value.lines) == 3
