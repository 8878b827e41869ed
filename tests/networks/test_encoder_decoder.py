from itertools import chain

import pytest
import torch
from torch import nn

from freqgan.blocks import BatchNorm2d
from freqgan.networks import DCGANDiscriminator, DCGANGenerator, EncoderDecoder
from tests.networks.translators import image


def test_it_has_no_dense_layer_and_a_map_for_its_centre() -> None:
    for size, halvings in ((64, 4), (256, 6), (100, 4), ([48, 64], 3), (8, 1), (4, 1)):
        network = EncoderDecoder(image_size=size, channels=4)
        assert not any(isinstance(module, nn.Linear) for module in network.modules())
        assert len(network.encoder) == halvings
        height, width = [size] * 2 if isinstance(size, int) else size
        centres = []
        network.encoder.register_forward_hook(lambda module, given, made, kept=centres: kept.append(made.shape[-2:]))
        network(image(2, 3, height, width))
        assert min(centres[0]) > 1


def test_its_layers_are_dcgans_without_the_dense_ones() -> None:
    network = EncoderDecoder(channels=8)
    judge = DCGANDiscriminator(in_channels=3, image_size=(64, 64), channels=8)
    maker = DCGANGenerator(latent_dim=7, out_channels=3, image_size=(64, 64), channels=8)
    shapes = {part: [tuple(w.shape) for w in part.parameters()] for part in (network.encoder, network.decoder)}
    assert shapes[network.encoder] == [
        tuple(w.shape) for w in chain(judge.first.parameters(), judge.stages.parameters())
    ]
    assert shapes[network.decoder] == [tuple(w.shape) for w in maker.stages.parameters()]
    assert network.to_image.weight.shape == maker.to_image.weight.shape


def test_its_parameters_are_counted() -> None:
    with torch.device("meta"):
        assert sum(w.numel() for w in EncoderDecoder().parameters()) == 5_513_923


def test_batch_norm_is_after_all_but_the_first_and_the_last() -> None:
    network = EncoderDecoder(channels=4)
    norms = [any(isinstance(m, BatchNorm2d) for m in layer.modules()) for layer in (*network.encoder, *network.decoder)]
    assert norms == [False, *[True] * 6]


@pytest.mark.parametrize("weights", ["running", "batch"])
def test_statistics_in_use_are_running_averages(weights: str) -> None:
    network = EncoderDecoder(image_size=16, channels=4)
    x = image(4, 3, 16, 16)
    network.train(weights == "batch")
    together, alone = network(x)[:1], network(x[:1])
    assert torch.allclose(together, alone, atol=1e-6) == (weights == "running")
