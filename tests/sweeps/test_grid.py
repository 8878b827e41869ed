from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from freqgan.config.sweeping import SweepCommand
from freqgan.sweeps import Grid
from freqgan.vocabulary import Vocabulary, shipped_conf

SEEDS = ("seed=1,2",)


def jobs(grid: Grid, *swept: str) -> list[str]:
    """Every proposal as its user would write it."""
    overrides = tuple(OverridesParser.create().parse_overrides(list(swept)))
    grid.begin(SweepCommand({}, (), overrides, Vocabulary((shipped_conf(),))), Path())
    proposals, each = grid.plan()
    assert (each, grid.total) == (1, len(proposals))
    assert [proposal.number for proposal in proposals] == list(range(1, grid.total + 1))
    return [" ".join(proposal.typed) for proposal in proposals]


@pytest.mark.parametrize(
    ("grid", "swept", "expected"),
    [
        (Grid(), SEEDS, ["seed=1", "seed=2"]),
        (Grid(), (), [""]),
        (Grid(also=[["loss=hinge"]]), (), ["loss=hinge"]),
        (Grid(also=[["loss=hinge"]]), SEEDS, ["seed=1", "seed=2", "loss=hinge"]),
        (Grid(variants=[["loss=bce"], ["optim.lr=1", "n_critic=5"]]), (), ["loss=bce", "optim.lr=1 n_critic=5"]),
        (
            Grid(variants=[["loss=bce"], ["loss=hinge"]], also=[["seed=9"]]),
            SEEDS,
            ["seed=1 loss=bce", "seed=1 loss=hinge", "seed=2 loss=bce", "seed=2 loss=hinge", "seed=9"],
        ),
    ],
)
def test_jobs(grid: Grid, swept: tuple[str, ...], expected: list[str]) -> None:
    assert jobs(grid, *swept) == expected
