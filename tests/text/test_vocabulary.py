import pytest
import torch

from freqgan.errors import UserError
from freqgan.text import END, Vocabulary, words_of

CAPTIONS = ["A red circle", "a blue circle above a RED square"]


@pytest.mark.parametrize(
    ("caption", "words"),
    [
        ("", []),
        (" .,!\t\n", []),
        ("ﬁne Café", ["fine", "café"]),
        ("cafe\u0301", ["café"]),
        ("красный круг", ["красный", "круг"]),
        ("😀 face", ["face"]),
        ("x" * 50, ["x" * 32]),
        ("é" * 31, ["é" * 16]),
    ],
)
def test_words(caption, words):
    assert words_of(caption) == words


def test_numbers_follow_frequency_and_then_the_alphabet():
    vocabulary = Vocabulary(16)
    assert vocabulary.learn(CAPTIONS) == 0
    assert list(vocabulary.numbers()) == [END, "a", "circle", "red", "above", "blue", "square"]


def test_the_rarest_words_find_no_room():
    vocabulary = Vocabulary(4)
    assert vocabulary.learn(CAPTIONS) == 3
    known, unknown = vocabulary.look_up(["a red square", "square!", ""])
    assert known == [["a", "red"], [END], [END]]
    assert unknown == [["square"], ["square"], []]


def test_it_is_part_of_the_state(tmp_path):
    vocabulary, other = Vocabulary(16), Vocabulary(16)
    vocabulary.learn(["œuvre d'art"])
    torch.save(vocabulary.state_dict(), tmp_path / "state.pt")
    assert len(other) == 0
    other.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    assert other.numbers() == vocabulary.numbers() == {END: 0, "art": 1, "d": 2, "œuvre": 3}


def test_learning_again_forgets():
    vocabulary = Vocabulary(16)
    vocabulary.learn(["something longer"])
    vocabulary.learn(["so"])
    assert vocabulary.numbers() == {END: 0, "so": 1}


def test_mistakes():
    with pytest.raises(UserError, match="no vocabulary yet"):
        Vocabulary(8).look_up(["a"])
