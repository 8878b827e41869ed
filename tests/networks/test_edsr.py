import pytest
import torch
from torch import nn

from freqgan.networks import EDSR


def parameters(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize(
    ("options", "published"),
    [({}, 1_517_571), ({"channels": 256, "blocks": 32, "residual_scale": 0.1}, 43_089_923), ({"scale": 2}, 1_369_859)],
)
def test_parameters_are_the_published_ones(options: dict[str, float], published: int) -> None:
    with torch.device("meta"):
        assert parameters(EDSR(**options)) == published  # type: ignore[arg-type]


def test_blocks_add_what_they_are_told_to() -> None:
    network, x = EDSR(channels=4, blocks=1, residual_scale=0.1), torch.randn(1, 4, 5, 5)
    block = network.body[0]
    torch.testing.assert_close(block(x), x + 0.1 * block.body[2](block.body[0](x).relu()))


def test_the_body_is_a_residual_of_the_head() -> None:
    network, low = EDSR(channels=4, blocks=2), torch.randn(1, 3, 5, 5)
    nn.init.zeros_(network.body[-1].weight)
    nn.init.zeros_(network.body[-1].bias)
    torch.testing.assert_close(network.upscale(low), network.to_image(network.upsampling(network.head(low))))
