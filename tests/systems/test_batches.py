"""How a batch is cut into parts."""

import pytest
import torch

from freqgan.systems.batches import split
from freqgan.systems.rules import Rows


@pytest.mark.parametrize(
    ("rows", "count", "sizes"),
    [(10, 4, [3, 2, 3, 2]), (16, 5, [4, 3, 3, 3, 3]), (8, 2, [4, 4]), (3, 5, [1, 1, 1]), (4, 1, [4])],
)
def test_parts_are_as_equal_as_can_be_and_none_is_larger_than_the_first(
    rows: int, count: int, sizes: list[int]
) -> None:
    parts = split({"image": torch.arange(rows), "caption": [*map(str, range(rows))]}, count)
    assert [len(batch["image"]) for batch, _ in parts] == sizes
    assert torch.cat([batch["image"] for batch, _ in parts]).tolist() == [*range(rows)]
    for batch, place in parts:
        assert batch["caption"] == [*map(str, range(place.first, place.end))]
        assert place == Rows(place.first, place.first + len(batch["image"]), rows)
