"""Phases of a toy whose generator has two parts, each with a batch norm, over a budget of ten steps."""

from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from freqgan.errors import UserError
from freqgan.runs.files import write_checkpoint
from freqgan.systems import SGD, Adam
from freqgan.systems.phases import Phases
from tests.systems.toy import TERMS, Toy

SILENT: Any = {"discriminator": {"adversarial": 0.0, "lazy": 0.0}}
STAGES: Any = [
    {"until": 0.4, "terms": SILENT, "frozen": ["generator.coarse"]},
    {"fresh_optimizers": True, "optim": {"lr": 0.01}},
]


def part(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, outputs), nn.BatchNorm1d(outputs))


def two_parts() -> nn.Module:
    return nn.Sequential(OrderedDict(coarse=part(3, 4), enhancer=part(4, 2)))


def toy(phases: Any = STAGES, **rules: Any) -> Toy:
    rules = {"optim": Adam(lr=0.1, weight_decay=0.1), "images": 80} | rules
    return Toy(generator=two_parts, phases=phases, **rules)


def changed(before: dict[str, torch.Tensor], after: dict[str, torch.Tensor]) -> set[str]:
    return {name for name in before if not torch.equal(before[name], after[name])}


def test_what_is_frozen_rests_in_every_respect_and_moves_afterwards() -> None:
    system = toy()
    before = system.weights()
    system.run(4)
    moved = changed(before, system.weights())
    assert not [name for name in moved if name.startswith(("generator.coarse", "discriminator", "ema.module.coarse"))]
    assert {"generator.enhancer.0.weight", "generator.enhancer.1.running_mean", "ema.module.enhancer.0.bias"} <= moved
    before = system.weights()
    system.run(1)
    moved = changed(before, system.weights())
    assert {"generator.coarse.0.weight", "generator.coarse.1.running_mean", "discriminator.weight"} <= moved


def test_looking_at_samples_wakes_nothing_that_rests() -> None:
    system = toy()
    system.run(1)
    before = system.weights()
    system.sample(0, 2, seed=0)
    system.run(1)
    assert not [name for name in changed(before, system.weights()) if name.startswith("generator.coarse")]


def test_a_player_with_nothing_to_minimise_is_not_computed() -> None:
    system = toy()
    system.run(4)
    assert system.calls == ["synthesize", "generator"] * 4
    assert system.clock.generator_updates == system.clock.steps == 4
    system.run(1)
    assert system.calls[-3:] == ["synthesize", "discriminator", "generator"]


def test_that_holds_without_phases_and_for_a_whole_network_that_is_frozen() -> None:
    without = Toy(terms={"generator": {"adversarial": 1.0}, "discriminator": {"adversarial": 0.0}})
    frozen = toy([{"frozen": ["generator"]}])
    for system in (without, frozen):
        system.run(2)
    assert without.calls == ["synthesize", "generator"] * 2
    assert frozen.calls == ["synthesize without graph", "discriminator"] * 2
    assert frozen.clock.generator_updates == 0


def test_a_generator_is_due_at_every_step_while_there_is_no_critic_to_wait_for() -> None:
    system = toy(n_critic=2)
    system.run(8)
    assert system.calls[:8] == ["synthesize", "generator"] * 4
    assert (
        system.calls[8:]
        == ["synthesize without graph", "discriminator", "synthesize", "discriminator", "generator"] * 2
    )


def test_steps_tell_their_phase_where_there_are_several() -> None:
    assert [float(log["phase"]) for log in toy().run(6)] == [0, 0, 0, 0, 1, 1]
    assert "phase" not in toy([{}]).run(1)[0]


def test_optimisers_begin_anew_with_the_settings_of_the_phase() -> None:
    system = toy()
    system.run(4)
    generator, _ = system.optimizers()
    assert {float(state["step"]) for state in generator.state.values()} == {4.0}
    assert generator.param_groups[0]["lr"] == 0.1
    system.run(1)
    assert {float(state["step"]) for state in generator.state.values()} == {1.0}
    assert generator.param_groups[0]["lr"] == 0.01


def test_without_asking_for_it_optimisers_remember() -> None:
    system = toy([{"until": 0.4}, {}])
    system.run(6)
    assert {float(state["step"]) for state in system.optimizers()[0].state.values()} == {6.0}


def test_a_schedule_of_a_phase_runs_over_the_phase() -> None:
    own = {"schedule": "linear_decay", "decay_from": 0.0, "generator": {"lr": 0.2}}
    system = toy([{"until": 0.4, "optim": own}, {}], optim=SGD(lr=0.1, schedule="linear_decay", decay_from=0.0))
    rates = []
    for _ in range(6):
        system.run(1)
        rates.append([optimizer.param_groups[0]["lr"] for optimizer in system.optimizers()])
    expected = [[0.2, 0.1], [0.15, 0.075], [0.1, 0.05], [0.05, 0.025], [0.06, 0.06], [0.05, 0.05]]
    for rate, wanted in zip(rates, expected, strict=True):
        assert rate == pytest.approx(wanted)


@pytest.mark.parametrize("rules", [{}, {"n_critic": 2}, {"accumulate": 2}, {"order": "generator_first"}], ids=str)
@pytest.mark.parametrize("stop", range(1, 8))
def test_continued_from_any_step_a_run_ends_with_the_same_weights(stop: int, rules: Any) -> None:
    whole, first, second = (toy(**rules) for _ in range(3))
    whole.run(8)
    first.run(stop)
    checkpoint: dict[str, Any] = {"state_dict": first.state_dict()}
    first.on_save_checkpoint(checkpoint)
    second.on_load_checkpoint(checkpoint)
    second.load_state_dict(checkpoint["state_dict"])
    for ours, theirs in zip(second.optimizers(), first.optimizers(), strict=True):
        ours.load_state_dict(theirs.state_dict())
    second._trainer = Any
    second.on_fit_start()
    second.run(8 - stop)
    assert changed(whole.weights(), second.weights()) == set()
    for ours, theirs in zip(second.optimizers(), whole.optimizers(), strict=True):
        assert str(ours.state_dict()) == str(theirs.state_dict())


