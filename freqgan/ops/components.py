"""Things that touch nothing of their kind, told apart in a label map."""

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

FIRST_THING = 1000
_EIGHT_NEIGHBOURS = np.ones((3, 3), bool)


def components(labels: np.ndarray, things: Sequence[int]) -> np.ndarray:
    """Instances of a label map: all that is connected, over corners too, is one.

    Args:
        labels: (h, w) of classes.
        things: the classes that are counted; of every other one, all is one instance.

    Returns:
        int32 (h, w): the class, or, for things, a number from 1000 on that no other has.

    >>> components(np.array([[2, 2, 0, 3], [0, 0, 0, 3], [2, 0, 3, 0]], np.uint8), things=[2])
    array([[1000, 1000,    0,    3],
           [   0,    0,    0,    3],
           [1001,    0,    3,    0]], dtype=int32)
    """
    instances = labels.astype(np.int32)
    first = FIRST_THING
    for thing in things:
        parts, count = ndimage.label(labels == thing, _EIGHT_NEIGHBOURS)
        instances[parts > 0] = parts[parts > 0] + (first - 1)
        first += count
    return instances
