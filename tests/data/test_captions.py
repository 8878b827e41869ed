from collections import Counter
from functools import partial

import pytest
import torch

from freqgan.data import Augment, Captioned, ImageFolder, OpenMoji, Scenes, TrainingStream
from freqgan.data.captions import cleaned, one_caption, report
from freqgan.data.datamodule import DataModule
from freqgan.data.stream import collate
from freqgan.errors import UserError

SAMPLE = {"image": torch.zeros(3, 2, 2, dtype=torch.uint8), "caption": ["one", "two", "three"]}


@pytest.fixture
def scenes():
    dataset = Scenes(image_size=8, length=40)
    dataset.prepare()
    return dataset


def test_each_caption_has_its_share_of_the_positions():
    drawn = Counter(one_caption(SAMPLE, seed=1, position=k)["caption"] for k in range(600))
    assert set(drawn) == {"one", "two", "three"}
    assert min(drawn.values()) > 150
    assert SAMPLE["caption"] == ["one", "two", "three"]


def test_a_batch_has_one_caption_per_sample_by_seed_and_position(scenes):
    def captions(seed, augment):
        stream = TrainingStream(scenes, seed=seed, augment=augment)
        return collate([stream[k] for k in range(50, 58)])["caption"]

    one = Augment(caption="one")
    first = captions(0, one)
    assert all(isinstance(caption, str) for caption in first)
    assert captions(0, Augment(caption="one", horizontal_flip=True)) == first
    assert all(caption in lists for caption, lists in zip(first, captions(0, Augment()), strict=True))
    assert captions(1, one) != first


def test_evaluation_has_all_captions(tmp_path):
    settings = {"image_size": 8, "num_classes": 9, "batch_size": 4, "cache_dir": tmp_path}
    data = DataModule(source=partial(Scenes, length=40), augment=Augment(caption="one"), **settings)
    lists = [batch["caption"] for batch in data.evaluation_pairs("val")]
    assert lists == [[captions] for captions in data.captions("val")]
    assert all(len(captions) == 3 for (captions,) in lists)


def test_captions_are_those_of_the_samples(scenes, tmp_path):
    moji = OpenMoji(image_size=8, split="val", cache_dir=tmp_path)
    moji.prepare()
    for dataset in (scenes, moji):
        assert isinstance(dataset, Captioned)
        assert dataset.captions(7) == dataset[7]["caption"]


def test_sources_without_captions(tmp_path, scenes):
    with pytest.raises(UserError, match=r"data\.augment\.caption=one, but the data have no captions"):
        one_caption({"image": SAMPLE["image"]}, seed=0, position=0)
    with pytest.raises(UserError, match=r"data\.augment\.caption=two"):
        Augment(caption="two")
    data = DataModule(source=ImageFolder, root=str(tmp_path), image_size=8, cache_dir=tmp_path / "cache")
    data._datasets["train"] = ImageFolder(root=tmp_path, image_size=8)
    with pytest.raises(UserError, match=r"data\.source=ImageFolder has no captions"):
        data.captions("train")


def test_cleaned_keeps_what_is_said():
    assert cleaned(["a\u00a0 b\r\n", "\u3000", "ünï"]) == ["a b", "ünï"]


def test_the_report_counts(caplog):
    caplog.set_level("INFO")
    report("data.root=photos", [["a red circle", "один"], ["!?"]])
    first, second, third = caplog.messages
    assert first == "data.root=photos: 2 images, 3 captions of 0 to 3 words, half of them of at most 1"
    assert second == "data.root=photos: 1 of 3 captions have no word at all"
    assert "1 of 3 captions have letters beyond ASCII" in third
    caplog.clear()
    report("data.root=photos", [])
    assert not caplog.messages
