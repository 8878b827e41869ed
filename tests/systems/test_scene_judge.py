"""The judge of what captions say of scenes: what it counts, when it is trained, and of what data."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from freqgan.data import DataModule, Scenes
from freqgan.data.scene_layout import Layout, Shape
from freqgan.errors import UserError
from freqgan.metrics import higher_is_better
from freqgan.metrics.caption_judge import means
from freqgan.systems import SceneJudge, scene_judge

RED = Shape("circle", "red", "large", 0.3, 0.2, 0.2, 0.0)
SCENE = Layout((RED,), "sand", "plain", 0.0, 3.0, 0)
IMAGES = torch.zeros(3, 3, 16, 16)


def data(cache: Path) -> Any:
    return DataModule(source=partial(Scenes, length=60), image_size=16, num_classes=9, cache_dir=cache)


@pytest.fixture
def judge(tmp_path: Path) -> SceneJudge:
    built = SceneJudge(images=32)
    assert built.prepare(data(tmp_path), cache_dir=tmp_path)
    return built


def test_shares_are_of_what_is_said(judge: SceneJudge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scene_judge, "layouts_of", lambda reading: [SCENE] * len(reading.present))
    said = ["a red circle at the top left", "a blue circle on a plain navy background", "birds"]
    verdicts = judge.verdicts(IMAGES, said, range(3))
    assert verdicts[2] == {}
    name = "caption_accuracy_learned32"
    assert means(verdicts) == {
        name: 3 / 5,
        f"{name}_color": 1 / 2,
        f"{name}_shape": 1 / 2,
        f"{name}_position": 1.0,
        f"{name}_whole": 1 / 2,
        f"{name}_background": 1 / 2,
    }
    assert all(higher_is_better(found) for found in means(verdicts))


def test_it_is_trained_once_for_a_data_set(judge: SceneJudge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scene_judge, "train_reader", lambda *given: pytest.fail("trained again"))
    again = SceneJudge(images=32)
    again.prepare(data(tmp_path), cache_dir=tmp_path)
    images = torch.rand(3, 3, 16, 16) * 2 - 1
    said = ["a red circle on a plain sand background"] * 3
    assert again.verdicts(images, said, range(3)) == judge.verdicts(images, said, range(3))
    assert again.identity() == judge.identity() != SceneJudge().identity()


def test_other_data_are_not_judged(tmp_path: Path) -> None:
    class Others:
        def dataset(self, split: str) -> list[Any]:
            return []

    assert not SceneJudge().prepare(Others(), cache_dir=tmp_path)
    assert SceneJudge().name == "caption_accuracy"


def test_mistakes() -> None:
    with pytest.raises(UserError, match=r"metrics\.scenes\.images=31 must be at least 32"):
        SceneJudge(images=31)
