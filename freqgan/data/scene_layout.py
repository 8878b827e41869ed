"""What is in a scene: shapes, colours, places and the sentences that are true of them."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

SHAPES = ("circle", "square", "triangle", "star", "cross", "ring", "hexagon", "heart")
COLORS = {
    "red": (0.84, 0.20, 0.19),
    "orange": (0.95, 0.53, 0.12),
    "yellow": (0.97, 0.80, 0.16),
    "green": (0.22, 0.60, 0.30),
    "blue": (0.14, 0.40, 0.80),
    "purple": (0.50, 0.26, 0.66),
    "pink": (0.94, 0.48, 0.66),
    "brown": (0.47, 0.30, 0.18),
}
BACKGROUNDS = {
    "sand": (0.93, 0.88, 0.77),
    "mint": (0.80, 0.92, 0.85),
    "sky": (0.76, 0.88, 0.96),
    "lavender": (0.87, 0.84, 0.95),
    "grey": (0.80, 0.81, 0.83),
    "navy": (0.11, 0.14, 0.28),
}
PATTERNS = ("plain", "shaded", "striped", "checkered", "dotted")
SIZES = {"small": (0.09, 0.13), "large": (0.19, 0.26)}
MAX_SHAPES = 4
COUNTS = ("no", "one shape", "two shapes", "three shapes", "four shapes")
GAP = 0.8
_TRIES = 24


@dataclass(frozen=True)
class Shape:
    """One shape; lengths are parts of the image's side, y points down.

    Args:
        kind: one of `SHAPES`.
        color: one of `COLORS`.
        size: small or large.
        x: centre.
        y: centre.
        radius: of the circle around it, about.
        angle: in radians.
    """

    kind: str
    color: str
    size: str
    x: float
    y: float
    radius: float
    angle: float


@dataclass(frozen=True)
class Layout:
    """A scene without a style.

    Args:
        shapes: in the order they are painted, later ones in front.
        background: one of `BACKGROUNDS`.
        pattern: one of `PATTERNS`.
        angle: direction of the pattern in radians.
        frequency: repeats of the pattern per side.
        grain: seed of the style's own texture.
    """

    shapes: tuple[Shape, ...]
    background: str
    pattern: str
    angle: float
    frequency: float
    grain: int


def draw_layout(rng: np.random.Generator, *, kinds: Sequence[str] = SHAPES, gap: float = GAP) -> Layout:
    """A random scene of one to four shapes of different colours, which overlap a little at most.

    Args:
        rng: what it is drawn with.
        kinds: of shapes, out of `SHAPES`.
        gap: least distance of two centres, in sums of their radii.
    """
    uniform = iter(rng.random(8 + MAX_SHAPES * (4 + 2 * _TRIES)).tolist())

    def pick(options: Sequence[str]) -> str:
        return options[int(next(uniform) * len(options))]

    background, pattern = pick(tuple(BACKGROUNDS)), pick(PATTERNS)
    angle, frequency = next(uniform) * math.pi, 3 + 3 * next(uniform)
    grain, number = int(next(uniform) * 2**31), 1 + int(next(uniform) * MAX_SHAPES)
    colors = list(COLORS)
    shapes: list[Shape] = []
    for _ in range(number):
        size = pick(tuple(SIZES))
        low, high = SIZES[size]
        radius, tilt = low + (high - low) * next(uniform), (next(uniform) - 0.5) * 0.7
        place = _free_place(uniform, radius, shapes, gap)
        if place is not None:
            color = colors.pop(int(next(uniform) * len(colors)))
            shapes.append(Shape(pick(kinds), color, size, *place, radius, tilt))
    return Layout(tuple(shapes), background, pattern, angle, frequency, grain)


def _free_place(uniform: Iterator[float], radius: float, shapes: list[Shape], gap: float) -> tuple[float, float] | None:
    for _ in range(_TRIES):
        x, y = (radius + 0.02 + (0.96 - 2 * radius) * next(uniform) for _ in range(2))
        if all(math.hypot(x - other.x, y - other.y) > gap * (radius + other.radius) for other in shapes):
            return x, y
    return None


def captions(layout: Layout) -> list[str]:
    """True sentences about a scene: how two shapes lie, what there is, how many, one each.

    With one shape, the first says where it is.
    """
    shapes, ground = layout.shapes, f"a {layout.pattern} {layout.background} background"
    named = [f"{'an' if shape.color == 'orange' else 'a'} {shape.color} {shape.kind}" for shape in shapes]
    listed = named[0] if len(named) == 1 else f"{', '.join(named[:-1])} and {named[-1]}"
    return [_placed(*shapes[:2]), f"{listed} on {ground}", f"{COUNTS[len(shapes)]} on {ground}"]


def relation(first: Shape, second: Shape) -> str:
    """Where the first shape lies, seen from the second: the greater distance of the two decides."""
    right, down = first.x - second.x, first.y - second.y
    if abs(right) > abs(down):
        return "to the right of" if right > 0 else "to the left of"
    return "below" if down > 0 else "above"


def place(shape: Shape) -> str:
    """In which ninth of the image a shape's centre lies."""
    row = ("top", "middle", "bottom")[int(shape.y * 3)]
    column = ("left", "centre", "right")[int(shape.x * 3)]
    return "in the centre" if (row, column) == ("middle", "centre") else f"at the {row} {column}"


def _placed(first: Shape, second: Shape | None = None) -> str:
    described = f"a {first.size} {first.color} {first.kind}"
    if second is None:
        return f"{described} {place(first)}"
    return f"{described} {relation(first, second)} a {second.size} {second.color} {second.kind}"
