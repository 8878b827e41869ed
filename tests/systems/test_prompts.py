import pytest

from freqgan.errors import UserError
from freqgan.systems.prompts import Prompts


def kept() -> Prompts:
    prompts = Prompts(4)
    prompts.keep([["a ring", "one shape"], ["a star", "a blue star"], ["a heart"], ["a cross", "x"], ["too many"]])
    return prompts


def test_images_take_turns_with_their_captions() -> None:
    assert kept().of_samples(0, 6) == ["a ring", "a blue star", "a heart", "x", "a ring", "a blue star"]
    assert kept().of_samples(3, 2) == ["x", "a ring"]


def test_they_are_part_of_the_state() -> None:
    other = Prompts(4)
    other.load_state_dict(kept().state_dict())
    assert other.of_samples(0, 4) == kept().of_samples(0, 4)


def test_given_captions_come_first_and_are_no_state() -> None:
    prompts = kept()
    prompts.aim({})
    assert prompts.of_samples(0, 1) == ["a ring"]
    prompts.aim({"captions": "a red circle\n \na green one"})
    assert prompts.of_samples(0, 3) == ["a red circle", "a green one", "a red circle"]
    assert prompts.ids(2, seed=5) == ["a red circle, noise 5/0", "a green one, noise 5/1"]
    assert all(bool((value == kept().state_dict()[name]).all()) for name, value in prompts.state_dict().items())


@pytest.mark.parametrize(
    ("wishes", "line"), [({"target": "shared"}, "target is for models"), ({"captions": " \n"}, "captions are empty")]
)
def test_what_it_cannot_fulfil_is_refused(wishes: dict[str, str], line: str) -> None:
    with pytest.raises(UserError, match=line):
        kept().aim(wishes)


def test_without_captions_nothing_can_be_made() -> None:
    with pytest.raises(UserError, match="no caption is kept here"):
        Prompts(4).of_samples(0, 1)
