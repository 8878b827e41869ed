"""How a scene looks: style "a" is flat and clean, "b" the same layout in coloured pencil on paper.

Shapes are signed distance fields (formulas after Inigo Quilez, "2D distance functions"), so that edges are
antialiased over one pixel at every size.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from freqgan.data.scene_layout import BACKGROUNDS, COLORS, SHAPES, Layout, Shape

Style = Literal["a", "b"]
Plane = NDArray[np.floating[Any]]

_PAPER = np.array((0.97, 0.95, 0.90), np.float32)[:, None, None]
_PENCIL = np.array((0.20, 0.19, 0.22), np.float32)[:, None, None]
_PALETTE = {name: np.array(color, np.float32)[:, None, None] for name, color in (COLORS | BACKGROUNDS).items()}
_REACH = 1.35  # of the farthest point of a shape, in radii
_STEP = 2 * math.pi / 5
_TIP, _NOTCH = 1.15, 0.5
_RISE, _RUN = _NOTCH * math.sin(_STEP / 2), _TIP - _NOTCH * math.cos(_STEP / 2)
_EDGE_X, _EDGE_Y = _RISE / math.hypot(_RISE, _RUN), _RUN / math.hypot(_RISE, _RUN)


@dataclass(frozen=True)
class Painting:
    """A scene at one size.

    Args:
        images: uint8 (3, h, w) by style.
        labels: uint8 (h, w): 0 is background, else 1 + index in `SHAPES`.
        instances: int32 (h, w): 0 is background, else 1 + order of painting.
    """

    images: dict[Style, np.ndarray]
    labels: np.ndarray
    instances: np.ndarray


def paint(layout: Layout, size: int, styles: tuple[Style, ...]) -> Painting:
    """The scene in some styles; labels and instances say what is visible at the centres of the pixels."""
    x, y = _grid(size)
    grounds = {style: _GROUNDS[style](layout, x, y, size) for style in styles}
    labels, instances = np.zeros((size, size), np.uint8), np.zeros((size, size), np.int32)
    for number, shape in enumerate(layout.shapes, start=1):
        box = _box(shape, size)
        field = distance(shape, x[box], y[box])
        for style, image in grounds.items():
            _SHAPES[style](image[:, *box], shape, field, x[box], y[box], size)
        inside = field < 0
        labels[box][inside] = 1 + SHAPES.index(shape.kind)
        instances[box][inside] = number
    images = {style: (_clipped(image) * 255 + 0.5).astype(np.uint8) for style, image in grounds.items()}
    return Painting(images, labels, instances)


def distance(shape: Shape, x: Plane, y: Plane) -> Plane:
    """Signed distance to a shape's edge, negative inside, in parts of the image's side."""
    cos, sin = math.cos(shape.angle) / shape.radius, math.sin(shape.angle) / shape.radius
    dx, dy = x - shape.x, y - shape.y
    return _FIELDS[shape.kind](cos * dx + sin * dy, cos * dy - sin * dx) * shape.radius


@lru_cache(maxsize=4)
def _grid(size: int) -> tuple[Plane, Plane]:
    centres: Plane = (np.arange(size, dtype=np.float32) + 0.5) / size
    x, y = np.meshgrid(centres, centres)
    return x, y


def _box(shape: Shape, size: int) -> tuple[slice, slice]:
    reach = shape.radius * _REACH + 2 / size

    def span(centre: float) -> slice:
        return slice(max(0, int((centre - reach) * size)), min(size, int((centre + reach) * size) + 1))

    return span(shape.y), span(shape.x)


def _clipped(plane: Plane) -> Plane:
    # Several times faster than np.clip on small arrays.
    return np.minimum(np.maximum(plane, 0), 1)


def _cover(field: Plane, size: int) -> Plane:
    """Part of each pixel that is inside."""
    return _clipped(0.5 - field * size)


def _blend(image: Plane, color: Plane, alpha: Plane) -> None:
    image += alpha * (color - image)


def _pattern(layout: Layout, x: Plane, y: Plane, size: int) -> Plane:
    """The background's pattern between 0 and 1."""
    if layout.pattern == "plain":
        return np.zeros_like(x)
    cos, sin = math.cos(layout.angle), math.sin(layout.angle)
    along, across = cos * x + sin * y, cos * y - sin * x
    if layout.pattern == "shaded":
        low, high = float(along.min()), float(along.max())
        return (along - low) / (high - low)
    half_turn = math.pi * layout.frequency
    slope = size / half_turn  # of waves that rise by one per pixel where they cross zero
    if layout.pattern == "striped":
        return _clipped(0.5 + np.sin(along * (2 * half_turn)) * (slope / 2))
    if layout.pattern == "checkered":
        return _clipped(0.5 + np.sin(along * half_turn) * np.sin(across * half_turn) * slope)
    repeats = layout.frequency
    dot = np.hypot((along * repeats) % 1 - 0.5, (across * repeats) % 1 - 0.5) - 0.22
    return _cover(dot / repeats, size)


