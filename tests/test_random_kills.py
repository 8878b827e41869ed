"""`kill -9` at random moments, in any model: whatever it was doing, the run ends where the uninterrupted one ends."""

import os
import random
import shutil
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.forked import assert_same, train
from tests.models import MODELS, with_encoders

pytestmark = pytest.mark.slow

BUDGET = [
    *("budget.images=64", "checkpoint.every_images=12", "samples.every_images=24", "log_every_steps=3"),
    "data.num_workers=1",
]
KILLS = 2


def killed_after(seconds: float) -> Callable[[], None]:
    """A fault: the process is killed after a time, whatever it is doing then."""

    def kill() -> None:
        time.sleep(seconds)
        os.kill(os.getpid(), signal.SIGKILL)

    return lambda: threading.Thread(target=kill, daemon=True).start()


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.fault("resume", "kill -9 at a random moment")
def test_killed_at_random_moments(tmp_path: Path, model: str, tally: Callable[[int, int], None]) -> None:
    settings, moments = [*BUDGET, *with_encoders(MODELS[model])], random.Random(model)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    begun = time.monotonic()
    status, output = train(tmp_path, *settings, f"paths.run_dir={whole}")
    duration = time.monotonic() - begun
    assert status == 0, output
    again, kills = [*settings, f"paths.run_dir={parts}", "resume=auto"], 0
    while kills < KILLS:
        fault = killed_after(duration * moments.uniform(0.05, 0.95))
        status, output = train(tmp_path, *again, before=fault)
        assert status in (0, -signal.SIGKILL), output
        if status == 0:  # it was faster than the clock
            shutil.rmtree(parts)
        kills += status != 0
        tally(kills, 0)
    status, output = train(tmp_path, *again)
    assert status == 0, output
    assert_same(parts, whole)
    tally(kills, kills)
