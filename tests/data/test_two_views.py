from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from freqgan.data import ImageFolder, PhotoFolder, Scenes, TwoViews
from freqgan.errors import UserError
from freqgan.ops.palette import nearest_labels


def _scenes(**settings: Any) -> TwoViews:
    dataset = TwoViews(**({"source": partial(Scenes, length=40), "image_size": 32} | settings))
    dataset.prepare()
    return dataset


def test_the_same_picture_in_both_domains() -> None:
    dataset, scenes = _scenes(), Scenes(length=40, image_size=32)
    scenes.prepare()
    assert dataset.lengths == (40, 40)
    assert dataset.num_classes is None
    for index in (0, 7):
        sample = dataset[index]
        assert sample.keys() == {"image", "image_b", "name"}
        assert torch.equal(sample["image"], scenes[index]["image"])
        assert torch.equal(sample["image"], sample["image_b"])
        assert torch.equal(dataset.domain_b(index)["image_b"], sample["image_b"])
        assert (
            dataset.domain_a(index)["name"] == dataset.domain_b(index)["name_b"] == sample["name"] == f"scene {index}"
        )


def test_labels_are_painted() -> None:
    dataset, other = _scenes(a="label_map"), _scenes(b="label_map")
    assert dataset.num_classes == 9
    labels = dataset.inner[3]["label_map"]
    image = dataset[3]["image"]
    assert (image.dtype, image.shape) == (torch.uint8, (3, 32, 32))
    assert torch.equal(nearest_labels(image[None] / 127.5 - 1, 9)[0], labels.long())
    assert torch.equal(other[3]["image_b"], image)
    assert torch.equal(other[3]["image"], dataset[3]["image_b"])
    assert len({dataset.fingerprint(), other.fingerprint(), _scenes().fingerprint()}) == 3


@pytest.mark.parametrize("kind", [ImageFolder, PhotoFolder])
def test_folders_keep_their_own_rules(tmp_path: Path, kind: Any) -> None:
    for number in range(20):
        pixels = np.random.default_rng(number).integers(0, 256, (10, 14, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    given = {"root": tmp_path, "image_size": 8, "cache_dir": tmp_path / "cache", "val_fraction": 0.4}
    parts = {}
    for split in ("train", "val"):
        inner, dataset = kind(split=split, **given), TwoViews(source=kind, split=split, **given)
        inner.prepare()
        dataset.prepare()
        assert len(dataset) == len(inner)
        assert dataset.any_size == (kind is PhotoFolder)
        assert torch.equal(dataset[0]["image_b"], inner[0]["image"])
        parts[split] = {dataset.domain_a(index)["name"] for index in range(len(dataset))}
    assert parts["train"] | parts["val"] == {f"{number}.png" for number in range(20)}
    assert parts["train"] & parts["val"] == set()


def test_rectangles_are_for_sources_that_have_them(tmp_path: Path) -> None:
    Image.new("RGB", (30, 20)).save(tmp_path / "0.png")
    dataset = TwoViews(source=ImageFolder, root=tmp_path, image_size=(8, 12), cache_dir=tmp_path / "cache")
    dataset.prepare()
    assert dataset[0]["image"].shape == (3, 8, 12)
    with pytest.raises(UserError, match=r"data\.image_size=\[8, 12\]: Scenes has squares, set one number"):
        _scenes(image_size=(8, 12))


def test_mistakes_are_named() -> None:
    with pytest.raises(UserError, match=r"data\.source\.a=label_map, but ImageFolder has no label maps"):
        TwoViews(source=ImageFolder, a="label_map", root="x", image_size=8)
    for settings, words in (
        ({"b": "edges"}, r"data\.source\.b=edges must be one of image, label_map"),
        ({"a": "label_map", "b": "label_map"}, r"are both label_map"),
        ({"a": "label_map", "channels": 1}, r"data\.channels=1: label maps are painted in colours"),
    ):
        with pytest.raises(UserError, match=words):
            _scenes(**settings)
    with pytest.raises(UserError, match=r"data\.root=x is not read by Scenes"):
        _scenes(root="x")
