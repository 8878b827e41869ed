"""What a step will cost, against the operations of the toy's matrices counted by hand."""

from typing import Any

import pytest
import torch

from freqgan.systems.estimate import step_cost
from tests.systems.small import SIZE, system
from tests.systems.toy import Toy

BATCH = {"image": torch.empty(8, 2, device="meta")}
# A batch of 8 through 3×2 and 2×1, a multiply-add counting two; backward, weights cost as much as inputs.
G, D = 2 * 8 * 3 * 2, 2 * 8 * 2
# The discriminator sees two sides and needs their weights' gradients alone, the generator's turn one side's input's.
DISCRIMINATORS_TURN, GENERATORS_TURN = 2 * D + 2 * D, D + D + G
ALL = G + DISCRIMINATORS_TURN + GENERATORS_TURN
SILENT: Any = {"discriminator": {"adversarial": 0.0, "lazy": 0.0}}


def on_meta(phases: Any, **rules: Any) -> Toy:
    toy = Toy(phases=phases, **rules).to("meta")
    toy.draw = lambda purpose, make: torch.empty(toy.rows.end - toy.rows.first, 3, device="meta")
    return toy


def flops(phases: Any, **rules: Any) -> int:
    return step_cost(on_meta(phases, **rules), BATCH).flops


def test_both_players_are_counted() -> None:
    assert flops([]) == ALL


def test_phases_count_by_their_shares_and_players_at_rest_do_not() -> None:
    generator_alone = ALL - DISCRIMINATORS_TURN
    assert flops([{"terms": SILENT}]) == generator_alone
    assert flops([{"until": 0.25, "terms": SILENT}, {}]) == round(0.25 * generator_alone + 0.75 * ALL)
    assert flops([{"frozen": ["generator"]}]) == G + DISCRIMINATORS_TURN


def test_updates_of_the_critic_alone_count_as_often_as_they_come() -> None:
    assert flops([], n_critic=4) == ALL - 3 / 4 * GENERATORS_TURN
    assert flops([{"terms": SILENT}], n_critic=4) == ALL - DISCRIMINATORS_TURN  # there is no critic to wait for


def test_lazy_terms_count_as_often_as_they_come() -> None:
    def with_r1(weight: float, every: int) -> int:
        terms: Any = {"generator": {"adversarial": 1.0}, "discriminator": {"adversarial": 1.0, "r1": weight}}
        with torch.device("meta"):
            built = system(terms=terms, every={"r1": every})
            return step_cost(built, {"image": torch.empty(8, 3, SIZE, SIZE)}).flops

    without, always = with_r1(0.0, 1), with_r1(1.0, 1)
    assert with_r1(1.0, 4) == pytest.approx(without + (always - without) / 4, abs=1)


def test_every_part_of_a_batch_is_counted() -> None:
    assert flops([], accumulate=2) == ALL


def test_the_system_is_left_as_it_was() -> None:
    toy = on_meta([{"until": 0.5, "frozen": ["generator"]}, {}])
    step_cost(toy, BATCH)
    assert toy.phases.begun == 0
    assert not any(weight.requires_grad for weight in toy.generator.parameters())
