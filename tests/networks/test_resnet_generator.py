import pytest
import torch
from torch import nn

from freqgan.networks import ResNetGenerator
from tests.networks.translators import image


@pytest.mark.parametrize(("size", "published"), [(256, 11_378_179), (128, 11_378_179 - 3 * 2 * (256 * 256 * 9 + 256))])
def test_its_parameters_are_those_that_were_published(size: int, published: int) -> None:
    with torch.device("meta"):
        assert sum(w.numel() for w in ResNetGenerator(image_size=size).parameters()) == published


def test_a_block_adds_to_what_it_is_given() -> None:
    network = ResNetGenerator(channels=2, blocks=1, norm="none")
    (block,) = [module for module in network.modules() if type(module).__name__ == "ResidualBlock"]
    for weight in block.parameters():
        nn.init.zeros_(weight)
    x = torch.randn(1, 8, 6, 6)
    assert torch.equal(block(x), x)


def test_blocks_work_at_a_quarter_of_the_size() -> None:
    network = ResNetGenerator(channels=2, blocks=1)
    shapes: list[torch.Size] = []
    for module in network.modules():
        if type(module).__name__ == "ResidualBlock":
            module.register_forward_hook(lambda module, given, made: shapes.append(made.shape))
    network(image(1, 3, 32, 48))
    assert shapes == [(1, 8, 8, 12)]


def test_an_image_does_not_depend_on_the_batch() -> None:
    network, x = ResNetGenerator(channels=4, blocks=1), image(3, 3, 16, 16)
    torch.testing.assert_close(network(x)[1:2], network(x[1:2]))


def test_its_layers_are_those_of_the_paper_in_their_order() -> None:
    torch.manual_seed(0)
    ours = ResNetGenerator(channels=4, blocks=1)
    body = nn.Sequential(
        *(nn.ReflectionPad2d(1), nn.Conv2d(16, 16, 3), nn.InstanceNorm2d(16), nn.ReLU()),
        *(nn.ReflectionPad2d(1), nn.Conv2d(16, 16, 3), nn.InstanceNorm2d(16)),
    )
    start = nn.Sequential(
        *(nn.ReflectionPad2d(3), nn.Conv2d(3, 4, 7), nn.InstanceNorm2d(4), nn.ReLU()),
        *(nn.Conv2d(4, 8, 3, 2, 1), nn.InstanceNorm2d(8), nn.ReLU()),
        *(nn.Conv2d(8, 16, 3, 2, 1), nn.InstanceNorm2d(16), nn.ReLU()),
    )
    end = nn.Sequential(
        *(nn.ConvTranspose2d(16, 8, 3, 2, 1, 1), nn.InstanceNorm2d(8), nn.ReLU()),
        *(nn.ConvTranspose2d(8, 4, 3, 2, 1, 1), nn.InstanceNorm2d(4), nn.ReLU()),
        *(nn.ReflectionPad2d(3), nn.Conv2d(4, 3, 7), nn.Tanh()),
    )
    theirs = [weight for part in (start, body, end) for weight in part.parameters()]
    for mine, other in zip(ours.parameters(), theirs, strict=True):
        other.data.copy_(mine.data)
    x = image(2, 3, 16, 24)
    features = start(x)
    torch.testing.assert_close(ours(x), end(features + body(features)))
