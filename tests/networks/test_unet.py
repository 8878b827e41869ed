from typing import Any

import pytest
import torch
from torch import nn

from freqgan.networks import UNet
from tests.networks.translators import image, small


def parameters(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def test_its_parameters_are_those_that_were_published() -> None:
    with torch.device("meta"):
        assert parameters(UNet()) == 54_419_459
        # The variant for 128 pixels has a level less: 512 to 512 down, 1024 to 512 up, and their norms.
        level = (512 * 512 + 1024 * 512) * 16 + 2 * 512 + 2 * 2 * 512
        assert parameters(UNet(image_size=128)) == 54_419_459 - level


@pytest.mark.parametrize(
    ("size", "halvings"), [(256, 8), (512, 8), (128, 7), (64, 6), (100, 6), ([64, 200], 6), (2, 1)]
)
def test_its_depth_follows_from_the_image(size: Any, halvings: int) -> None:
    assert UNet(image_size=size, channels=2, max_channels=4).stride == 2**halvings


def test_the_centre_is_a_pixel_and_has_no_norm() -> None:
    network = UNet(image_size=16, channels=4)
    shapes: list[torch.Size] = []
    network.down[-1].register_forward_hook(lambda module, given, made: shapes.append(made.shape[-2:]))
    network(image(2, 3, 16, 16))
    assert shapes == [(1, 1)]
    normed = [len([m for m in level if hasattr(m, "num_features")]) for level in (*network.down, *network.up)]
    assert normed == [0, 1, 1, 0, 1, 1, 1]


def test_every_level_skips_to_its_own() -> None:
    network = UNet(image_size=16, channels=4, max_channels=16, dropout=0.0)
    assert [level[0].in_channels for level in network.up] == [16, 32, 16]  # type: ignore[index, union-attr]
    assert network.to_image.in_channels == 8
    for level in network.up:
        for weight in level.parameters():
            nn.init.zeros_(weight)
    # Without a way through the centre, what is left comes from the first level.
    first, other = (network(image(1, 3, 16, 16, seed=seed)) for seed in (0, 1))
    assert not torch.equal(first, other)


def test_dropout_is_its_noise_at_test_too() -> None:
    network, x = small("unet").eval(), image(1, 3, 16, 16)
    assert not torch.equal(network(x), network(x))
    torch.manual_seed(1)
    first = network(x)
    torch.manual_seed(1)
    assert torch.equal(network(x), first)


def test_statistics_at_test_are_the_batchs_own() -> None:
    network, x = UNet(image_size=16, channels=4, dropout=0.0).eval(), image(4, 3, 16, 16)
    assert not any(True for _ in network.buffers())
    assert torch.equal(network(x), network.train()(x))


def test_fixed_at_test_means_no_noise_and_running_averages() -> None:
    network, x = small("unet_fixed"), image(4, 3, 16, 16)
    assert not torch.equal(network(x), network(x))
    network.eval()
    assert torch.equal(network(x), network(x))
    torch.testing.assert_close(network(x)[:1], network(x[:1]))


def test_dropout_is_in_the_three_deepest_levels() -> None:
    network = UNet(image_size=64, channels=2)
    assert [len(level) for level in network.up] == [3, 3, 3, 2, 2]  # type: ignore[arg-type]
    assert [len(level) for level in UNet(image_size=64, channels=2, dropout=0.0).up] == [2] * 5  # type: ignore[arg-type]


def test_dualgans_kernels() -> None:
    network = small("unet_dualgan")
    kernels = [m.kernel_size[0] for m in network.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
    assert kernels == [5, 3, 3, 3, 3, 3, 3, 5]
    assert not torch.equal(network(image(1, 3, 16, 16)), network(image(1, 3, 16, 16, seed=1)))