def test_a_phase_that_has_begun_is_not_gone_back_to() -> None:
    system = toy()
    system.run(5)
    system.clock.images = 800
    system.run(1)
    assert system.phases.number == 1


def test_a_phase_shorter_than_a_step_still_begins() -> None:
    phases = Phases([{"until": 0.01}, {"until": 0.02, "fresh_optimizers": True}, {}], TERMS, {})
    assert [phase.get("until") for phase in phases.beginning(0.0)] == [0.01]
    assert [phase.get("fresh_optimizers") for phase in phases.beginning(0.5)] == [True, None]
    assert list(phases.beginning(0.6)) == []
    assert phases.shares == pytest.approx([0.01, 0.01, 0.98])


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """A checkpoint of a toy with other weights, its averages twos."""
    trained = toy()
    for weight in trained.generator.parameters():
        nn.init.ones_(weight)
    for weight in trained.ema.parameters():
        nn.init.constant_(weight, 2.0)
    checkpoint: dict[str, Any] = {"state_dict": trained.state_dict()}
    trained.on_save_checkpoint(checkpoint)
    (tmp_path / "checkpoints").mkdir()
    write_checkpoint(tmp_path / "checkpoints" / "last.ckpt", checkpoint)
    return tmp_path


@pytest.mark.parametrize(("weights", "value"), [("ema", 2.0), ("raw", 1.0)])
def test_a_fresh_run_begins_with_weights_of_another(other: Path, weights: Any, value: float) -> None:
    system = toy([{"load": {"run": str(other), "weights": weights}}])
    system._trainer = type("Trainer", (), {"datamodule": None})
    system.on_fit_start()
    for network in (system.generator, system.ema.module):
        assert all(bool((weight == value).all()) for weight in network.parameters())


def test_a_part_is_loaded_into_another_part_with_its_average_at_the_start_of_its_phase(other: Path) -> None:
    file = str(other / "checkpoints" / "last.ckpt")
    load = {"run": file, "parts": {"generator.coarse": "generator.coarse", "discriminator": "discriminator"}}
    system = toy([{"until": 0.4}, {"frozen": ["generator.coarse"], "load": load}])
    system.run(4)
    enhancer = system.generator.enhancer[0].weight.detach().clone()
    assert not (system.generator.coarse[0].weight == 2.0).any()
    system.begin_phases()
    assert (system.generator.coarse[0].weight == 2.0).all()
    assert (system.ema.module.coarse[0].weight == 2.0).all()
    assert torch.equal(system.generator.enhancer[0].weight, enhancer)


@pytest.mark.parametrize(
    ("load", "message"),
    [
        ({"run": "nowhere"}, r"load\.run=nowhere is not there"),
        ({"parts": {"generator.coarse": "generator.coarser"}}, "has no generator.coarser, it has .*generator.coarse"),
        ({"parts": {"generator.coarse": "generator.enhancer"}}, "does not fit generator.coarse of this model"),
    ],
)
def test_what_cannot_be_loaded_is_refused_before_the_first_step(other: Path, load: Any, message: str) -> None:
    system = toy([{"until": 0.4}, {"load": {"run": str(other)} | load}])
    with pytest.raises(UserError, match=message):
        system.on_fit_start()


def test_mistakes_are_told_together_with_their_paths() -> None:
    phases: Any = [
        {"terms": {"generator": {"adversarail": 1.0}}, "frozen": ["generator.corse"]},
        {"until": 0.5, "load": {"parts": {"generators": "generator"}}},
        {"until": 0.4, "optim": {"momentum": 0.5, "generator": {"leer": 1.0}, "decay_from": 0.5}},
        {"frozen": ["generator", "discriminator"]},
        {"terms": SILENT | {"generator": {"adversarial": 0.0}}},
    ]
    with pytest.raises(UserError) as caught:
        toy(phases)
    assert [line.split(" ")[0].split("=")[0].rstrip(":") for line in caught.value.lines] == [
        "model.phases.0.until",
        "model.phases.0.terms.generator.adversarail",
        "model.phases.0.frozen",
        "model.phases.1.load.parts",
        "model.phases.1.load.run",
        "model.phases.2.until",
        "model.phases.2.optim.momentum",
        "model.phases.2.optim.generator.leer",
        "model.phases.2.optim.decay_from",
        "model.phases.3.until",
        "model.phases.3",
        "model.phases.4",
    ]
    assert "did you mean generator.coarse?" in caught.value.lines[2]


def test_three_stages_of_pix2pixhd_can_be_written_down() -> None:
    # The global generator at half the size; the enhancer around it, which rests; both, with fresh optimisers.
    phases: Any = [
        {"until": 0.5, "frozen": ["generator.enhancer"]},
        {"until": 0.6, "frozen": ["generator.coarse"], "fresh_optimizers": True},
        {"fresh_optimizers": True, "optim": {"schedule": "linear_decay", "decay_from": 0.5}},
    ]
    system = toy(phases)
    moved = []
    for steps in (5, 1, 1):
        before = system.weights()
        system.run(steps)
        moved.append({name.split(".")[1] for name in changed(before, system.weights()) if name.startswith("generator")})
    assert moved == [{"coarse"}, {"enhancer"}, {"coarse", "enhancer"}]
