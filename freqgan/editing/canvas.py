"""A label map that is painted on: strokes, instances that are moved, removed or look otherwise, more room at the sides.

Every edit is a function from a canvas to a new one, so that what was before can be had again and nothing is half done.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from freqgan.errors import UserError
from freqgan.ops.components import FIRST_THING
from freqgan.ops.instances import MOST_LABELS

Labels = NDArray[np.uint8]
Instances = NDArray[np.int32]
Mask = NDArray[np.bool_]
Side = Literal["left", "right"]
Place = tuple[float, float]
"""x and y in pixels from the upper left corner; pixel (0, 0) has its centre at (0.5, 0.5)."""

MOST_WORK = 1 << 24  # pixels that are looked at for a stroke
_EIGHT_NEIGHBOURS = np.ones((3, 3), bool)


@final
@dataclass(frozen=True, eq=False)
class Canvas:
    """Labels, what belongs together, and how it looks. Its arrays are never written to.

    Args:
        labels: (h, w) of classes.
        instances: (h, w) of ids; an instance is what has one label and one id.
        things: classes that are countable: a stroke of one is an instance of its own, and it can be moved as a whole.
        looks: number of the look that was chosen for an instance, by its label and id.
        seed: of all looks that were not.
        origin: where the left border lies, in columns from where it was at first.
    """

    labels: Labels
    instances: Instances
    things: frozenset[int] = frozenset()
    looks: Mapping[tuple[int, int], int] = field(default_factory=dict)
    seed: int = 0
    origin: int = 0

    @classmethod
    def blank(cls, height: int, width: int, label: int, *, things: frozenset[int] = frozenset()) -> "Canvas":
        """A canvas of one class, all of it one instance."""
        return cls(np.full((height, width), label, np.uint8), np.full((height, width), label, np.int32), things)

    @property
    def height(self) -> int:
        """In pixels."""
        return int(self.labels.shape[0])

    @property
    def width(self) -> int:
        """In pixels."""
        return int(self.labels.shape[1])

    @property
    def regions(self) -> NDArray[np.int64]:
        """A number for each instance (h, w), see `freqgan.ops.instances`."""
        return self.instances.astype(np.int64) * MOST_LABELS + self.labels

    def at(self, place: Place) -> tuple[int, int]:
        """Label and id of the instance at a place; of the nearest one, where it lies outside."""
        row, column = self._pixel(place)
        return int(self.labels[row, column]), int(self.instances[row, column])

    def painted(self, points: Sequence[Place], label: int, radius: float) -> "Canvas":
        """With a stroke of a class.

        A stroke of a countable class is a new instance, unless it begins on one of its class, which it then continues.
        Of any other class, it belongs to what there is of it.

        Args:
            points: of the line that the middle of the brush draws, at least one.
            label: the class.
            radius: of the brush, in pixels. The pixel that the middle lies in is always painted.

        Raises:
            UserError: the line goes to and fro so far that it would take seconds.
        """
        stroke = _stroke(points, radius, self.height, self.width)
        labels, instances = self.labels.copy(), self.instances.copy()
        labels[stroke] = label
        instances[stroke] = self._continued(label, points[0])
        return replace(self, labels=labels, instances=instances)

    def moved(self, place: Place, across: int, down: int) -> "Canvas":
        """With the instance at a place elsewhere, what leaves the canvas being lost; the ground fills its place.

        Of a class that is not countable, the connected part is moved that lies at the place.

        Args:
            place: of any of its pixels.
            across: pixels to the right.
            down: pixels.
        """
        mask = self._part(place)
        label, instance = self.at(place)
        below = self._without(mask)
        labels, instances = below.labels.copy(), below.instances.copy()
        rows, columns = np.nonzero(mask)
        rows, columns = rows + down, columns + across
        inside = (rows >= 0) & (rows < self.height) & (columns >= 0) & (columns < self.width)
        labels[rows[inside], columns[inside]] = label
        instances[rows[inside], columns[inside]] = instance
        return replace(self, labels=labels, instances=instances)

    def removed(self, place: Place) -> "Canvas":
        """Without the instance at a place, which the ground fills; of what is not countable, without that part."""
        return self._without(self._part(place))

    def looking(self, place: Place, look: int) -> "Canvas":
        """With another look of the instance at a place."""
        return replace(self, looks={**self.looks, self.at(place): look})

    def seeded(self, seed: int) -> "Canvas":
        """With another seed."""
        return replace(self, seed=seed)

    def extended(self, side: Side, columns: int) -> "Canvas":
        """With more room at a side, in which what stands at the border goes on; countable things do not."""
        ground = self._without(np.isin(self.labels, list(self.things)))
        room = ((0, 0), (columns, 0) if side == "left" else (0, columns))
        labels: Labels = np.pad(ground.labels, room, mode="edge")
        instances: Instances = np.pad(ground.instances, room, mode="edge")
        here = slice(columns, None) if side == "left" else slice(self.width)
        labels[:, here], instances[:, here] = self.labels, self.instances
        origin = self.origin - columns if side == "left" else self.origin
        return replace(self, labels=labels, instances=instances, origin=origin)

    def _continued(self, label: int, place: Place) -> int:
        """The id of a stroke that begins at a place."""
        under, instance = self.at(place)
        if under == label:
            return instance
        if label in self.things:
            return self._new_id()
        ids, counts = np.unique(self.instances[self.labels == label], return_counts=True)
        return int(ids[counts.argmax()]) if len(ids) else label

    def _new_id(self) -> int:
        """An id that nothing has or had a look under."""
        chosen = max((instance for _, instance in self.looks), default=0)
        return max(int(self.instances.max()), chosen, FIRST_THING - 1) + 1

    def _part(self, place: Place) -> Mask:
        """Where the instance at a place is."""
        row, column = self._pixel(place)
        mask: Mask = self.regions == self.regions[row, column]
        if self.labels[row, column] in self.things:
            return mask
        parts, _ = ndimage.label(mask, _EIGHT_NEIGHBOURS)
        part: Mask = parts == parts[row, column]
        return part

    def _without(self, mask: Mask) -> "Canvas":
        """With the nearest ground in place of some pixels, or with what is nearest, where all is countable."""
        ground = ~mask & ~np.isin(self.labels, list(self.things))
        source = ground if ground.any() else ~mask
        if not source.any():
            return self
        nearest: Any = ndimage.distance_transform_edt(~source, return_distances=False, return_indices=True)
        labels, instances = self.labels.copy(), self.instances.copy()
        labels[mask], instances[mask] = (plane[nearest[0], nearest[1]][mask] for plane in (labels, instances))
        return replace(self, labels=labels, instances=instances)

    def _pixel(self, place: Place) -> tuple[int, int]:
        """Row and column."""
        x, y = place
        return min(max(int(y), 0), self.height - 1), min(max(int(x), 0), self.width - 1)


def _stroke(points: Sequence[Place], radius: float, height: int, width: int) -> Mask:
    """Pixels whose centres are no farther than the radius from a line, and those that its points lie in."""
    mask = np.zeros((height, width), bool)
    lines = [
        (a, b, _around(a, b, radius, height, width)) for a, b in zip(points, [*points[1:], points[-1]], strict=True)
    ]
    if sum((bottom - top) * (right - left) for *_, (top, bottom, left, right) in lines) > MOST_WORK:
        raise UserError("this stroke is too long: draw it in several")
    for (x0, y0), (x1, y1), (top, bottom, left, right) in lines:
        y, x = np.mgrid[top:bottom, left:right] + 0.5
        along, length = (x - x0) * (x1 - x0) + (y - y0) * (y1 - y0), (x1 - x0) ** 2 + (y1 - y0) ** 2
        share = np.clip(along / length, 0, 1) if length else np.zeros_like(x)
        mask[top:bottom, left:right] |= np.hypot(x - x0 - share * (x1 - x0), y - y0 - share * (y1 - y0)) <= radius
        if 0 <= x0 < width and 0 <= y0 < height:
            mask[int(y0), int(x0)] = True
    return mask


def _around(start: Place, end: Place, radius: float, height: int, width: int) -> tuple[int, int, int, int]:
    """Rows and columns, from the first to behind the last, that the brush can reach between two places."""
    (x0, x1), (y0, y1) = sorted((start[0], end[0])), sorted((start[1], end[1]))
    top, bottom = (int(min(max(y, 0), height)) for y in (y0 - radius - 1, y1 + radius + 2))
    left, right = (int(min(max(x, 0), width)) for x in (x0 - radius - 1, x1 + radius + 2))
    return top, bottom, left, right
