import pytest
import torch

from freqgan.data.evaluation import chosen
from freqgan.errors import UserError
from freqgan.systems.prompts import Prompts
from tests.systems.small_text import system


def kept() -> Prompts:
    prompts = Prompts(4)
    prompts.kept.keep(["a ring", "a blue star", "a heart", "x", "too many"])
    return prompts


def test_samples_take_turns_with_the_captions() -> None:
    assert kept().of_samples(0, 6) == ["a ring", "a blue star", "a heart", "x", "a ring", "a blue star"]
    assert kept().of_samples(3, 2) == ["x", "a ring"]


@pytest.mark.parametrize("count", [1, 5, 20])
def test_the_first_captions_are_those_of_the_images_that_evaluations_draw(count: int) -> None:
    prompts = Prompts(100)
    prompts.keep([[f"{index} one", f"{index} two"] for index in range(60)])
    said = [caption.split() for caption in prompts.of_samples(0, count)]
    assert sorted(int(index) for index, _ in said) == chosen(60, count)
    assert [turn for _, turn in said] == (["one", "two"] * count)[:count]


def test_captions_are_kept_whole() -> None:
    long, other = "a large red circle " * 60 + "above a blue ring", Prompts(2)
    prompts = Prompts(2)
    prompts.keep([[long]])
    other.load_state_dict(prompts.state_dict())
    assert prompts.of_samples(0, 1) == other.of_samples(0, 1) == [long]


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


def test_what_was_imagined_can_be_taken_row_by_row() -> None:
    built = system()
    built.prompts.aim({"captions": "a red zebra\na blue star above a red circle"})
    imagined = built.imagine(0, 2, seed=4, weights="raw")
    facts = imagined.of_row(0)
    assert (facts["caption"], facts["words"], facts["unknown"]) == ("a red zebra", ["a", "red"], ["zebra"])
    assert [image.shape[-1] for image in facts["stages"].values()] == [8, 16, 32]
    assert facts["stages"]["stage3"].equal(imagined.stages[2].image[0])
    assert list(facts["attention"]) == ["stage3"]
    shares = facts["attention"]["stage3"].sum(0)
    torch.testing.assert_close(shares, torch.ones_like(shares))
    assert not facts["attention"]["stage3"][2:].any()
