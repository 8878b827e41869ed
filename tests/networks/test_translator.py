"""What every translator promises: any size, its own size back, and how far a pixel sees."""

from functools import partial
from typing import Any

import pytest
import torch

from freqgan.blocks import ResidualBlock
from freqgan.errors import UserError
from freqgan.networks import EncoderDecoder, GlobalGenerator, ResNetGenerator, UNet
from freqgan.networks.translator import reach
from tests.networks.translators import ALL, FINITE, WHOLE, image, positive, small


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("size", [(16, 16), (19, 34), (1, 3), (5, 40)])
def test_any_size_comes_back_in_its_range(name: str, size: tuple[int, int]) -> None:
    network = small(name)
    result = network(image(2, 3, *size))
    assert result.shape == (2, 3, *size)
    assert result.dtype == torch.float32
    assert result.abs().max() <= 1


@pytest.mark.parametrize("name", ALL)
def test_every_weight_takes_a_gradient(name: str) -> None:
    network = small(name)
    (network(image(2, 3, 32, 32)) * image(2, 3, 32, 32, seed=1)).sum().backward()
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in network.parameters())
    first = next(network.parameters())
    assert first.grad is not None
    assert first.grad.abs().sum() > 0


@pytest.mark.parametrize("name", FINITE)
def test_a_pixel_sees_as_far_as_the_halo_and_no_farther(name: str) -> None:
    network = positive(small(name))
    halo = network.halo
    assert halo is not None
    side = (2 * halo // network.stride + 4) * network.stride
    seen = []
    for pixel in range(side // 2, side // 2 + network.stride):
        x = torch.zeros(1, 3, side, side, dtype=torch.float64, requires_grad=True)
        network(x)[0, 0, pixel, pixel].backward()
        assert x.grad is not None
        rows = x.grad.abs().sum((0, 1, 3)).nonzero().flatten()
        seen += [pixel - int(rows.min()), int(rows.max()) - pixel]
    assert max(seen) == halo


@pytest.mark.parametrize("name", WHOLE)
def test_where_a_pixel_sees_everything_there_is_no_halo(name: str) -> None:
    assert small(name).halo is None


def test_a_tile_with_its_halo_is_the_part_of_the_whole() -> None:
    network = small("encoder_decoder").double().eval()
    assert network.halo is not None
    margin = -(-network.halo // network.stride) * network.stride
    whole = image(1, 3, 90, 4 * margin + 30).double()
    start, end = margin, 2 * margin
    tile = network(whole[..., start - margin : end + margin])[..., margin : margin + end - start]
    torch.testing.assert_close(tile, network(whole)[..., start:end], rtol=0, atol=1e-12)
    last = network(whole[..., 2 * margin :])[..., margin:]
    torch.testing.assert_close(last, network(whole)[..., 3 * margin :], rtol=0, atol=1e-12)


@pytest.mark.parametrize("network", [ResNetGenerator, partial(GlobalGenerator, halvings=1)])
def test_there_may_be_no_residual_blocks(network: Any) -> None:
    built = network(channels=2, blocks=0)
    assert not any(isinstance(module, ResidualBlock) for module in built.modules())
    assert built(image(1, 3, 16, 16)).shape == (1, 3, 16, 16)


def test_reach_grows_with_every_layer() -> None:
    same = [torch.nn.Conv2d(1, 1, 3, 1, 1) for _ in range(5)]
    assert [reach(torch.nn.Sequential(*same[:n]), 1) for n in range(6)] == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("network", [EncoderDecoder, UNet])
def test_more_halvings_than_the_images_have_are_refused(network: Any) -> None:
    network(image_size=[16, 32], halvings=4, channels=2)
    with pytest.raises(UserError, match="halvings=5: 16 pixels can be halved 4 times"):
        network(image_size=[16, 32], halvings=5, channels=2)
