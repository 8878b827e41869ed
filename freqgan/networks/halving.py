"""Sizes that networks can halve, and their widths on the way."""

from collections.abc import Callable, Iterable
from itertools import islice

from freqgan.errors import UserError

Size = tuple[int, int]


def halvings(size: Size, *, smallest: int = 4) -> int:
    """How often a size can be halved before a side falls below `smallest`.

    Raises:
        UserError: a side is smaller than `smallest`, or is not divisible by two to that power.

    >>> halvings((64, 64)), halvings((48, 96))
    (4, 3)
    """
    shortest = min(size)
    count = 0
    while shortest >> (count + 1) >= smallest:
        count += 1
    step = 2**count
    if shortest < smallest or any(side % step for side in size):
        below = [max(smallest, side // step * step) for side in size]
        above = [max(smallest, -(-side // step) * step) for side in size]
        raise UserError(
            f"a DCGAN of {size[0]}x{size[1]} pixels needs sides of at least {smallest}, divisible by {step}: "
            f"the nearest are {below[0]}x{below[1]} and {above[0]}x{above[1]}; set data.image_size or transform.levels"
        )
    return count


def refuse_size(image_size: int, sizes: Callable[[int], Iterable[Size]]) -> None:
    """Refuses a square image of which a part could not be halved, and names the nearest sizes.

    Args:
        image_size: height and width.
        sizes: sizes of the parts that networks are built for, of an image of a given height and width.

    Raises:
        UserError: a part cannot be halved to 4 pixels or more, or `sizes` refuses the size itself.
    """

    def fits(size: int) -> bool:
        try:
            return all(halvings(part) >= 0 for part in sizes(size))
        except UserError:
            return False

    sizes(image_size)
    if not fits(image_size):
        # Just above a power of two, parts of one pixel have four at nearly eight times the size.
        candidates = sorted(range(4, 16 * image_size), key=lambda size: abs(size - image_size))
        nearest = sorted(islice(filter(fits, candidates), 2))
        raise UserError(
            f"data.image_size={image_size} gives bands that a DCGAN cannot halve to 4 pixels or more: "
            f"the nearest sizes are {' and '.join(map(str, nearest))}; or lower transform.levels"
        )


def widths(count: int, *, channels: int, max_channels: int) -> list[int]:
    """Channels after each of `count` halvings: doubling from `channels`, capped.

    >>> widths(4, channels=64, max_channels=256)
    [64, 128, 256, 256]
    """
    return [min(channels * 2**i, max_channels) for i in range(count)]
