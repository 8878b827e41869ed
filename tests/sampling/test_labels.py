from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from freqgan.data.given_labels import GivenMap, MapReading
from freqgan.data.label_classes import LabelClasses
from freqgan.data.layouts import layout_of
from freqgan.sampling import labels
from freqgan.sampling.labels import _of_one_size, looks_of


def test_all_instances_of_a_class_have_its_look() -> None:
    one = GivenMap("a", torch.tensor([[[8, 8, 3], [8, 1, 3]]]), torch.tensor([[[1000, 1001, 3], [1001, 1, 3]]]))
    assert looks_of(one, {8: 2, 5: 1, 3: 0}) == {(8, 1000): 2, (8, 1001): 2, (3, 3): 0}


def test_pictures_of_several_sizes_lie_on_white() -> None:
    together = _of_one_size([torch.zeros(1, 1, 2, 3), torch.zeros(1, 3, 4, 2)])
    assert together.shape == (2, 3, 4, 3)
    assert together[0, 0].tolist() == [[0.0] * 3, [0.0] * 3, [1.0] * 3, [1.0] * 3]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    Image.fromarray(np.array([[1, 0, 1]], np.uint8)).save(tmp_path / "a.png")
    return tmp_path


def given(folder: Path, things: tuple[int, ...] = ()) -> list[int]:
    """Instances of a label map 1, 0, 1."""
    maps, _ = labels.given_labels({"labels": str(folder), "instances": None, "fit": None}, things)
    return next(iter(maps)).instance_map.flatten().tolist()


@pytest.fixture(params=[False, True])
def own_instances(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether the run's data have instance maps."""
    reading = MapReading(LabelClasses(2), layout_of("whole", (1, 3), 1, labels=True))
    dataset = SimpleNamespace(own_instances=request.param)
    monkeypatch.setattr(labels, "map_reading", lambda settings, fit: (reading, dataset))
    return dataset.own_instances


@pytest.mark.usefixtures("own_instances")
def test_what_is_countable_to_the_model_is_so_where_the_data_name_nothing(folder: Path) -> None:
    assert given(folder) == [1, 0, 1]
    assert given(folder, things=(1,)) == [1000, 0, 1001]


def test_that_instances_are_wanted_is_told_where_labels_do_not_have_them(
    folder: Path, own_instances: bool, caplog: pytest.LogCaptureFixture
) -> None:
    given(folder)
    assert ("without instances=<folder> all of a class is one" in caplog.text) == own_instances
