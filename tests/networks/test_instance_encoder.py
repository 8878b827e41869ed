from typing import Any

import torch

from freqgan.networks import InstanceEncoder
from tests.networks.translators import image


def encoder(**settings: Any) -> InstanceEncoder:
    torch.manual_seed(0)
    small: Any = {"channels": 4, "halvings": 2, "num_classes": 3, "clusters": 4, "features": 2}
    return InstanceEncoder(**small | settings)


def halves() -> torch.Tensor:
    """Two images of two instances each, left and right."""
    return torch.tensor([7, 9]).repeat_interleave(8).expand(2, 16, 16).contiguous()


def test_its_parameters_are_those_that_were_published() -> None:
    with torch.device("meta"):
        assert sum(w.numel() for w in InstanceEncoder().parameters()) == 788_803


def test_an_instance_has_the_mean_of_its_pixels_everywhere() -> None:
    built, x = encoder(), image(2, 3, 16, 16)
    made, plain = built(x, halves()), built.network(x)
    for side in (slice(0, 8), slice(8, 16)):
        expected = plain[..., side].mean((2, 3), keepdim=True).expand(-1, -1, 16, 8)
        torch.testing.assert_close(made[..., side], expected)
    assert made.shape == (2, 2, 16, 16)
    assert made.abs().max() <= 1


def test_gradients_reach_the_weights() -> None:
    built = encoder()
    built(image(2, 3, 16, 16), halves())[..., 0, 0].sum().backward()
    assert all(w.grad is not None for w in built.parameters())


def test_clusters_travel_with_the_weights() -> None:
    one, other = encoder(), encoder()
    assert torch.equal(one.look(0, 0), torch.zeros(2))
    one.keep({0: torch.tensor([[0.1, 0.2], [0.3, 0.4]]), 2: torch.tensor([[0.5, 0.6]])})
    other.load_state_dict(one.state_dict())
    assert other.counts.tolist() == [2, 0, 1]
    assert torch.equal(other.look(0, 1), torch.tensor([0.3, 0.4]))
    assert torch.equal(other.look(0, 7), torch.tensor([0.3, 0.4]))  # counted round and round
    assert torch.equal(other.look(2, 5), torch.tensor([0.5, 0.6]))
    for none in (1, 255):
        assert torch.equal(other.look(none, 3), torch.zeros(2))


def test_new_clusters_take_the_place_of_all_before() -> None:
    built = encoder()
    built.keep({0: torch.ones(4, 2), 1: torch.ones(1, 2)})
    built.keep({1: torch.full((2, 2), 0.5)})
    assert built.counts.tolist() == [0, 2, 0]
    assert built.centres[0].abs().sum() == 0
