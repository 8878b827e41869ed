"""With `hardware.deterministic=true` every model computes the same bits twice, and is refused nothing it needs."""

from pathlib import Path

import pytest

from tests.forked import assert_same, train
from tests.models import MODELS, with_encoders

BUDGET = ["budget.images=32", "samples.every_images=1000", "log_every_steps=2", "hardware.deterministic=true"]


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.fault("deterministic", "the same command again, with workers that load")
def test_every_model_computes_the_same_bits_twice(tmp_path: Path, model: str) -> None:
    for workers in (0, 2):
        place = [f"paths.run_dir={tmp_path / str(workers)}", f"data.num_workers={workers}"]
        status, output = train(tmp_path, *BUDGET, *with_encoders(MODELS[model]), *place)
        assert status == 0, output
    assert_same(tmp_path / "2", tmp_path / "0")