def _flat_ground(layout: Layout, x: Plane, y: Plane, size: int) -> Plane:
    base = _PALETTE[layout.background]
    second = base * 0.86 if layout.background != "navy" else base * 0.8 + 0.12
    return base + _pattern(layout, x, y, size) * (second - base)


def _flat_shape(image: Plane, shape: Shape, field: Plane, x: Plane, y: Plane, size: int) -> None:
    light = 0.95 - (y - shape.y) * (0.11 / shape.radius)
    _blend(image, _PALETTE[shape.color] * light, _cover(field, size))


def _paper_ground(layout: Layout, x: Plane, y: Plane, size: int) -> Plane:
    grain = np.random.default_rng(layout.grain).standard_normal((size, size), np.float32) * 0.018
    strokes = _pattern(layout, x, y, size) * -0.07
    return _PAPER + (_PALETTE[layout.background] - _PAPER) * 0.35 + (grain + strokes)


def _pencil_shape(image: Plane, shape: Shape, field: Plane, x: Plane, y: Plane, size: int) -> None:
    tremor = np.sin(x * 29 + 40 * shape.y) + np.sin(y * 31 + 40 * shape.x)
    shaky = field + tremor * (0.016 * shape.radius)
    lines = 2 * math.pi * min(26, size / 4)
    hatch = 0.62 + 0.30 * np.sin((x + y * 0.8) * lines)
    pastel = _PALETTE[shape.color] * 0.85 + 0.15
    _blend(image, _PAPER + (pastel - _PAPER) * hatch, _cover(shaky, size))
    half_width = max(0.007, 0.55 / size)
    _blend(image, _PENCIL, _cover(np.abs(shaky) - half_width, size) * 0.85)


def _square(u: Plane, v: Plane) -> Plane:
    return np.maximum(np.abs(u), np.abs(v)) - 0.84


def _triangle(u: Plane, v: Plane) -> Plane:
    return np.maximum(v, 0.866 * np.abs(u) - 0.5 * v) - 0.58


def _star(u: Plane, v: Plane) -> Plane:
    # Folded to half a point of the star, whose edge runs from the tip to a notch.
    angle = np.abs(np.mod(np.arctan2(u, -v) + _STEP / 2, _STEP) - _STEP / 2)
    reach = np.hypot(u, v)
    return (reach * np.cos(angle) - _TIP) * _EDGE_X + reach * np.sin(angle) * _EDGE_Y


def _cross(u: Plane, v: Plane) -> Plane:
    across, along = np.abs(u), np.abs(v)
    field: Plane = np.maximum(np.maximum(across, along) - 1, np.minimum(across, along) - 0.34)
    return field


def _hexagon(u: Plane, v: Plane) -> Plane:
    across, along = np.abs(u), np.abs(v)
    return np.maximum(0.866 * across + 0.5 * along, along) - 0.9


def _heart(u: Plane, v: Plane) -> Plane:
    side, down = np.abs(u), v - 0.12
    half, mid = 0.62, 0.62 / math.sqrt(2)
    diamond = (side + np.abs(down)) * math.sqrt(0.5) - half
    lobe = np.hypot(side - mid, down + mid) - half
    field: Plane = np.minimum(diamond, lobe)
    return field


_FIELDS: dict[str, Callable[[Plane, Plane], Plane]] = {
    "circle": lambda u, v: np.hypot(u, v) - 1,
    "square": _square,
    "triangle": _triangle,
    "star": _star,
    "cross": _cross,
    "ring": lambda u, v: np.abs(np.hypot(u, v) - 0.72) - 0.24,
    "hexagon": _hexagon,
    "heart": _heart,
}
_GROUNDS: dict[Style, Callable[[Layout, Plane, Plane, int], Plane]] = {
    "a": _flat_ground,
    "b": _paper_ground,
}
_SHAPES: dict[Style, Callable[[Plane, Shape, Plane, Plane, Plane, int], None]] = {
    "a": _flat_shape,
    "b": _pencil_shape,
}
