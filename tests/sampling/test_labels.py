from pathlib import Path

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


def test_what_is_countable_to_the_model_is_so_where_the_data_name_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.fromarray(np.array([[1, 0, 1]], np.uint8)).save(tmp_path / "a.png")
    reading = MapReading(LabelClasses(2), layout_of("whole", (1, 3), 1, labels=True))
    monkeypatch.setattr(labels, "map_reading", lambda settings, fit: (reading, None))
    settings = {"labels": str(tmp_path), "instances": None, "fit": None}
    for things, instances in (((), [1, 0, 1]), ((1,), [1000, 0, 1001])):
        given, _ = labels.given_labels(settings, things)
        assert next(iter(given)).instance_map.flatten().tolist() == instances
