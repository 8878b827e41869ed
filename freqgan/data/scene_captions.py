"""What sentences say of a scene, and whether it is true: `freqgan.data.scene_layout.captions`, read backwards."""

import re
from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

from freqgan.data.scene_layout import (
    BACKGROUNDS,
    COLORS,
    COUNTS,
    PATTERNS,
    SHAPES,
    SIZES,
    Layout,
    Shape,
    place,
    relation,
)

Aspect = Literal["color", "shape", "size", "position", "count", "background"]


class Statement(NamedTuple):
    """One thing that a sentence says.

    Args:
        about: what it is said of.
        true: whether it holds in the scene.
    """

    about: Aspect
    true: bool


def statements(caption: str, layout: Layout) -> Iterator[Statement]:
    """What a sentence says, as far as it is said in the words of scenes, held against a scene.

    A scene has one shape of a colour at most, so a shape is known by its colour; what is said of one that is not there
    is false.

    >>> from freqgan.data.scene_layout import Shape
    >>> layout = Layout((Shape("ring", "red", "small", 0.2, 0.2, 0.1, 0.0),), "sky", "plain", 0.0, 3.0, 0)
    >>> [(about, true) for about, true in statements("a red star at the top left", layout)]
    [('color', True), ('shape', False), ('position', True)]
    """
    said = caption.lower()
    there = {shape.color: shape for shape in layout.shapes}
    named = _NAMED.findall(said)
    for size, color, kind in named:
        shape = there.get(color)
        yield Statement("color", shape is not None)
        yield Statement("shape", shape is not None and shape.kind == kind)
        if size:
            yield Statement("size", shape is not None and shape.size == size)
    yield from _positions(said, [there.get(color) for _, color, _ in named])
    for number, words in enumerate(COUNTS):
        if said.startswith(f"{words} on "):
            yield Statement("count", len(layout.shapes) == number)
    for pattern, background in _GROUND.findall(said):
        yield Statement("background", pattern == layout.pattern)
        yield Statement("background", background == layout.background)


def _positions(said: str, shapes: list[Shape | None]) -> Iterator[Statement]:
    """Of two shapes, how they lie; of one, where."""
    first, second = (*shapes, None, None)[:2]
    if len(shapes) == 2 and (found := _RELATION.search(said)):
        yield Statement("position", first is not None and second is not None and relation(first, second) == found[0])
    elif len(shapes) == 1 and (found := _PLACE.search(said)):
        yield Statement("position", first is not None and place(first) == found[0])


def _one_of(words: Iterable[str]) -> str:
    return f"({'|'.join(words)})"


_NAMED = re.compile(rf"\ban? (?:{_one_of(SIZES)} )?{_one_of(COLORS)} {_one_of(SHAPES)}\b")
_RELATION = re.compile(r"\b(above|below|to the left of|to the right of)\b")
_PLACE = re.compile(r"\b(in the centre|at the (?:top|middle|bottom) (?:left|centre|right))\b")
_GROUND = re.compile(rf"\ba {_one_of(PATTERNS)} {_one_of(BACKGROUNDS)} background\b")
