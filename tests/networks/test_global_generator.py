import torch
from torch import nn

from freqgan.networks import GlobalGenerator, ResNetGenerator
from tests.networks.translators import image


def test_its_parameters_are_those_that_were_published() -> None:
    with torch.device("meta"):
        assert sum(w.numel() for w in GlobalGenerator(in_channels=36).parameters()) == 182_546_755


def test_with_two_halvings_it_is_the_generator_that_descends_from_the_same_net() -> None:
    torch.manual_seed(0)
    ours, theirs = GlobalGenerator(channels=4, halvings=2, blocks=2), ResNetGenerator(channels=4, blocks=2)
    theirs.load_state_dict(ours.state_dict())
    x = image(2, 3, 16, 24)
    assert torch.equal(ours(x), theirs(x))


def test_features_are_what_an_image_is_made_of() -> None:
    network = GlobalGenerator(channels=4, halvings=2, blocks=1)
    x = image(1, 3, 16, 16)
    features = network.features(x)
    assert features.shape == (1, network.width, 16, 16)
    torch.testing.assert_close(network(x), torch.tanh(network.to_image(features)))


def test_width_is_capped() -> None:
    network = GlobalGenerator(channels=4, max_channels=8, halvings=3, blocks=1)
    assert max(m.out_channels for m in network.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)) == 8


def test_it_begins_as_published() -> None:
    torch.manual_seed(0)
    network = GlobalGenerator(channels=32, halvings=2, blocks=2)
    weights = [m.weight.flatten() for m in network.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
    assert abs(torch.cat(weights).std().item() - 0.02) < 2e-4
    assert all(not name.endswith("bias") or w.abs().sum() == 0 for name, w in network.named_parameters())
