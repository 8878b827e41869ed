"""Training and validation, told apart by a hash of each item's own name and never by its place in a list.

An item keeps its side when others are added, removed or reordered, on any machine and for any seed.
"""

import hashlib
import os
from bisect import bisect_left
from collections.abc import Sequence
from typing import Literal

Split = Literal["train", "val", "all"]


def position(name: str) -> float:
    """Where a name falls in [0, 1); validation takes the low end.

    >>> round(position("1F600"), 4)
    0.0667
    """
    digest = hashlib.blake2b(os.fsencode(name), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64


def belongs(name: str, split: Split, val_fraction: float) -> bool:
    """Whether an item is part of a split.

    Args:
        name: stable name of the item, or of the group that must stay on one side.
        split: all takes every item.
        val_fraction: share of names that are validation, in [0, 1).
    """
    return split == "all" or (position(name) < val_fraction) == (split == "val")


def standing_in(rows: Sequence[int], good: Sequence[bool]) -> list[int]:
    """Rows with the next good one in place of each that is not; behind the last comes the first.

    >>> standing_in([10, 11, 12, 13], [True, False, True, False])
    [10, 12, 12, 10]
    """
    places = [place for place, is_good in enumerate(good) if is_good]
    return [rows[places[bisect_left(places, place) % len(places)]] for place in range(len(rows) if places else 0)]
