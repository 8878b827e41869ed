import logging
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from freqgan.callbacks import CollapseMonitor, Journal
from freqgan.callbacks.collapse import spread
from freqgan.systems import Examples
from tests.callbacks.stand_ins import new_run, new_system, step
from tests.systems.toy import Toy


def noise(count: int, *, seed: int = 0, size: int = 16) -> Tensor:
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def patches(count: int, *, seed: int = 0) -> Tensor:
    """Images of 8x8 areas of one value each."""
    return noise(count, seed=seed, size=8).repeat_interleave(2, 2).repeat_interleave(2, 3)


class Data:
    """Real images, and how often they were read."""

    reads = 0

    def evaluation_images(self, split: str, *, limit: int) -> Iterator[Tensor]:
        assert split == "train"
        self.reads += 1
        yield from patches(limit, seed=1).split(3)


class Stage:
    """A training with a monitor, whose generator gives samples times a factor: 0 has collapsed."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.toy: Toy = new_system(images=80)
        self.journal = Journal(new_run(folder), [], every_steps=1000)
        self.monitor = CollapseMonitor(**{"count": 8, "every_images": 8} | settings)
        self.factor = 1.0
        self.toy.sample = self.sample  # type: ignore[method-assign]
        trainer: Any = self.toy.trainer
        trainer.datamodule, trainer.callbacks = Data(), [self.journal, self.monitor]

    def sample(self, first: int, count: int, *, seed: int, weights: str = "ema") -> Tensor:
        assert (first, count, seed, weights) == (0, 8, self.toy.seed, "ema")
        return patches(count, seed=2) * self.factor

    def train(self, *factors: float) -> None:
        for self.factor in factors:
            step(self.toy, self.monitor)

    @property
    def rows(self) -> list[tuple[int, float]]:
        return [(row["images_seen"], row["val/diversity"]) for row in self.journal.run.metrics]


def test_spread_is_the_mean_distance_of_pairs() -> None:
    images = patches(5)
    areas = torch.nn.functional.avg_pool2d(images, 2).flatten(1)
    pairs = [(areas[i] - areas[j]).norm() for i in range(5) for j in range(i)]
    assert spread(images.split(2)) == pytest.approx(float(torch.stack(pairs).mean()), rel=1e-5)
    assert spread([images[:1]]) == spread([torch.zeros(4, 1, 16, 16)]) == 0
    assert spread([images.bfloat16()]) == pytest.approx(spread([images]), rel=1e-2)


def test_details_count_little() -> None:
    assert spread([noise(16, size=64)]) < spread([patches(16)]) / 4


def test_diversity_is_a_share_of_the_real_images(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.train(1.0, 0.5)
    (_, full), (_, half) = stage.rows
    assert full == pytest.approx(spread([patches(8, seed=2)]) / spread([patches(8, seed=1)]))
    assert half == pytest.approx(full / 2, rel=1e-5)
    assert stage.toy.trainer.datamodule.reads == 1  # type: ignore[attr-defined]


def test_it_measures_at_intervals_and_at_the_end(tmp_path: Path) -> None:
    stage = Stage(tmp_path, every_images=24)
    stage.train(*[1.0] * 10)
    assert [images for images, _ in stage.rows] == [24, 48, 72, 80]


def test_a_generator_that_collapses_is_named_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    stage = Stage(tmp_path)
    with caplog.at_level(logging.WARNING):
        stage.train(0.0, 0.9, 0.2, 0.9, 0.1)
    (message,) = caplog.messages
    assert message.startswith("val/diversity=0.2")
    assert "at 24 images: samples hardly differ, the generator may have collapsed: lower optim.lr" in message
    assert len(stage.rows) == 5


def test_one_that_never_learned_to_differ_is_named_at_half_of_the_budget(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stage = Stage(tmp_path)
    with caplog.at_level(logging.WARNING):
        stage.train(*[0.0] * 4)
        assert caplog.messages == []
        stage.train(*[0.0] * 6)
    assert [message.partition(":")[0] for message in caplog.messages] == ["val/diversity=0.00 at 40 images"]


def test_a_continued_run_has_warned_already(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    before, later, fresh = Stage(tmp_path / "a"), Stage(tmp_path / "b"), Stage(tmp_path / "c")
    with caplog.at_level(logging.WARNING):
        before.train(0.9, 0.1)
        later.monitor.load_state_dict(before.monitor.state_dict())
        later.train(0.1)
        assert len(caplog.messages) == 1
        fresh.monitor.load_state_dict({"differed": True, "warned": False})
        fresh.train(0.1)
    assert len(caplog.messages) == 2


def test_other_processes_measure_nothing(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.toy.trainer.is_global_zero = False  # type: ignore[misc]
    stage.train(0.9, 0.0)
    assert stage.rows == []


def test_real_images_that_are_all_alike_are_no_division_by_zero(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.toy.trainer.datamodule = SimpleNamespace(evaluation_images=lambda *_, limit: [torch.zeros(limit, 3, 8, 8)])  # type: ignore[attr-defined]
    stage.train(0.0)
    assert stage.rows == [(8, 0.0)]


def test_results_for_given_images_are_left_alone(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.toy.examples = Examples(1, {"image": (3, 8, 8)})
    stage.train(0.0, 0.0)
    assert not stage.journal.path.exists()
    assert stage.toy.trainer.datamodule.reads == 0  # type: ignore[attr-defined]
