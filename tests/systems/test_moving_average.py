import pytest
import torch
from torch import nn

from freqgan.systems.moving_average import MovingAverage
from tests.systems.small import batch, system


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))


def fill(module: nn.Module, value: float) -> None:
    for tensor in module.state_dict().values():
        tensor.fill_(value)


def values(module: nn.Module) -> list[float]:
    """Of every parameter and buffer, each filled with one number."""
    return [float(tensor.flatten()[0]) for tensor in module.state_dict().values()]


def test_a_weight_counts_half_after_the_halflife_and_buffers_are_copied() -> None:
    net = network()
    average = MovingAverage(net, halflife=100.0, rampup=1e9)
    fill(net, 1.0)
    average.update(net, 50, seen=1000)  # the first one is taken as it is
    fill(net, 3.0)
    average.update(net, 100, seen=1050)
    parameters, buffers = 4, 3
    assert values(average.module) == [2.0] * parameters + [3.0] * buffers
    for step in range(4):
        average.update(net, 25, seen=1150 + 25 * step)
    assert values(average.module)[:parameters] == pytest.approx([2.5] * parameters)


def test_the_halflife_is_at_most_a_share_of_the_images_seen() -> None:
    net = network()
    average = MovingAverage(net, halflife=1e9, rampup=0.05)
    fill(net, 0.0)
    average.update(net, 8, seen=0)
    fill(net, 1.0)
    average.update(net, 8, seen=160)  # a half-life of 8 images
    assert values(average.module)[0] == pytest.approx(0.5)


def test_a_restarted_average_is_the_network_as_it_is() -> None:
    net = network()
    average = MovingAverage(net, halflife=100.0, rampup=1e9)
    for value in (1.0, 2.0):
        fill(net, value)
        average.update(net, 50, seen=0)
    fill(net, 5.0)
    average.restart(net)
    assert values(average.module) == [5.0] * 7
    fill(net, 6.0)
    average.update(net, 50, seen=0)
    assert values(average.module) == [6.0] * 7


def test_in_place_a_network_has_the_averages_and_gets_its_own_back_even_after_an_error() -> None:
    net = network()
    average = MovingAverage(net, halflife=100.0, rampup=1e9)
    fill(net, 1.0)
    fill(average.module, 2.0)
    linear, identity = net[0], [id(tensor) for tensor in net.parameters()]  # type: ignore[index]
    with average.in_place(net):
        assert values(net) == [2.0] * 7
        assert values(average.module) == [1.0] * 7
        assert float(linear(torch.ones(1, 3)).detach()[0, 0]) == 8.0, (
            "what holds a part of the network has the averages too"
        )
    with pytest.raises(ZeroDivisionError), average.in_place(net):
        raise ZeroDivisionError
    assert values(net) == [1.0] * 7
    assert values(average.module) == [2.0] * 7
    assert [id(tensor) for tensor in net.parameters()] == identity


def test_samples_between_steps_change_no_step() -> None:
    settings = {"norm": "batch", "cascade": "previous", "ema_halflife": 6.0, "ema_rampup": 1e9}
    watched, alone = system(**settings), system(**settings)
    for step in range(3):
        watched.training_step(batch(), step)
        alone.training_step(batch(), step)
        kept, raw = (watched.sample(0, 2, seed=step, weights=weights) for weights in ("ema", "raw"))
        assert torch.equal(kept, raw) == (step == 0), "the first average is the network"
    for name, value in alone.state_dict().items():
        assert torch.equal(watched.state_dict()[name], value), name
