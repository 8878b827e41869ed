"""What sentences say of a scene, against the scenes that they were made of and against others."""

import pytest

from freqgan.data.scene_captions import statements
from freqgan.data.scene_layout import Layout, Shape, captions, draw_layout
from freqgan.ops.keyed_random import numpy_generator

RED = Shape("circle", "red", "large", 0.3, 0.2, 0.2, 0.0)
BLUE = Shape("square", "blue", "small", 0.4, 0.7, 0.1, 0.0)
SCENE = Layout((RED, BLUE), "sand", "dotted", 0.0, 3.0, 0)


def said(caption: str, layout: Layout = SCENE) -> list[tuple[str, bool]]:
    return [(about, true) for about, true in statements(caption, layout)]


def layout(number: int) -> Layout:
    return draw_layout(numpy_generator(0, "scene", number))


def test_every_caption_of_a_scene_is_true_of_it_and_says_what_it_should() -> None:
    spoken = set()
    for number in range(200):
        for caption in captions(layout(number)):
            found = said(caption, layout(number))
            assert found
            assert all(true for _, true in found), caption
            spoken |= {about for about, _ in found}
    assert spoken == {"color", "shape", "size", "position", "count", "background"}


def test_captions_of_other_scenes_are_mostly_wrong() -> None:
    whole = [all(true for _, true in said(captions(layout(n))[0], layout(n + 1))) for n in range(200)]
    assert sum(whole) < 10


@pytest.mark.parametrize(
    ("caption", "found"),
    [
        ("A red circle above a blue square.", "color+ shape+ color+ shape+ position+"),
        ("a large red ring below a large blue square", "color+ shape- size+ color+ shape+ size- position-"),
        ("a red circle to the left of a blue square", "color+ shape+ color+ shape+ position-"),
        ("a green star above a blue square", "color- shape- color+ shape+ position-"),
        ("a small red circle at the top left", "color+ shape+ size- position+"),
        ("a blue square in the centre", "color+ shape+ position-"),
        ("a red circle, an orange star and a blue heart", "color+ shape+ color- shape- color+ shape-"),
        ("two shapes on a dotted navy background", "count+ background+ background-"),
        ("one shape on a plain sand background", "count- background- background+"),
        ("birds over a lake", ""),
    ],
)
def test_what_is_said_is_held_against_the_scene(caption: str, found: str) -> None:
    assert " ".join(about + "-+"[true] for about, true in said(caption)) == found
