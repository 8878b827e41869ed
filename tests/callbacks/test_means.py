"""Means of a run that was stopped in the middle of a row are those of the run that was not, to the last bit."""

from pathlib import Path

import pytest
import torch

from freqgan.callbacks.means import Means
from freqgan.ops.global_batch import rank
from tests.forked import on_ranks

# gloo's threads start only in the forked processes.
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
ROWS = 50


def two_halves() -> list[list[float]]:
    """Means of values of this process and the others, added up at once, and with a checkpoint in between."""
    values = torch.rand(ROWS, 8, generator=torch.Generator().manual_seed(rank()))
    found = []
    for row in values:
        whole, before, after = Means(), Means(), Means()
        for value in row:
            whole.add({"x": value})
        for value in row[:4]:
            before.add({"x": value})
        after.load_state_dict(before.state_dict())
        for value in row[4:]:
            after.add({"x": value})
        found.append([whole.take()["x"], after.take()["x"]])
    return found


def test_a_row_that_was_stopped_half_way_has_the_same_bits(tmp_path: Path) -> None:
    for found in on_ranks(2, tmp_path, two_halves):
        assert [whole for whole, _ in found] == [parts for _, parts in found]


@pytest.mark.parametrize("sums", [torch.tensor([2.0, 4.0]), torch.tensor([3.0]), torch.tensor(3.0)])
def test_other_processes_begin_with_the_mean(sums: torch.Tensor) -> None:
    means = Means()
    means.load_state_dict({"sums": {"x": sums}, "counts": {"x": 2}})
    means.add({"x": torch.tensor(3.0)})
    assert means.take() == {"x": 2.0}
