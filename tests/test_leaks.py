"""A long run needs no more memory, files, threads or processes than a short one."""

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from freqgan.callbacks import Evaluation, Journal
from tests.forked import train

MIB = 2**20
GROWTH = 10  # MiB from a tenth of the run to its end: fragmentation, not a leak of a few bytes a step


def numbers() -> dict[str, int]:
    """What this process holds."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    held = {"files": len(os.listdir("/proc/self/fd")), "threads": threading.active_count(), "processes": len(children)}
    return {"bytes": pages * os.sysconf("SC_PAGE_SIZE")} | held


def watched(file: Path) -> Callable[[], None]:
    """Numbers at every row of a run; its judgements make samples and a number of them."""

    def before() -> None:
        write = Journal.write

        def recorded(self: Any, system: Any, values: Any) -> None:
            write(self, system, values)
            with file.open("a") as lines:
                lines.write(
                    json.dumps(numbers() | {"steps": system.clock.steps, "judged": "val/stub" in values}) + "\n"
                )

        def measured(self: Any, trainer: Any, system: Any, protocol: Any) -> dict[str, float]:
            return {"stub": float(system.sample(0, 8, seed=1).mean())}

        Journal.write = recorded  # type: ignore[method-assign]
        Evaluation._measure = measured  # type: ignore[method-assign]

    return before


@pytest.mark.parametrize(
    ("steps", "judgements", "workers"),
    [
        (150, 5, 0),
        pytest.param(5000, 200, 0, marks=[pytest.mark.slow, pytest.mark.timeout(900)]),
        pytest.param(1000, 40, 2, marks=[pytest.mark.slow, pytest.mark.timeout(900)]),
    ],
)
@pytest.mark.fault("leaks", "a run of many steps and judgements")
def test_nothing_grows(tmp_path: Path, steps: int, judgements: int, workers: int) -> None:
    images = 4 * steps
    status, output = train(
        tmp_path,
        *(f"budget.images={images}", f"evaluation.every_images={images // judgements}", "evaluation.at_start=none"),
        *(f"data.num_workers={workers}", "log_every_steps=10", f"samples.every_images={images // 10}"),
        before=watched(tmp_path / "numbers.jsonl"),
        seconds=800,
    )
    assert status == 0, output
    rows = [json.loads(line) for line in (tmp_path / "numbers.jsonl").read_text().splitlines()]
    assert rows[-1]["steps"] == steps
    assert sum(row["judged"] for row in rows) == judgements
    late = [row for row in rows if row["steps"] > steps // 10]
    for what in ("files", "threads", "processes"):
        assert len({row[what] for row in late}) == 1, what
    times = np.array([row["steps"] for row in late])
    slope, _ = np.polyfit(times, np.array([row["bytes"] for row in late]) / MIB, 1)
    assert slope * (steps - times[0]) < GROWTH
