"""Where one frequency class ends and the next begins."""

from collections.abc import Sequence
from itertools import pairwise

from freqgan.errors import UserError


def frequency_cutoffs(num_classes: int, cutoffs: Sequence[float] | None) -> tuple[float, ...]:
    """The num_classes − 1 cut-offs between 0 and 1, 1 being the highest frequency along an axis.

    Args:
        num_classes: at least two.
        cutoffs: rising; by default every class but the lowest spans an octave, as wavelets' do.

    >>> frequency_cutoffs(3, None)
    (0.25, 0.5)
    """
    preset = tuple(0.5**octave for octave in range(num_classes - 1, 0, -1))
    _check(num_classes, preset if cutoffs is None else cutoffs, preset, end=1)
    return preset if cutoffs is None else tuple(cutoffs)


def octave_cutoffs(num_classes: int, cutoffs: Sequence[float] | None) -> tuple[float, ...]:
    """The num_classes − 2 cut-offs between 1/2 and 1: the low image ends at 1/2, the other classes share its octave.

    Args:
        num_classes: at least two, the low image among them.
        cutoffs: rising; by default every class spans the same ratio of frequencies.

    >>> octave_cutoffs(2, None), octave_cutoffs(3, None)
    ((), (0.7071067811865476,))
    """
    high = num_classes - 1
    preset = tuple(0.5 ** (1 - part / high) for part in range(1, high))
    _check(num_classes, preset if cutoffs is None else cutoffs, preset, start=0.5, end=1)
    return preset if cutoffs is None else tuple(cutoffs)


def zigzag_cutoffs(num_classes: int, cutoffs: Sequence[int] | None, coefficients: int) -> tuple[int, ...]:
    """The num_classes − 1 positions in a block's zig-zag order at which a new class begins.

    Args:
        num_classes: at least two, at most `coefficients`.
        cutoffs: rising; by default the classes grow geometrically.
        coefficients: how many a block has.

    >>> zigzag_cutoffs(3, None, 64)
    (4, 16)
    """
    if num_classes > coefficients:
        raise UserError(
            f"transform.num_classes={num_classes} is more than a block's {coefficients} coefficients: "
            f"set transform.num_classes={coefficients} or a larger transform.block_size"
        )
    preset: tuple[int, ...] = ()
    for i in range(1, num_classes):
        preset += (max(round(coefficients ** (i / num_classes)), preset[-1] + 1 if preset else 1),)
    _check(num_classes, preset if cutoffs is None else cutoffs, preset, end=coefficients)
    return preset if cutoffs is None else tuple(cutoffs)


def _check(num_classes: int, cutoffs: Sequence[float], example: Sequence[float], *, start: float = 0, end: int) -> None:
    if num_classes < 2:
        raise UserError(f"transform.num_classes={num_classes} splits nothing: set at least 2, or transform=identity")
    if len(cutoffs) != len(example) or any(low >= high for low, high in pairwise((start, *cutoffs, end))):
        raise UserError(
            f"transform.num_classes={num_classes} needs {len(example)} rising cut-offs within {start}–{end}, "
            f"got transform.cutoffs={list(cutoffs)}: set for example transform.cutoffs={list(example)}"
        )
