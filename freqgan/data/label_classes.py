"""What the ids of label maps mean: classes, or that nobody cares."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from freqgan.errors import UserError

DONT_CARE = 255
"""The label of pixels without one, in samples."""
_MOST_CLASSES = 255


@dataclass(frozen=True)
class LabelClasses:
    """Classes 0 … num_classes - 1, by the ids of files.

    Args:
        num_classes: how many there are; None where that is not known yet.
        names: of the classes; empty if they have none.
        ids: those of files that are classes 0, 1, …; None if they are these numbers themselves.
        dont_care: ids of files that mean nothing, unless `ids` has them.

    Raises:
        UserError: the arguments contradict each other.
    """

    num_classes: int | None
    names: tuple[str, ...] = ()
    ids: tuple[int, ...] | None = None
    dont_care: tuple[int, ...] = (DONT_CARE,)

    def __post_init__(self) -> None:
        problems = []
        if self.num_classes is not None and not 1 <= self.num_classes <= _MOST_CLASSES:
            problems.append(f"data.num_classes={self.num_classes} must be within 1 and {_MOST_CLASSES}")
        for setting, values in (("class_names", self.names), ("ids", self.ids)):
            if values and self.num_classes not in (None, len(values)):
                fix = f"set data.num_classes={len(values)}"
                problems.append(f"data.source.{setting} has {len(values)} entries: {fix}, or one for each class")
            if values and len({*values}) < len(values):
                problems.append(f"data.source.{setting}={list(values)} has an entry twice")
        if bad := [label for label in (*(self.ids or ()), *self.dont_care) if not 0 <= label <= 65535]:
            problems.append(f"data.source.ids and data.source.dont_care must be within 0 and 65535, got {bad}")
        if problems:
            raise UserError(*problems)

    @cached_property
    def of(self) -> Mapping[int, int]:
        """Classes by the ids of files; an id that is not here is no class."""
        if self.ids is not None:
            return {label: number for number, label in enumerate(self.ids)}
        return {label: label for label in range(self.num_classes or 0) if label not in self.dont_care}

    @cached_property
    def _table(self) -> np.ndarray:
        table = np.full(65536, DONT_CARE, np.uint8)
        table[list(self.of)] = list(self.of.values())
        return table

    def map(self, ids: np.ndarray) -> np.ndarray:
        """A label map out of a file's: uint8, with `DONT_CARE` where there is no class."""
        labels: np.ndarray = self._table[ids]
        return labels

    def called(self, label: int) -> str:
        """A class by its number and name; what has none, as don't-care, by its number.

        >>> LabelClasses(2, names=("sky", "road")).called(1)
        '1 road'
        """
        return f"{label} {self.names[label]}" if label < len(self.names) else str(label)

    def numbers(self, classes: Sequence[int | str], setting: str) -> tuple[int, ...]:
        """Classes that are given by number or name.

        Args:
            classes: which ones.
            setting: what the user calls them.

        Raises:
            UserError: there is no such class.
        """
        known = {name: number for number, name in enumerate(self.names)}
        known |= {str(number): number for number in range(self.num_classes or 0)}
        if unknown := [name for name in map(str, classes) if name not in known]:
            choices = ", ".join(self.names) or f"0 to {(self.num_classes or 0) - 1}"
            raise UserError(f"{setting}={list(classes)}: no class is called {', '.join(unknown)}, wanted of {choices}")
        return tuple(known[str(name)] for name in classes)
