"""Captions with one word replaced."""

from collections import Counter

import pytest

from freqgan.data import Scenes
from freqgan.text.altered import Alterations

CAPTIONS = ["a red ring above a star", "a blue ring above a star", "a red heart above a star", "one ring", "one star"]


def test_one_word_gives_way_to_one_with_the_same_neighbours() -> None:
    alterations = Alterations(CAPTIONS)
    found = {alterations.alter("A red ring, above a star!", number / 20) for number in range(20)}
    assert found == {"a blue ring above a star", "a red heart above a star"}
    assert {alterations.alter("one ring", number / 4) for number in range(4)} == {"one star"}


def test_places_are_chosen_alike() -> None:
    many = Alterations(["a red ring", "a blue ring", "a green ring", "a red star", "one ring"])
    chosen = Counter(many.alter("a red ring", (number + 0.5) / 200) for number in range(200))
    assert chosen == {"a blue ring": 50, "a green ring": 50, "a red star": 100}


@pytest.mark.parametrize("caption", ["", "???", "nothing like it", "a"])
def test_captions_without_a_known_place_are_left_alone(caption: str) -> None:
    assert Alterations(CAPTIONS).alter(caption, 0.0) is None
    assert Alterations([]).alter(caption, 0.99) is None


def test_scenes_lose_one_word_and_keep_their_grammar() -> None:
    data = Scenes(image_size=8, length=500)
    data.prepare()
    said = [caption for index in range(len(data)) for caption in data.captions(index)]
    alterations, known = Alterations(said), {*(word for caption in said for word in caption.replace(",", "").split())}
    for number, caption in enumerate(said):
        words, altered = caption.replace(",", "").split(), alterations.alter(caption, number / len(said))
        assert altered is not None
        others = altered.split()
        assert len(others) == len(words)
        assert sum(a != b for a, b in zip(words, others, strict=True)) == 1
        assert known.issuperset(others)
