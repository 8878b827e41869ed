"""What generators see of real bands, and which of them take gradients."""

from typing import Any

import pytest
import torch

from freqgan.networks import BandGenerators, Teacher
from tests.networks.small_generators import CLASSES, HAAR, calls, changed, frame_for, generators, outputs, real_bands

ROWS = torch.tensor([True, False, True])


def learning(network: BandGenerators) -> set[str]:
    """Names of the GANs whose generators have gradients."""
    found = set()
    for stack in network.stacks:
        gradients = [p.grad.chunk(len(stack.members)) for p in stack.parameters() if p.grad is not None]
        for place, i in enumerate(stack.members):
            if any(gradient[place].abs().sum() > 0 for gradient in gradients):
                found.add(network.gans[i].name)
    return found


def test_real_bands_are_shown_by_row() -> None:
    real, generated = torch.ones(3, 1, 2, 2), torch.zeros(3, 1, 2, 2)
    assert Teacher({"a": real}, ROWS).shown("a", generated).mean((1, 2, 3)).tolist() == [1, 0, 1]
    assert torch.equal(Teacher({"a": real}).shown("a", generated), real)
    assert torch.equal(Teacher({"a": real}, ROWS, always=["a"]).shown("a", generated), real)


@pytest.mark.parametrize("passes", [1, 2])
def test_taught_samples_see_real_bands_and_others_generated_ones(passes: int) -> None:
    network = generators(scope="level", loop=passes > 1, passes=passes)
    frame, real = frame_for(network), real_bands(network)
    mixed = outputs(network, frame, teacher=Teacher(real, ROWS))
    taught, untaught = outputs(network, frame, teacher=Teacher(real)), outputs(network, frame)
    for name, image in mixed.items():
        torch.testing.assert_close(image[ROWS], taught[name][ROWS])
        torch.testing.assert_close(image[~ROWS], untaught[name][~ROWS])
    assert changed(taught, untaught) == {gan.name for gan in network.gans if gan.sees}


def test_real_bands_are_no_part_of_what_is_made() -> None:
    # All that is generated in a taught pass comes from noise and contexts: with no context there is no difference.
    network = generators(cascade="none")
    frame = frame_for(network)
    assert not changed(network(frame), network(frame, teacher=Teacher(real_bands(network))))


def test_bands_that_are_always_real_are_so_in_every_sample() -> None:
    network = generators(HAAR[1], {"HL1": ["LL1"], "LH1": ["HL1"], "HH1": ["LL1", "HL1"]})
    frame, real = frame_for(network), real_bands(network)
    some = outputs(network, frame, teacher=Teacher(real, ROWS, always=["LL1"]))
    everything = outputs(network, frame, teacher=Teacher(real))
    assert torch.equal(some["HL1"], everything["HL1"])
    for name in ("LH1", "HH1"):
        assert (some[name] == everything[name]).flatten(1).all(1).tolist() == ROWS.tolist()


@pytest.mark.parametrize("transform", [HAAR[2], CLASSES])
def test_with_real_bands_alone_nobody_waits(transform: Any) -> None:
    network = generators(transform, loop=True, scope="level")
    frame, real = frame_for(network), real_bands(network)
    together = calls(network, frame, teacher=Teacher(real))
    assert [members for members, _ in together] == [stack.members for stack in network.stacks]
    waiting = calls(network, frame, teacher=Teacher(real, torch.ones(3, dtype=torch.bool)))
    assert len(waiting) == len(network.gans)
    singles = {members[0]: image for members, (image,) in waiting}
    for members, images in together:
        for i, image in zip(members, images, strict=True):
            torch.testing.assert_close(image, singles[i])


@pytest.mark.parametrize("passes", [1, 2])
@pytest.mark.parametrize("gradient", [True, False])
def test_the_gradient_through_the_cascade_can_be_cut(gradient: bool, passes: int) -> None:
    network = generators(HAAR[1], cascade_gradient=gradient, loop=passes > 1, passes=passes)
    network(frame_for(network))["HH1"].sum().backward()
    assert learning(network) == ({"LL1", "HL1", "LH1", "HH1"} if gradient else {"HH1"})


def test_real_bands_pass_no_gradient_on() -> None:
    network = generators(HAAR[1])
    frame, real = frame_for(network), real_bands(network)
    network(frame, teacher=Teacher(real, ROWS))["HH1"][ROWS].sum().backward()
    assert learning(network) == {"HH1"}


@pytest.mark.parametrize("low", [True, False])
def test_frozen_generators_take_no_gradient(low: bool) -> None:
    network = generators(apart=True, gans=[["LL2"], ["LL1"], ["HL2"], ["LH2", "HH2"], ["HL1"], ["LH1", "HH1"]])
    learn = {gan.name for gan in network.gans if gan.low == low}
    rest = {gan.name for gan in network.gans} - learn
    bands = network(frame_for(network), frozen=rest)
    sum(band.pow(2).mean() for band in bands.values()).backward()
    assert learning(network) == learn
    assert all(
        p.grad is None for s in network.stacks if network.gans[s.members[0]].name in rest for p in s.parameters()
    )


def test_what_is_frozen_is_made_all_the_same() -> None:
    network = generators(apart=True)
    frame = frame_for(network)
    bands = network(frame, frozen={gan.name for gan in network.gans if gan.low})
    assert not changed(network(frame), bands)
