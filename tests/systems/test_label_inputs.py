from typing import Any

import pytest
import torch

from freqgan.errors import UserError
from freqgan.ops.instances import boundaries, derived, regions
from freqgan.systems.label_inputs import LabelInputs
from tests.systems.labels import CLASSES, batch, renamed


def inputs(**given: Any) -> LabelInputs:
    settings: Any = {"num_classes": CLASSES, "kind": "boundary", "channels": 3, "max_instances": 2, "things": ()}
    return LabelInputs(**settings | given)


WIDTHS = {"boundary": CLASSES + 1, "raw_ids": CLASSES + 1, "one_hot_ids": CLASSES + 2, "none": CLASSES}


@pytest.mark.parametrize("kind", WIDTHS)
def test_classes_come_first_and_instances_behind_them(kind: Any) -> None:
    of = inputs(kind=kind)
    made, plain = of.condition(batch()), inputs(kind="none").condition(batch())
    assert made.shape == (3, of.width, 16, 16)
    assert of.width == WIDTHS[kind]
    assert torch.equal(made[:, :CLASSES], plain)
    assert torch.equal(plain.argmax(1), batch()["label_map"])


def test_boundaries_are_those_of_labels_and_ids_together() -> None:
    made = inputs().condition(batch())[:, CLASSES:]
    assert torch.equal(made, boundaries(regions(batch()["label_map"], batch()["instance_map"])))


def test_ids_are_numbers_within_the_image() -> None:
    of = batch(1) | {"instance_map": torch.tensor([26001, 7, 9, 7]).repeat(4, 1).repeat_interleave(4, 1)[None]}
    of |= {"label_map": torch.zeros(1, 4, 16, dtype=torch.int64)}
    raw = inputs(kind="raw_ids").condition(of)[0, CLASSES, 0, ::4]
    assert raw.tolist() == [1.0, 0.0, 0.5, 0.0]
    single = inputs(kind="one_hot_ids").condition(of)[0, CLASSES:, 0, ::4]
    assert single.tolist() == [[0, 1, 0, 1], [0, 0, 1, 0]]  # there is no room for the third


@pytest.mark.parametrize(
    ("kind", "same"), [("boundary", True), ("none", True), ("raw_ids", False), ("one_hot_ids", False)]
)
def test_what_instances_are_called_matters_to_ids_alone(kind: Any, same: bool) -> None:
    other = batch() | {"instance_map": renamed(batch()["instance_map"])}
    assert torch.equal(inputs(kind=kind).condition(batch()), inputs(kind=kind).condition(other)) == same


def test_instances_are_derived_where_there_are_none() -> None:
    without = {name: value for name, value in batch().items() if name != "instance_map"}
    completed = inputs(things=[1, 2]).completed(without)
    assert torch.equal(completed["instance_map"], derived(batch()["label_map"], [1, 2]))
    assert inputs().completed(batch())["instance_map"] is not None
    assert torch.equal(inputs().completed(without)["instance_map"], batch()["label_map"])


def test_without_labels_an_image_is_given_and_another_is_wanted() -> None:
    of = inputs(num_classes=None)
    pair = {"image": batch()["image"], "image_b": batch(seed=1)["image"]}
    assert of.width == 3
    assert of.condition(of.completed(pair)) is pair["image"]
    assert of.target(pair) is pair["image_b"]
    assert of.shown(pair) is pair["image"]
    with pytest.raises(UserError, match="the data have one domain"):
        of.target({"image": pair["image"]})


def test_labels_are_shown_in_their_colours() -> None:
    shown = inputs().shown(batch())
    assert shown.shape == (3, 3, 16, 16)
    black = batch()["label_map"] == 0
    assert torch.equal((shown == -1).all(1), black)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"things": [1, 4]}, r"model\.things: 4 is no class of data\.num_classes=4"),
        ({"things": [0], "num_classes": None}, r"model\.things: 0 is no class of data\.num_classes=None"),
    ],
)
def test_mistakes_are_told(given: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        inputs(**given)


def test_data_without_labels_are_refused() -> None:
    with pytest.raises(UserError, match="the data have no label maps: choose data=label_folder, or data=scenes"):
        inputs().completed({"image": batch()["image"]})
