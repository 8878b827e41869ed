import math

import pytest
import torch

from freqgan.ops.finite import not_finite


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_each_tensor_with_such_a_number_is_named(value: float) -> None:
    spoilt = torch.zeros(2, 3)
    spoilt[1, 2] = value
    tensors = {"good": torch.ones(2), "first": spoilt, "count": torch.tensor(7), "second": spoilt.bfloat16()}
    assert [*not_finite(tensors)] == ["first", "second"]


def test_nothing_is_named_where_all_are_finite() -> None:
    assert [*not_finite({"largest": torch.tensor(torch.finfo().max), "none": torch.empty(0)})] == []
