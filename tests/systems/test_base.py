from types import SimpleNamespace
from typing import Any

import pytest
import torch

from freqgan.errors import DivergedError, UserError
from freqgan.systems import SGD, Adam
from freqgan.systems.batches import split
from tests.systems.toy import TERMS, Toy


def changed(before: dict[str, torch.Tensor], after: dict[str, torch.Tensor]) -> set[str]:
    return {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}


@pytest.mark.parametrize(
    ("order", "calls"),
    [
        ("discriminator_first", ["synthesize", "discriminator", "generator"]),
        ("generator_first", ["synthesize", "generator", "discriminator"]),
    ],
)
def test_one_forward_pass_serves_both_players_in_their_order(order: str, calls: list[str]) -> None:
    toy = Toy(order=order)
    toy.run(1)
    assert toy.calls == calls


@pytest.mark.parametrize("player", ["generator", "discriminator"])
def test_a_turn_changes_one_player_alone(player: Any) -> None:
    toy = Toy()
    part = split({"image": torch.randn(4, 2)}, 1)
    outputs = [toy.forward_part(part[0], graph=True)]
    before = toy.weights()
    toy._turn(player, part, outputs)
    assert changed(before, toy.weights()) == {player}
    assert all(p.requires_grad for network in toy.players().values() for p in network.parameters())


def test_critic_only_updates_build_no_generator_graph() -> None:
    toy = Toy(n_critic=3)
    before = toy.weights()
    toy.run(2)
    assert changed(before, toy.weights()) == {"discriminator"}
    assert toy.calls == ["synthesize without graph", "discriminator"] * 2
    toy.run(1)
    assert "generator" in changed(before, toy.weights())
    assert (toy.clock.steps, toy.clock.generator_updates, toy.clock.images_seen) == (3, 1, 24)


def test_lazy_terms_count_as_often_as_they_are_left_out() -> None:
    # The gradient of the lazy term is the weight: four steps of it equal one lazy step of four times its weight.
    def moved(every: int) -> torch.Tensor:
        toy = Toy(
            every={"lazy": every},
            terms={"generator": {"adversarial": 0.0}, "discriminator": {"adversarial": 0.0, "lazy": 1.0}},
        )
        before = toy.discriminator.weight.detach().clone()
        logs = toy.run(every)
        assert [("discriminator/lazy" in log) for log in logs] == [True] + [False] * (every - 1)
        return before - toy.discriminator.weight.detach()

    torch.testing.assert_close(moved(4), 4 * moved(1))


@pytest.mark.parametrize(("every", "due"), [(2, [1, 5, 9]), (3, [1, 7])])
def test_lazy_terms_of_the_generator_count_its_own_updates(every: int, due: list[int]) -> None:
    terms: Any = {"generator": {"adversarial": 1.0}, "discriminator": {"adversarial": 1.0}}
    toy = Toy(every={"adversarial": every}, n_critic=2, terms=terms)
    wanted = []
    for step in range(10):
        if (step + 1) % 2 == 0 and toy.wants("generator", "adversarial"):
            wanted.append(step)
        toy.run(1)
    assert wanted == due


def test_parts_of_a_batch_give_the_same_step() -> None:
    whole, parts = Toy(), Toy(accumulate=3)
    # The toy's tanh is not a mean over rows; its generator side is, so that is what must agree to rounding.
    for toy in (whole, parts):
        toy.terms["discriminator"]["adversarial"] = 0.0
        toy.run(5, batch_size=8)  # parts of 3, 3 and 2
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(value, parts.state_dict()[name])


def test_steps_are_a_function_of_seed_and_position() -> None:
    first, second, other = Toy(), Toy(), Toy(seed=4)
    first.run(3)
    torch.manual_seed(99)
    second.run(3)
    other.run(3)
    assert not changed(first.weights(), second.weights())
    assert changed(first.weights(), other.weights())


def test_the_average_has_the_stated_halflife() -> None:
    toy = Toy(ema_halflife=16.0, ema_rampup=1e9)
    toy.run(1)
    average = toy.ema.module.weight.clone()
    toy.run(1)
    # The batch is half a half-life, so the old average keeps the share 0.5 ** 0.5.
    expected = 0.5**0.5 * average + (1 - 0.5**0.5) * toy.generator.weight
    torch.testing.assert_close(toy.ema.module.weight, expected.detach())
    assert torch.equal(toy.sample(0, 1, seed=0, weights="raw"), toy.generator(torch.ones(1, 3)))
    assert not torch.equal(toy.sample(0, 1, seed=0), toy.sample(0, 1, seed=0, weights="raw"))


def test_clipping_bounds_the_update() -> None:
    toy = Toy(clip=1e-3, optim=SGD(lr=1.0, momentum=0.0))
    before = toy.weights()
    toy.run(1)
    for player in ("generator", "discriminator"):
        step = torch.cat([(toy.weights()[n] - before[n]).flatten() for n in before if n.startswith(player)])
        assert float(step.norm()) == pytest.approx(1e-3, rel=1e-3)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("player", ["generator", "discriminator"])
