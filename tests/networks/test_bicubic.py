import torch

from freqgan.networks import Bicubic
from freqgan.ops.resample import resize


def test_it_is_the_interpolation_and_has_nothing_to_train() -> None:
    network, low = Bicubic(scale=3), torch.rand(2, 3, 5, 6) * 2 - 1
    assert torch.equal(network(low)[3], resize(low, 3))
    assert list(network.parameters()) == []
    grey = torch.full((1, 1, 4, 4), 0.25)
    torch.testing.assert_close(network.upscale(grey), torch.full((1, 1, 12, 12), 0.25))
