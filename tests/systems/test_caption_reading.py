"""What is said of a batch, with wrong captions that are made of right ones."""

from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from freqgan.errors import UserError
from freqgan.losses import sentence_matching, word_region_matching
from freqgan.ops.keyed_random import torch_generator
from freqgan.ops.noise import uniform_rows
from freqgan.systems.caption_reading import CaptionReader
from freqgan.text import Alterations
from tests.systems.small_text import CAPTIONS, pair

SAID = [
    *CAPTIONS,
    *(f"a {color} {kind}" for color in ("red", "blue", "green") for kind in ("circle", "square", "star")),
]
DATA = SimpleNamespace(captions=lambda split: [[caption] for caption in SAID])


def draw(purpose: str, make: Any, *, step: int = 0, count: int = 6) -> Tensor:
    made: Tensor = make(torch_generator(1, purpose, step), count)
    return made


def reader(altered: int) -> CaptionReader:
    built = CaptionReader(altered)
    built.learn(DATA)
    return built


def test_altered_captions_are_those_that_the_draw_chooses() -> None:
    said = reader(2).read(pair(), {"caption": CAPTIONS}, draw)
    assert said.altered is not None
    choices = torch.stack([draw(f"altered {number}", uniform_rows) for number in (0, 1)], 1)
    alterations = Alterations(SAID)
    expected = [
        alterations.alter(caption, choice) or caption
        for caption, of_image in zip(CAPTIONS, choices.tolist(), strict=True)
        for choice in of_image
    ]
    assert [" ".join(words) for words in said.altered.text.tokens] == expected
    assert said.altered.known.flatten().tolist() == [
        altered != caption for altered, caption in zip(expected, [c for c in CAPTIONS for _ in (0, 1)], strict=True)
    ]
    assert 0 < said.altered.known.sum() < 12
    other = reader(2).read(pair(), {"caption": CAPTIONS}, partial(draw, step=1)).altered
    assert other is not None
    assert other.text.tokens != said.altered.text.tokens
    assert said.altered.first.tokens == said.altered.text.tokens[::2]


def test_losses_take_them_as_wrong_captions_of_their_image_alone() -> None:
    built, images = pair(), torch.rand(6, 3, 16, 16)
    plain, said = (reader(number).read(built, {"caption": CAPTIONS}, draw) for number in (0, 2))
    assert plain.altered is None
    assert said.altered is not None
    features = built.image_features(images)
    without, found = built.matching(features, plain), built.matching(features, said)
    vectors = said.altered.of_images(said.altered.text.sentence)
    rules: Any = {"allowed": said.allowed, "known": said.altered.known}
    expected = sentence_matching(features.overall, said.text.sentence, altered=vectors, **rules)
    torch.testing.assert_close(found["sentence"], expected)
    words, mask = (said.altered.of_images(x) for x in (said.altered.text.words, said.altered.text.mask))
    rules |= {"altered": words, "altered_mask": mask}
    expected = word_region_matching(features.regions, said.text.words, said.text.mask, **rules)
    torch.testing.assert_close(found["words"], expected)
    assert all(found[kind] > without[kind] for kind in without)


@pytest.mark.parametrize("captions", [None, [["a ring"]] * 6, ["a ring", 3]])
def test_other_than_one_caption_of_each_image_is_refused(captions: Any) -> None:
    with pytest.raises(UserError, match=r"set data\.augment\.caption=one"):
        reader(0).read(pair(), {} if captions is None else {"caption": captions}, draw)
