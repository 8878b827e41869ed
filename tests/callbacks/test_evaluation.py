import json
import math
from pathlib import Path
from typing import Any, Literal

import pytest

from freqgan.callbacks import CheckpointStore, Evaluation, Journal
from freqgan.metrics import NoEvaluation
from freqgan.runs import read_checkpoint
from tests.callbacks.stand_ins import new_run, new_system, step
from tests.systems.toy import Toy


class Protocol:
    """Hands out numbers in turn."""

    name = "protocol_n4"
    split = "val"

    def __init__(self, numbers: list[float], *, small: bool = False, first: str = "fd") -> None:
        self.numbers = numbers
        self.is_small = small
        self.first = first

    def small(self) -> "Protocol":
        return Protocol([-1.0], small=True)


class Stage:
    """A training with an evaluation, and everything that was measured and saved."""

    def __init__(
        self,
        folder: Path,
        numbers: list[float],
        *,
        at_start: Literal["full", "small", "none"] = "none",
        every_images: int | None = 8,
        protocol: Any = None,
        images_seen: int = 0,
    ) -> None:
        self.run = new_run(folder)
        self.journal = Journal(self.run, [], every_steps=1000)
        self.store = CheckpointStore(self.run, self.journal, every_images=1000, keep=100)
        self.protocol = protocol or Protocol(numbers)
        self.cache_dir = folder / "cache"
        self.evaluation = Evaluation(
            *(self.run, self.journal, self.store, self.protocol),
            **{"at_start": at_start, "every_images": every_images, "cache_dir": self.cache_dir, "seed": 5},
        )
        self.measured: list[Any] = []
        self.toy: Toy = new_system(images=32)
        self.toy.clock.images_seen = images_seen
        self.toy.trainer.datamodule = "the data"  # type: ignore[attr-defined]
        self.toy.measure = self.measure  # type: ignore[method-assign]

    def measure(self, protocol: Any, data: Any, **arguments: Any) -> dict[str, float]:
        self.measured.append((protocol, data, arguments))
        return {} if isinstance(protocol, NoEvaluation) else {protocol.first: protocol.numbers.pop(0), "kid": 0.5}

    def start(self) -> None:
        self.evaluation.on_train_start(self.toy.trainer, self.toy)

    @property
    def rows(self) -> list[tuple[int, float]]:
        return [(row["images_seen"], row["val/fd"]) for row in self.run.metrics]

    @property
    def best(self) -> int:
        return int(read_checkpoint(self.store.folder / "best.ckpt")["clock"]["images_seen"])


def test_a_full_start_judges_the_untrained_generator(tmp_path: Path) -> None:
    stage = Stage(tmp_path, [9.0], at_start="full")
    stage.start()
    ((protocol, data, arguments),) = stage.measured
    assert (protocol, data) == (stage.protocol, "the data")
    assert arguments == {"split": "val", "seed": 5, "weights": "ema", "cache_dir": stage.cache_dir}
    assert stage.rows == [(0, 9.0)]
    assert stage.run.metrics[0]["val/kid"] == 0.5
    written = json.loads((stage.run.path / "evaluation" / "protocol_n4.json").read_text())
    assert written == {"fd": 9.0, "kid": 0.5, "images_seen": 0}
    assert stage.best == 0


def test_a_small_start_exercises_the_protocol_and_keeps_nothing(tmp_path: Path) -> None:
    stage = Stage(tmp_path, [9.0], at_start="small")
    stage.start()
    assert [protocol.is_small for protocol, *_ in stage.measured] == [True]
    assert stage.rows == []
    assert list((stage.run.path / "evaluation").iterdir()) == list(stage.store.folder.iterdir()) == []
    assert stage.evaluation.best is None


@pytest.mark.parametrize(("at_start", "images_seen"), [("none", 0), ("full", 16), ("small", 16)])
def test_no_evaluation_at_the_start(
    tmp_path: Path, at_start: Literal["full", "small", "none"], images_seen: int
) -> None:
    stage = Stage(tmp_path, [], at_start=at_start, images_seen=images_seen)
    stage.start()
    assert stage.measured == []