@pytest.mark.fault("divergence", "NaN or infinity")
def test_numbers_that_are_not_finite_stop_before_the_update(player: str, value: float) -> None:
    toy = Toy()
    toy.terms[player]["adversarial"] = value  # type: ignore[index]
    network = toy.players()[player]  # type: ignore[index]
    before = {name: p.detach().clone() for name, p in network.named_parameters()}
    with pytest.raises(DivergedError, match=f"{player} diverged at images_seen=0"):
        toy.run(1)
    assert all(torch.equal(before[name], p) for name, p in network.named_parameters())


def test_unknown_terms_are_refused_together() -> None:
    with pytest.raises(UserError) as caught:
        Toy(terms=TERMS | {"generator": {"adversarail": 1.0}}, every={"r2": 4})
    assert [line.split("=")[0].split(" ")[0] for line in caught.value.lines] == [
        "model.terms.generator.adversarail",
        "model.every.r2",
    ]


def test_player_overrides_and_schedule_reach_the_optimiser() -> None:
    toy = Toy(optim=Adam(lr=0.1, generator={"lr": 0.2}, schedule="linear_decay", decay_from=0.5), images=32)
    rates = []
    for _ in range(4):
        toy.run(1)
        rates.append([group["lr"] for optimizer in toy.optimizers() for group in optimizer.param_groups])
    assert rates == [[0.2, 0.1], [0.2, 0.1], [0.2, 0.1], [0.1, 0.05]]


def test_the_norm_of_a_gradient_is_logged_as_it_is_before_it_is_clipped() -> None:
    free, clipped = (Toy(clip=clip).run(1)[0] for clip in (None, 1e-3))  # the discriminator has the first turn
    assert free["gradient_norm/discriminator"] == clipped["gradient_norm/discriminator"] > 1e-2
    assert clipped["gradient_norm/generator"] > 1e-2
    assert not [
        name for name in free if name.startswith(("generator/", "discriminator/")) and "norm" in name
    ]  # no term


def test_notes_are_logged_beside_the_terms_of_their_step_alone() -> None:
    toy = Toy()
    toy.noted = {"discriminator/accuracy": torch.ones(())}
    (log,) = toy.run(1)
    assert set(log) == {
        *("discriminator/adversarial", "discriminator/lazy", "discriminator/accuracy"),
        *("generator/adversarial", "gradient_norm/generator", "gradient_norm/discriminator"),
    }
    toy.noted = {}
    assert "discriminator/accuracy" not in toy.run(1)[0]


@pytest.mark.parametrize("images_seen", [0, 64])
def test_fresh_runs_alone_are_calibrated_and_averages_begin_there(images_seen: int) -> None:
    toy = Toy()
    toy.clock.images_seen = images_seen
    toy._trainer = SimpleNamespace(datamodule="the data")
    with torch.no_grad():
        toy.generator.weight.fill_(7.0)
    toy.on_fit_start()
    assert toy.calls == ([] if images_seen else ["calibrate with the data"])
    assert torch.equal(toy.ema.module.weight, toy.generator.weight) == (images_seen == 0)


def test_rows_are_carried_to_the_next_step_and_over_a_checkpoint_with_those_of_inner_systems() -> None:
    def nested() -> Toy:
        toy = Toy()
        toy.inner.append(Toy())
        return toy

    toy, other = nested(), nested()
    assert toy.carried(2) is None
    for system, value in ((toy, 1.0), (toy.inner[0], 2.0)):
        system.carry({"rows": torch.full((2, 3), value, requires_grad=True)})
    checkpoint: dict[str, Any] = {"state_dict": toy.state_dict()}
    toy.on_save_checkpoint(checkpoint)
    other.on_load_checkpoint(checkpoint)
    for system, value in ((other, 1.0), (other.inner[0], 2.0)):
        carried = system.carried(2)
        assert carried is not None
        assert torch.equal(carried["rows"], torch.full((2, 3), value))
        assert not carried["rows"].requires_grad
        assert system.carried(3) is None, "the batch has another size now"


@pytest.mark.parametrize("weights", ["ema", "raw"])
def test_the_kept_generator_is_evaluated_and_then_trains_on(weights: Any) -> None:
    toy = Toy()
    with torch.no_grad():
        toy.ema.module.weight.fill_(3.0)
    with toy.kept_generator(weights) as generator:
        assert not generator.training
        assert not generator(torch.ones(1, 3)).requires_grad
        assert bool((generator.weight == 3.0).all()) == (weights == "ema")
    assert toy.generator.training
    assert generator is toy.generator
    assert not bool((generator.weight == 3.0).any())
