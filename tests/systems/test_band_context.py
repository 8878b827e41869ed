"""Which GANs train and what their generators see meanwhile: orders, real contexts, contexts of the step before."""

from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from freqgan.losses import FocalFrequencyLoss
from freqgan.networks import DCGANDiscriminator
from freqgan.systems import Adam, FrequencyGAN
from freqgan.systems.band_context import BandSchedule, RealContext
from freqgan.systems.rules import Player, Rows
from tests.systems.small import batch, changed, gradients, moved_to, names, ready, system, two_levels, weights

LOWS = {"LL2", "LL1"}
HIGHS = {"HL2", "LH2", "HH2", "HL1", "LH1", "HH1"}
PLAYERS: tuple[Player, ...] = ("generator", "discriminator")


def equal_rows(bands: dict[str, Tensor], others: dict[str, Tensor]) -> dict[str, list[bool]]:
    """Samples of which a band is the same."""
    return {name: (band == others[name]).flatten(1).all(1).tolist() for name, band in bands.items()}


@pytest.mark.parametrize(
    ("real", "shares"),
    [
        ({}, [0.0, 0.0, 0.0, 0.0]),
        ({"start": 1.0, "end": 0.0, "until": 0.5}, [1.0, 0.5, 0.0, 0.0]),
        ({"start": 0.2, "end": 0.6}, [0.2, 0.3, 0.4, 0.6]),
    ],
)
def test_the_share_of_real_contexts_is_linear_over_the_budget(real: RealContext, shares: list[float]) -> None:
    schedule = BandSchedule([], real, "together", 0.5)
    assert [schedule.real_share(p) for p in (0.0, 0.25, 0.5, 1.0)] == pytest.approx(shares)
    assert schedule.teaches == bool(real)


def test_samples_with_real_contexts_are_drawn_by_position_alone() -> None:
    built = system(cascade_real={"start": 0.5, "end": 0.5})

    def taught(rows: Rows) -> list[bool]:
        part = {"image": batch()["image"][rows.first : rows.end]}
        outputs = built.forward_part((part, rows), graph=False)
        by_band = list(equal_rows(outputs["seen"], outputs["real"]).values())
        assert by_band.count(by_band[0]) == len(by_band), "a sample sees real bands alone, or none"
        return by_band[0]

    whole = taught(Rows(0, 6, 6))
    assert 0 < sum(whole) < 6
    assert taught(Rows(0, 2, 6)) + taught(Rows(2, 6, 6)) == whole
    assert any(taught(Rows(0, 6, 6)) != whole for built.clock.images_seen in range(6, 60, 6))


def test_a_real_context_is_all_that_a_generator_depends_on() -> None:
    built = system(cascade_real={"start": 1.0, "end": 0.0, "until": 0.5})
    outputs = ready(built)
    assert all(all(rows) for rows in equal_rows(outputs["seen"], outputs["real"]).values())
    built.generator_terms({}, outputs)["HH1/adversarial"].backward()
    assert {n for n, g in gradients(built, "generator").items() if g.abs().sum() > 0} == {"HH1"}
    # When the share has come down to 0 it is the generated bands again.
    outputs = ready(moved_to(built, 0.5))
    assert all(all(rows) for rows in equal_rows(outputs["seen"], outputs["fake"]).values())
    built.generator_terms({}, outputs)["HH1/adversarial"].backward()
    assert {n for n, g in gradients(built, "generator").items() if g.abs().sum() > 0} == set(names(built))


def test_untaught_samples_see_nothing_of_what_is_not_made_yet() -> None:
    taught, plain = (system(passes=2, cascade_real={"start": share, "end": share}) for share in (1e-9, 0.0))
    for name, band in ready(taught)["fake"].items():
        torch.testing.assert_close(band, ready(plain)["fake"][name])


def ordered(order: Any) -> FrequencyGAN:
    return system(two_levels(), training_order=order, norm="batch", optim=Adam(lr=0.01), training_switch=0.6)


@pytest.mark.parametrize(
    ("order", "first", "second"),
    [("low_first", LOWS, HIGHS), ("high_first", HIGHS, LOWS), ("together", LOWS | HIGHS, LOWS | HIGHS)],
)
def test_one_kind_of_bands_trains_and_the_other_one_rests(order: str, first: set[str], second: set[str]) -> None:
    built = ordered(order)
    for progress, active in ((0.0, first), (0.59, first), (0.6, second), (1.0, second)):
        moved_to(built, progress)
        before = {player: weights(built, player) for player in PLAYERS}
        share = built.generators.shares["LL1"].detach().clone()
        log = built.training_step(batch(), 0)
        for player in PLAYERS:
            # Not by a bit, the running statistics of batch norm and Adam's momentum included.
            assert changed(before[player], weights(built, player)) == active
            assert {name.split("/")[1] for name in log if name.startswith(player) and "adversarial" in name} == active
        assert torch.equal(built.generators.shares["LL1"], share) == ("LL1" not in active)


@pytest.mark.parametrize(("order", "first"), [("low_first", LOWS), ("high_first", HIGHS)])
def test_the_kind_that_is_yet_to_come_is_real_in_the_context(order: str, first: set[str]) -> None:
    built = ordered(order)
    outputs = ready(built)
    for name in LOWS | HIGHS:
        assert torch.equal(outputs["seen"][name], outputs["fake" if name in first else "real"][name])
    outputs = ready(moved_to(built, 0.6))
    assert all(outputs["seen"][name] is outputs["fake"][name] for name in LOWS | HIGHS)


def test_the_whole_image_waits_for_both_kinds() -> None:
    terms: Any = {"generator": {"adversarial": 1.0, "focal_frequency": 1.0}, "discriminator": {"adversarial": 1.0}}
    built = system(
        training_order="high_first",
        image_discriminator=partial(DCGANDiscriminator, channels=4, norm="none"),
        focal_frequency=FocalFrequencyLoss(),
        terms=terms,
    )
    expected = {"generator/focal_frequency", "generator/whole/adversarial", "discriminator/whole/adversarial"}
    assert expected.isdisjoint(built.training_step(batch(), 0))
    assert expected <= moved_to(built, 0.5).training_step(batch(), 0).keys()


def test_a_step_sees_what_was_made_in_the_step_before() -> None:
    built = system(cascade_iteration="step")
    first = ready(built)
    assert torch.equal(first["fake"]["LL1"], built.generators(first["noise"])["LL1"]), "nothing was made before"
    built.clock.images_seen = 6
    second = ready(built)
    expected = built.generators(second["noise"], before=first["fake"])
    assert not torch.equal(second["noise"], first["noise"])
    assert all(torch.equal(second["fake"][name], expected[name]) for name in expected)
    assert not torch.equal(second["fake"]["LL1"], built.generators(second["noise"])["LL1"])
    # A context of the step before takes no gradient to that step.
    second["fake"]["HH1"].sum().backward()
    assert {n for n, g in gradients(built, "generator").items() if g.abs().sum() > 0} == {"HH1"}


def test_what_was_made_in_the_step_before_is_in_the_checkpoint() -> None:
    built, other = (system(cascade_iteration="step") for _ in range(2))
    for step in range(2):
        built.training_step(batch(), step)
    checkpoint: dict[str, Any] = {"state_dict": built.state_dict()}
    built.on_save_checkpoint(checkpoint)
    built.sample(0, 3, seed=0)  # leaves what is carried alone
    other.on_load_checkpoint(checkpoint)
    other.load_state_dict(checkpoint["state_dict"])
    for system_ in (built, other):
        system_.training_step(batch(), 2)
    assert changed(built.state_dict(), other.state_dict()) == set()
