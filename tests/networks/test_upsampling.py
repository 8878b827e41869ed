from typing import Any

import pytest
import torch
from torch import nn

from freqgan.networks.upsampling import Upsampling


@pytest.mark.parametrize("upsampler", ["pixel_shuffle", "interpolation"])
@pytest.mark.parametrize(("factor", "steps"), [(1, 0), (2, 1), (3, 1), (4, 2), (6, 2), (8, 3)])
def test_a_prime_factor_each(factor: int, steps: int, upsampler: Any) -> None:
    layers = Upsampling(5, 4, factor, upsampler=upsampler, slope=0.2)
    x = torch.randn(2, 5, 3, 4)
    assert layers(x).shape == ((2, 4, 3 * factor, 4 * factor) if steps else x.shape)
    assert sum(isinstance(layer, nn.Conv2d) for layer in layers) == steps
    assert sum(isinstance(layer, nn.LeakyReLU) for layer in layers) == steps


def test_no_activation_unless_asked_for() -> None:
    kinds = [type(layer) for layer in Upsampling(4, 4, 4, upsampler="pixel_shuffle")]
    assert kinds == [nn.Conv2d, nn.PixelShuffle] * 2


@pytest.mark.parametrize("upsampler", ["pixel_shuffle", "interpolation"])
@pytest.mark.parametrize("factor", [1, 2, 3, 4, 6, 8])
@pytest.mark.parametrize("pixels", [0, 1, 3])
def test_the_reach_is_what_gradients_find(factor: int, pixels: int, upsampler: Any) -> None:
    layers = Upsampling(1, 2, factor, upsampler=upsampler).double()
    reach, centre = layers.reach(pixels), 12
    x = torch.randn(1, 1, 25, 25, dtype=torch.float64, requires_grad=True)
    y = layers(x)[
        ..., centre * factor - pixels : (centre + 1) * factor + pixels, centre * factor : (centre + 1) * factor
    ]
    (gradient,) = torch.autograd.grad(y.sin().sum(), x)
    rows = gradient[0, 0].abs().amax(1).nonzero()[:, 0]
    assert (int(rows.min()), int(rows.max())) == (centre - reach, centre + reach)
