"""The stages of coarse-to-fine training: what is computed, what moves, and what results are made by."""

from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from freqgan.networks import CoarseToFine
from freqgan.ops.pyramid import halved
from freqgan.ops.resample import resize
from freqgan.systems import Adam
from freqgan.systems.estimate import step_cost
from tests.systems.labels import COARSE, JUDGES, SIZE, STAGES, batch, moved_to, outputs_of, system

TWO: Any = [
    {"until": 0.2, "frozen": ["generator.enhancers"]},
    {"until": 0.4, "frozen": ["generator.coarse", "generator.enhancers.1"]},
    {"until": 0.6, "frozen": ["generator.enhancers.1"]},
    {"until": 0.8, "frozen": ["generator.coarse", "generator.enhancers.0"]},
    {},
]


def weights(built: Any) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in built.generator.named_parameters()}


def moved(built: Any) -> set[str]:
    """Parts of the generator that one step changes."""
    before = weights(built)
    built.training_step(batch(), 0)
    return {name.split(".")[0] for name, value in weights(built).items() if not torch.equal(value, before[name])}


@pytest.mark.parametrize(
    ("progress", "parts", "side"),
    [(0.0, {"coarse"}, SIZE // 2), (0.5, {"enhancers"}, SIZE), (0.7, {"coarse", "enhancers"}, SIZE)],
)
def test_stages_of_the_paper(progress: float, parts: set[str], side: int) -> None:
    built = moved_to(system(phases=STAGES), progress)
    made = outputs_of(built, batch())
    assert made["image"].shape[2:] == made["real"].shape[2:] == made["condition"].shape[2:] == (side, side)
    assert moved(built) == parts


def test_the_inner_net_learns_from_means_of_what_the_whole_one_sees() -> None:
    built, whole = moved_to(system(phases=STAGES), 0.0), moved_to(system(phases=STAGES), 0.7)
    small, large = outputs_of(built, batch()), outputs_of(whole, batch())
    assert torch.equal(small["condition"], halved(large["condition"]))
    assert torch.equal(small["real"], halved(batch()["image"]))
    torch.testing.assert_close(small["image"], built.generator.coarse(small["condition"]))


def test_weights_that_rest_are_bit_equal_and_move_again_later() -> None:
    built = moved_to(system(phases=STAGES, optim=Adam(lr=0.01)), 0.5)
    before = weights(built)
    for _ in range(3):
        built.training_step(batch(), 0)
    resting = [name for name in before if name.startswith("coarse.")]
    assert all(torch.equal(weights(built)[name], before[name]) for name in resting)
    moved_to(built, 0.7).training_step(batch(), 0)
    unused = [name for name in resting if "to_image" in name]  # of the inner net, once it is inside another
    assert {n for n in resting if torch.equal(weights(built)[n], before[n]) and n.endswith("weight")} == {
        n for n in unused if n.endswith("weight")
    }


def test_a_stage_begins_with_optimisers_that_remember_nothing() -> None:
    built = moved_to(system(phases=STAGES, optim=Adam(lr=0.01)), 0.0)
    optimizers: Any = built.optimizers()
    for _ in range(3):
        built.training_step(batch(), 0)
    steps = {int(state["step"]) for optimizer in optimizers for state in optimizer.state.values()}
    assert steps == {3}
    built.clock.images_seen = 700_000
    built.training_step(batch(), 0)
    assert {int(state["step"]) for optimizer in optimizers for state in optimizer.state.values()} == {1}


def test_each_of_two_enhancers_has_its_turn() -> None:
    generator = partial(CoarseToFine, coarse=partial(COARSE, channels=8), enhancers=(1, 1))
    sides, parts = [], []
    for phase in range(5):
        judges = partial(JUDGES, scales=1)  # the innermost net makes four pixels a side
        built = moved_to(system(generator=generator, discriminator=judges, phases=TWO), 0.2 * phase + 0.1)
        sides.append(outputs_of(built, batch())["image"].shape[-1])
        before = weights(built)
        built.training_step(batch(), 0)
        after = {name for name, value in weights(built).items() if not torch.equal(value, before[name])}
        parts.append({".".join(name.split(".")[: 1 + name.startswith("enhancers")]) for name in after})
    assert sides == [SIZE // 4, SIZE // 2, SIZE // 2, SIZE, SIZE]
    inner, outer = "enhancers.0", "enhancers.1"
    assert parts == [{"coarse"}, {inner}, {"coarse", inner}, {outer}, {"coarse", inner, outer}]


def test_results_are_by_what_has_been_trained_and_of_full_size() -> None:
    built = moved_to(system(phases=STAGES), 0.0)
    labels, ids = batch()["label_map"], batch()["instance_map"]
    built.training_step(batch(), 0)
    condition = built.inputs.condition(batch())
    small = built.generator.coarse(halved(condition))
    made = built.synthesize_labels(labels, ids, weights="raw")
    torch.testing.assert_close(made, resize(small, (SIZE, SIZE)).clamp(-1, 1), rtol=0, atol=1e-5)
    assert built.synthesize_labels(labels, ids).shape == (3, 3, SIZE, SIZE)
    moved_to(built, 0.7).training_step(batch(), 0)
    made = built.synthesize_labels(labels, ids, weights="raw")
    torch.testing.assert_close(made, built.generator(condition), rtol=0, atol=1e-5)
    assert int(built.ema.module.trained) == 1  # type: ignore[operator, arg-type]


def test_a_stage_costs_what_it_computes() -> None:
    def cost(phases: Any) -> int:
        with torch.device("meta"):
            built = system(phases=phases)
            of = {name: torch.empty_like(value, device="meta") for name, value in batch().items()}
        return step_cost(built, of).flops

    first = cost([{"frozen": ["generator.enhancers"]}])
    assert first < 0.5 * cost([])
    assert first < cost(STAGES) < cost([])
