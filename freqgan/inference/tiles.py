"""How an image is cut into tiles: each is read with the context that its pixels depend on, and only they are kept.

So a network of finite reach gives what it gives for the whole image; nothing is blended. Where it halves images, tiles
begin at multiples of what the sides are divided by.
"""

from itertools import pairwise, product
from typing import NamedTuple

SMALLEST = 16  # smaller tiles are almost all context


class Span(NamedTuple):
    """A stretch of rows or columns.

    Args:
        first: the first one that is kept.
        end: behind the last one that is kept.
        read_first: the first one that is read.
        read_end: behind the last one that is read.
    """

    first: int
    end: int
    read_first: int
    read_end: int

    @property
    def read(self) -> slice:
        """What is read of the image."""
        return slice(self.read_first, self.read_end)

    def kept(self, scale: int) -> slice:
        """What is kept of the result for what was read."""
        return slice(scale * (self.first - self.read_first), scale * (self.end - self.read_first))

    def target(self, scale: int) -> slice:
        """Where that goes in the whole result."""
        return slice(scale * self.first, scale * self.end)


def span(first: int, end: int, length: int, *, halo: int, stride: int = 1) -> Span:
    """A stretch that is kept, and what is read for it.

    Args:
        first: the first row or column of it.
        end: behind the last one.
        length: of the image's side.
        halo: pixels of context.
        stride: what places where reading begins are multiples of.

    >>> span(5, 7, 10, halo=2, stride=2)
    Span(first=5, end=7, read_first=2, read_end=9)
    """
    return Span(first, end, max(0, (first - halo) // stride * stride), min(length, end + halo))


class Tile(NamedTuple):
    """A rectangle of an image."""

    rows: Span
    columns: Span

    @property
    def read_pixels(self) -> int:
        """Pixels that are read."""
        return (self.rows.read_end - self.rows.read_first) * (self.columns.read_end - self.columns.read_first)


def tiles_of_side(height: int, width: int, side: int, *, halo: int, stride: int = 1) -> list[Tile]:
    """Tiles of at most `side` pixels each way, or of the stride if that is more, and nearly equal.

    Args:
        height: of the image.
        width: of the image.
        side: context not counted.
        halo: pixels of context.
        stride: what places where tiles are read from are multiples of.

    >>> [tile.columns for tile in tiles_of_side(4, 10, 4, halo=1)]
    [Span(first=0, end=3, read_first=0, read_end=4), Span(first=3, end=6, read_first=2, read_end=7), \
Span(first=6, end=10, read_first=5, read_end=10)]
    """

    def spans(length: int) -> list[Span]:
        units = -(-length // stride)
        return _spans(length, 1 if side >= length else -(-units // max(side // stride, 1)), halo, stride)

    return _grid(spans(height), spans(width))


def tiles_within(height: int, width: int, pixels: int, *, halo: int, stride: int = 1) -> list[Tile] | None:
    """The tiles that read the fewest pixels in all, none of them more than `pixels`.

    Args:
        height: of the image.
        width: of the image.
        pixels: with context, and continued to multiples of the stride.
        halo: pixels of context.
        stride: what places where tiles are read from are multiples of.

    Returns:
        The tiles, row by row; None if they would have fewer than 16 pixels each way.
    """
    whole_y, whole_x = (-(-length // stride) * stride for length in (height, width))
    of_rows = _cuts(height, halo, stride, enough=pixels // whole_x)
    of_columns = _cuts(width, halo, stride, enough=pixels // whole_y)
    cuts = [
        (y.total * x.total, y.number * x.number, y.number, x.number)
        for y, x in product(of_rows, of_columns)
        if y.longest * x.longest <= pixels
    ]
    if not cuts:
        return None
    *_, rows, columns = min(cuts)
    return _grid(_spans(height, rows, halo, stride), _spans(width, columns, halo, stride))


class _Cut(NamedTuple):
    """A number of stretches, what they read in all, and what the longest one reads."""

    number: int
    total: int
    longest: int


def _cuts(length: int, halo: int, stride: int, *, enough: int) -> list[_Cut]:
    """Every number of stretches that are not too small, up to one of which none reads more than enough."""
    cuts: list[_Cut] = []
    for number in range(1, max(1, length // max(SMALLEST, stride)) + 1):
        reads = [-(-(s.read_end - s.read_first) // stride) * stride for s in _spans(length, number, halo, stride)]
        cuts.append(_Cut(number, sum(reads), max(reads)))
        if cuts[-1].longest <= enough:
            break
    return cuts


def _grid(rows: list[Span], columns: list[Span]) -> list[Tile]:
    return [Tile(y, x) for y in rows for x in columns]


def _spans(length: int, count: int, halo: int, stride: int) -> list[Span]:
    units = -(-length // stride)
    edges = [min(length, units * i // count * stride) for i in range(count + 1)]
    return [span(a, b, length, halo=halo, stride=stride) for a, b in pairwise(edges)]
