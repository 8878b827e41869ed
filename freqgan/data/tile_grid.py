"""Where a map is cut into tiles, and which of them are validation."""

from collections.abc import Iterator
from dataclasses import dataclass

from freqgan.data.splits import Split
from freqgan.errors import UserError


@dataclass(frozen=True)
class TileGrid:
    """Tiles in rows, but for a band of columns that is for validation.

    No place is seen in training that validation judges: tiles that lie in the band are validation, tiles that touch it
    from outside are not used.

    Args:
        size: height and width of the tiles.
        stride: distance of neighbouring tiles in pixels; None is their side.
        rows: part of the height that is used, from 0 at the top to 1.
        val_from: where the band begins, as a share of the width.
        val_fraction: how wide it is.

    Raises:
        UserError: a number is out of its range.
    """

    size: tuple[int, int]
    stride: int | None
    rows: tuple[float, float]
    val_from: float
    val_fraction: float

    def __post_init__(self) -> None:
        if not 0 <= self.rows[0] < self.rows[1] <= 1:
            raise UserError(f"data.source.rows={list(self.rows)} must be [from, to] within 0 and 1")
        if not 0 <= self.val_from <= 1 - self.val_fraction:
            most = f"{1 - self.val_fraction:g}, 1 - data.val_fraction"
            raise UserError(f"data.source.val_from={self.val_from} must be at least 0 and at most {most}")

    def places(self, height: int, width: int, split: Split) -> Iterator[tuple[int, int]]:
        """Top and left of every tile of a split, on a map of this size."""
        stride = (self.stride, self.stride) if self.stride else self.size
        first, last = round(self.rows[0] * height), round(self.rows[1] * height) - self.size[0]
        band = round(self.val_from * width), round((self.val_from + self.val_fraction) * width)
        for top in range(first, last + 1, stride[0]):
            for left in range(0, width - self.size[1] + 1, stride[1]):
                inside = band[0] <= left and left + self.size[1] <= band[1]
                outside = left + self.size[1] <= band[0] or band[1] <= left
                if split == "all" or (inside if split == "val" else outside):
                    yield top, left
