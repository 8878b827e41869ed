"""Which output reaches which generator, in which pass; and that evaluating several together makes no difference."""

from typing import Any

import pytest
import torch

from freqgan.networks import BandGenerators
from tests.networks.small_generators import (
    CLASSES,
    HAAR,
    calls,
    changed,
    frame_for,
    generators,
    nudged,
    outputs,
    singly,
)


@pytest.mark.parametrize("transform", [HAAR[2], CLASSES])
@pytest.mark.parametrize("loop", [False, True])
def test_in_the_first_pass_an_output_reaches_those_after_it(transform: Any, loop: bool) -> None:
    network = generators(transform, loop=loop)
    frame, names = frame_for(network), [gan.name for gan in network.gans]
    before = outputs(network, frame)
    for j in range(len(names)):
        assert changed(before, outputs(nudged(network, j), frame)) == set(names[j:])


@pytest.mark.parametrize("transform", [HAAR[2], CLASSES])
def test_in_later_passes_an_output_reaches_all_others(transform: Any) -> None:
    network = generators(transform, loop=True)
    frame, names = frame_for(network), {gan.name for gan in network.gans}
    first = network(frame)
    second = outputs(network, frame, before=first)
    for gan in network.gans:
        moved = first | {name: first[name] + 1 for name in gan.bands}
        assert changed(second, outputs(network, frame, before=moved)) == names - {gan.name}


@pytest.mark.parametrize(
    ("cascade", "reached"),
    [
        # HL1 sees the low image of its level, into which all of level 2 goes; LL2 sees HH1 from the second pass on.
        (
            {"HH2": ["LL2"], "HL1": ["LL1"], "LL2": ["HH1"]},
            {"LL2": {"HH2", "HL1"}, "HL2": {"HL1"}, "LH2": {"HL1"}, "HH2": {"HL1"}, "LL1": {"HL1"}},
        ),
        # HH1 may be evaluated before HL1, which still does not see it in the first pass.
        ({"HL1": ["HH1"], "LH1": ["HL1"]}, {"HL1": {"LH1"}}),
    ],
)
def test_a_subset_is_exactly_the_mapping(cascade: dict[str, list[str]], reached: dict[str, set[str]]) -> None:
    network = generators(cascade=cascade, loop=True)
    frame, first = frame_for(network), network(frame_for(network))
    before, second = outputs(network, frame), outputs(network, frame, before=first)
    for j, gan in enumerate(network.gans):
        assert changed(before, outputs(nudged(network, j), frame)) == {gan.name} | reached.get(gan.name, set())
        seen_by = {name for name, sources in cascade.items() if gan.name in sources}
        assert changed(second, outputs(network, frame, before=first | {gan.name: first[gan.name] + 1})) == seen_by


@pytest.mark.parametrize(("cascade", "scope"), [("none", "global"), ("all", "level"), ("previous", "level")])
def test_levels_are_joined_by_the_low_image_alone(cascade: str, scope: str) -> None:
    network = generators(cascade=cascade, scope=scope, every=False)
    frame, fine = frame_for(network), {"HL1", "LH1", "HH1"}
    before = outputs(network, frame)
    for j, gan in enumerate(network.gans):
        after = changed(before, outputs(nudged(network, j), frame)) - {gan.name}
        if cascade == "none":
            assert after == set()
        elif gan.level == 2:
            assert after >= fine
        else:
            assert after <= fine


def test_noise_is_each_generators_own() -> None:
    network = generators(cascade="none")
    frame = frame_for(network)
    before = outputs(network, frame)
    for j, gan in enumerate(network.gans):
        moved = frame.clone()
        moved[:, j] += 1
        assert changed(before, outputs(network, moved)) == {gan.name}


def test_the_image_of_twelve_generators_reaches_every_low_one() -> None:
    network = generators(HAAR[3], "none")
    assert [gan.name for gan in network.gans if gan.low] == ["LL3", "LL2", "LL1"]
    assert len(network.gans) == 12
    network.bands.image(network(frame_for(network))).square().sum().backward()
    for stack in network.stacks:
        for gradient in stack.network.to_image.bias.grad.chunk(len(stack.members)):
            assert gradient.abs().min() > 0
    assert set(network.shares) == {"LL2", "LL1"}
    assert all(share.grad.abs().min() > 0 for share in network.shares.values())


@pytest.mark.parametrize("norm", ["batch", "none"])
@pytest.mark.parametrize(
    ("transform", "cascade", "options"),
    [
        (HAAR[2], "none", {}),
        (HAAR[2], "all", {"loop": True, "passes": 2, "scope": "level"}),
        (HAAR[1], {"HL1": ["LL1"], "LH1": ["LL1"], "HH1": ["LL1"]}, {"gans": {"1": {"low": 2}}}),
        (CLASSES, "previous", {"loop": True, "passes": 3}),
    ],
)
def test_together_is_one_by_one(transform: Any, cascade: Any, options: Any, norm: str) -> None:
    network = generators(transform, cascade, norm=norm, **options)
    twin, frame = singly(network), frame_for(network, batch=4)
    assert len(calls(network, frame)) < len(calls(twin, frame)) == len(network.gans) * network.passes
    made = [one(frame) for one in (network, twin)]
    assert made[0].keys() == made[1].keys() == set(network.bands.names)
    for name, band in made[0].items():
        torch.testing.assert_close(band, made[1][name], rtol=1e-10, atol=1e-10)
    for one, bands in zip((network, twin), made, strict=True):
        one.bands.image(bands).pow(3).mean().backward()
    for ours, theirs in zip(network.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-6, atol=1e-9)
    assert all(p.grad is not None for p in network.parameters())


