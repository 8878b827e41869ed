import math
from pathlib import Path

import pytest
import torch
from torch import nn

from freqgan.errors import DivergedError
from freqgan.ops.global_batch import rank
from freqgan.systems.gradients import settle_gradients
from tests.forked import on_ranks


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.fault("divergence", "NaN or infinity")
def test_a_loss_that_is_not_finite_in_one_process_stops_all(tmp_path: Path, value: float) -> None:
    def scenario() -> str:
        weight = nn.Parameter(torch.zeros(2))
        weight.grad = torch.ones(2)  # finite all the same
        terms = {"generator/adversarial": torch.tensor(value if rank() == 1 else 0.5)}
        try:
            settle_gradients("generator", [weight], terms, clip=None, images_seen=8)
        except DivergedError as error:
            return str(error)
        return "nothing"

    first, second = on_ranks(2, tmp_path, scenario)
    assert first.startswith("generator diverged at images_seen=8")
    assert f"generator/adversarial={value}" in second