def test_the_best_checkpoint_is_that_of_the_least_number(tmp_path: Path) -> None:
    stage = Stage(tmp_path, [7.0, 5.0, 6.0, 4.0])
    best = []
    for _ in range(4):
        step(stage.toy, stage.evaluation)
        best.append((stage.best, stage.evaluation.best))
    assert best == [(8, 7.0), (16, 5.0), (16, 5.0), (32, 4.0)]
    assert stage.rows == [(8, 7.0), (16, 5.0), (24, 6.0), (32, 4.0)]
    written = json.loads((stage.run.path / "evaluation" / "protocol_n4.json").read_text())
    assert (written["images_seen"], written["fd"]) == (32, 4.0)


def test_what_is_no_number_is_not_the_best(tmp_path: Path) -> None:
    stage = Stage(tmp_path, [math.nan, 5.0, math.nan])
    best = []
    for _ in range(3):
        step(stage.toy, stage.evaluation)
        best.append(stage.evaluation.best)
    assert best == [None, 5.0, 5.0]
    assert stage.best == 16


def test_the_best_checkpoint_is_that_of_the_greatest_number_where_that_is_better(tmp_path: Path) -> None:
    stage = Stage(tmp_path, [], protocol=Protocol([26.0, 27.5, 27.0, 28.0], first="psnr_y_crop4"))
    best = []
    for _ in range(4):
        step(stage.toy, stage.evaluation)
        best.append((stage.best, stage.evaluation.best))
    assert best == [(8, 26.0), (16, 27.5), (16, 27.5), (32, 28.0)]


def test_a_continued_run_knows_the_best_number(tmp_path: Path) -> None:
    before, after = Stage(tmp_path / "a", [5.0]), Stage(tmp_path / "b", [6.0, 4.0])
    step(before.toy, before.evaluation)
    after.evaluation.load_state_dict(before.evaluation.state_dict())
    step(after.toy, after.evaluation)
    assert not (after.store.folder / "best.ckpt").exists()
    step(after.toy, after.evaluation)
    assert after.best == 16


@pytest.mark.parametrize("there", [True, False])
def test_a_run_that_went_back_keeps_the_best_of_what_is_left(tmp_path: Path, there: bool) -> None:
    stage = Stage(tmp_path, [5.0, 7.0, 6.0, 8.0])
    for _ in range(3):
        step(stage.toy, stage.evaluation)
    (stage.store.folder / "best.ckpt").unlink()  # with what came later, when the run went back to 16 images
    if not there:
        (stage.store.folder / "images_8.ckpt").unlink()
    stage.toy.clock.images_seen = 16
    stage.start()
    assert stage.evaluation.best == (5.0 if there else None)
    if there:
        assert stage.best == 8
        return
    for _ in range(2):  # this one has judged 24 images already
        step(stage.toy, stage.evaluation)
    assert stage.best == 32


def test_a_moment_is_judged_once_and_the_last_one_always(tmp_path: Path) -> None:
    stage = Stage(tmp_path, [7.0, 5.0], every_images=1000)
    for _ in range(4):
        step(stage.toy, stage.evaluation)
    stage.evaluation.judge(stage.toy.trainer, stage.toy)
    assert stage.rows == [(32, 7.0)]


def test_the_interval_is_a_share_of_the_budget_where_none_is_given(tmp_path: Path) -> None:
    stage = Stage(tmp_path, [9.0] * 20, every_images=None)
    stage.toy.clock.images = 80  # a fifth is 16 images
    for _ in range(10):
        step(stage.toy, stage.evaluation)
    assert [images for images, _ in stage.rows] == [16, 32, 48, 64, 80]


def test_where_nothing_is_measured_nothing_is_written(tmp_path: Path) -> None:
    stage = Stage(tmp_path, [], at_start="full", protocol=NoEvaluation())
    stage.start()
    step(stage.toy, stage.evaluation)
    assert stage.run.metrics == []
    assert list((stage.run.path / "evaluation").iterdir()) == list(stage.store.folder.iterdir()) == []