@pytest.mark.parametrize("cascade", ["none", "previous", "all", {"HL1": ["HH1"], "HH2": ["LL1"]}])
@pytest.mark.parametrize("scope", ["level", "global"])
@pytest.mark.parametrize("passes", [1, 2])
def test_every_generator_is_evaluated_once_a_pass(cascade: Any, scope: str, passes: int) -> None:
    network = generators(cascade=cascade, scope=scope, loop=True, passes=passes)
    evaluated = [i for members, _ in calls(network, frame_for(network)) for i in members]
    count = len(network.gans)
    assert [sorted(evaluated[k * count : (k + 1) * count]) for k in range(passes)] == [list(range(count))] * passes


def test_a_further_pass_is_the_second_of_two() -> None:
    network = generators(loop=True, scope="level")
    twice = generators(loop=True, scope="level", passes=2)
    frame = frame_for(network)
    further, second = network(frame, before=network(frame)), twice(frame)
    assert all(torch.equal(further[name], second[name]) for name in second)
    assert changed(network(frame), second)


def test_several_gans_of_a_band_are_averaged_by_shares() -> None:
    network = generators(HAAR[1], "none", gans=[["LL1"], ["LL1", "HL1"], ["LL1"], ["LH1"], ["HH1"]])
    with torch.no_grad():
        network.shares["LL1"].copy_(torch.tensor([0.0, 1.0, 3.0]).log())  # the weights are 0 : 1 : 3
    frame = frame_for(network)
    made, bands = outputs(network, frame), network(frame)
    parts = {name: made[name][:, :2] for name in ("LL1+HL1", "LL1#2")}
    torch.testing.assert_close(bands["LL1"], 0.25 * parts["LL1+HL1"] + 0.75 * parts["LL1#2"])
    assert torch.equal(bands["HL1"], made["LL1+HL1"][:, 2:])


def test_a_low_band_is_averaged_with_what_the_coarser_level_makes() -> None:
    network = generators(cascade="none")
    with torch.no_grad():
        network.shares["LL1"].copy_(torch.tensor([1.0, 4.0]).log())
    made, bands = outputs(network, frame_for(network)), network(frame_for(network))
    lifted = network.bands.lift(2, bands)
    torch.testing.assert_close(bands["LL1"], 0.2 * made["LL1"] + 0.8 * lifted)
    alone = generators(cascade="none", every=False)
    bands = alone(frame_for(alone))
    assert not alone.shares
    assert torch.equal(bands["LL1"], alone.bands.lift(2, bands))
    torch.testing.assert_close(alone.bands.image(bands), alone.bands.lift(1, bands))


def conditioned(**options: Any) -> BandGenerators:
    return generators(HAAR[1], feature_dim=6, condition_dim=3, **options)


def test_features_reach_every_generator() -> None:
    network = conditioned(cascade="none")
    frame, features = frame_for(network), torch.randn(3, 6).double()
    before = outputs(network, frame, features=features)
    assert changed(before, outputs(network, frame, features=features.flip(1))) == set(before)
    network(frame, features=features)["LL1"].sum().backward()
    assert network.condition is not None
    assert network.condition.project.weight.grad is not None


def test_samples_take_features_of_real_images_by_seed_and_number() -> None:
    network = conditioned()
    network.references.copy_(torch.arange(256.0)[:, None].expand(-1, 6))

    def chosen(first: int, count: int, seed: int = 0) -> list[float]:
        features = network.features_of(first, count, seed=seed)
        assert features is not None
        return features[:, 0].tolist()

    assert chosen(0, 40) == chosen(0, 25) + chosen(25, 15)
    assert chosen(0, 40) != chosen(0, 40, seed=1)
    assert len(set(chosen(0, 40))) > 30
    wanted = torch.ones(1, 6)
    assert torch.equal(network.features_of(3, 5, seed=0, wanted=wanted), wanted.expand(5, -1))
    assert generators(HAAR[1]).features_of(0, 2, seed=0) is None


def test_low_bands_may_have_networks_of_their_own_width() -> None:
    network = generators(apart=True, low={"channels": 6})
    widths = {network.gans[i].name: stack.network.start[2] for stack in network.stacks for i in stack.members}
    assert widths == {gan.name: 6 if gan.low else 4 for gan in network.gans}
    assert network(frame_for(network)).keys() == set(network.bands.names)


def test_parameters_are_shared_out() -> None:
    network = conditioned(gans="level")
    counts = [network.parameters_of(i) for i in range(len(network.gans))]
    assert network.condition is not None
    beside = sum(p.numel() for p in [*network.condition.parameters(), *network.shares.parameters()])
    assert sum(counts) + beside == sum(p.numel() for p in network.parameters())
    assert counts[0] != counts[1]


def test_bf16_bands_are_averaged_with_lifted_ones() -> None:
    network = generators(scope="level").float()
    with torch.autocast("cpu", torch.bfloat16):
        bands = network(frame_for(network).float())
        image = network.bands.image(bands)
    assert image.dtype == torch.float32
    exact = network.bands.image(network(frame_for(network).float()))
    assert float((image - exact).detach().norm() / exact.detach().norm()) < 0.05
