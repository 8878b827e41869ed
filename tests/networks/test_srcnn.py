from typing import Any

import pytest
import torch

from freqgan.errors import UserError
from freqgan.networks import SRCNN
from freqgan.ops.color import rgb_to_ycbcr
from freqgan.ops.resample import resize


@pytest.mark.parametrize(
    ("options", "published"),
    [
        ({}, 8_129),
        ({"in_channels": 1}, 8_129),
        ({"kernels": (9, 5, 5)}, 57_281),
        ({"kernels": (9, 5, 5), "in_channels": 1}, 57_281),
        ({"sees": "channels"}, 64 * (3 * 81 + 1) + 32 * (64 + 1) + 3 * (32 * 25 + 1)),
        ({"sees": "channels", "kernels": (9, 5, 5)}, 69_251),
    ],
)
def test_parameters_are_the_published_ones(options: dict[str, Any], published: int) -> None:
    assert sum(p.numel() for p in SRCNN(**options).parameters()) == published


def test_only_the_luminance_is_changed() -> None:
    torch.manual_seed(0)
    network, low = SRCNN(scale=2), torch.rand(2, 3, 6, 5) * 2 - 1
    before, after = rgb_to_ycbcr(resize(low, 2)), rgb_to_ycbcr(network.upscale(low))
    torch.testing.assert_close(after[:, 1:], before[:, 1:], rtol=0, atol=1e-6)
    torch.testing.assert_close(after[:, :1], network.layers(before[:, :1]), rtol=0, atol=1e-6)


def test_all_channels_at_once() -> None:
    network, low = SRCNN(scale=3, sees="channels"), torch.rand(2, 3, 6, 5)
    assert torch.equal(network.upscale(low), network.layers(resize(low, 3)))


def test_grey_images() -> None:
    network, low = SRCNN(in_channels=1), torch.rand(2, 1, 6, 5)
    assert torch.equal(network.upscale(low), network.layers(resize(low, 4)))


@pytest.mark.parametrize("options", [{"widths": (64,)}, {"kernels": (9, 5)}, {"kernels": (9, 2, 5)}])
def test_what_cannot_be_built_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=r"model.generator.kernels=.* must be two widths and three odd"):
        SRCNN(**options)
