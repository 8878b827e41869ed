"""Pictures that turn out bad after their set was prepared, and how many bad ones are too many.

Preparing a set finds what is bad at that time. What goes bad later, or is seen to be bad only when it is decoded, is
found here, and with on_error=skip the next good picture takes its place from then on. No index shifts: which one
stands in depends on the index and on what is bad, and what was found is in the run's checkpoints.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import torch

from freqgan.data.base import ImageDataset, OnError, Sample
from freqgan.data.decode import UnreadableImageError, UnusableImageError
from freqgan.data.domains import TwoDomains
from freqgan.errors import UserError

_LISTED = 5
_log = logging.getLogger(__name__)


class Found(NamedTuple):
    """A picture that is left out from now on.

    Args:
        part: of the data, as `Quarantine` is called.
        place: index in it.
        name: of the file.
        reason: why.
    """

    part: str
    place: int
    name: str
    reason: str


class Quarantine:
    """What of one part of the data cannot be read.

    Args:
        part: what it is called, such as "train".
        length: of the part.
        on_error: raise, or read the next good one.
    """

    def __init__(self, part: str, length: int, on_error: OnError) -> None:
        self.part, self.on_error = part, on_error
        self.bad = torch.zeros(length, dtype=torch.bool)
        self._found: list[Found] = []

    def share(self) -> None:
        """Loading processes that start from here on see what the others find."""
        self.bad.share_memory_()

    def read(self, index: int, read: Callable[[int], Sample]) -> Sample:
        """The sample of an index, or the one that stands in for it.

        Raises:
            UserError: it is bad and on_error=raise, or there is no good one left.
        """
        for place in self._from(index):
            try:
                return read(place)
            except UnreadableImageError as error:
                if self.on_error == "raise":
                    raise UserError(f"{error.lines[0]}: repair or remove it, or set data.on_error=skip") from error
                self.bad[place] = True
                self._found.append(Found(self.part, place, error.name, error.reason))
        raise UserError(f"of the {len(self.bad)} {self.part} images none can be read any more")

    def stand_in(self, index: int) -> int:
        """The index that is read in place of another one, as far as is known; itself if it is good."""
        return next(self._from(index), index)

    def taken(self) -> list[Found]:
        """What this process has found since it was asked last."""
        found, self._found = self._found, []
        return found

    def _from(self, index: int) -> Iterator[int]:
        for step in range(len(self.bad)):
            place = (index + step) % len(self.bad)
            if not self.bad[place]:
                yield place


class Quarantines:
    """All that was left out of a run's data, by part.

    Args:
        on_error: raise, or read the next good one.
        max_skipped: more than this is an error: a share of a part, or if it is an integer, a number of images.

    Raises:
        UserError: there is no such number.
    """

    def __init__(self, on_error: OnError, max_skipped: int | float) -> None:
        if max_skipped < 0 or (isinstance(max_skipped, float) and max_skipped > 1):
            raise UserError(f"data.max_skipped={max_skipped} must be a share from 0.0 to 1.0, or a number of images")
        self.on_error, self.max_skipped = on_error, max_skipped
        self.found: list[Found] = []
        self._parts: dict[str, Quarantine] = {}
        self._before: dict[str, int] = {}

    def of(self, part: str, length: int) -> Quarantine:
        """That of a part."""
        if part not in self._parts:
            self._parts[part] = Quarantine(part, length, self.on_error)
            self._mark(found for found in self.found if found.part == part)
        return self._parts[part]

    def prepared(self, split: str, dataset: ImageDataset, *, told: bool) -> None:
        """Takes note of what preparing a split has left out, of each domain, and logs it unless another process does.

        Raises:
            UserError: it is more than `max_skipped`.
        """
        self._prepared(split, len(dataset), dataset.skipped, told=told)
        if isinstance(dataset, TwoDomains):
            self._prepared(f"{split} of B", dataset.lengths[1], dataset.skipped_b, told=told)

    def _prepared(self, part: str, length: int, skipped: Sequence[UnusableImageError], *, told: bool) -> None:
        if not skipped:
            return
        self._before[part] = len(skipped)
        listed = "; ".join(error.lines[0] for error in skipped[:_LISTED])
        if told:
            _log.warning("%d of %d %s images skipped (data.on_error=skip): %s", len(skipped), length, part, listed)
        self._refuse_more(part, length, listed)

    def note(self, found: Iterable[Found]) -> None:
        """Takes note of what reading has found, and logs it.

        Raises:
            UserError: it is more than `max_skipped`.
        """
        for one in found:
            if any(one[:2] == other[:2] for other in self.found):
                continue  # two processes have found it at once
            self.found.append(one)
            self._mark([one])
            said = UnreadableImageError(one.name, one.reason).lines[0]
            _log.warning("%s: skipped from here on (data.on_error=skip), %d so far", said, len(self.found))
            self._refuse_more(one.part, len(self._parts[one.part].bad), said)

    def state(self) -> list[list[Any]]:
        """What was found while reading, as plain data."""
        return [list(one) for one in self.found]

    def restore(self, state: Iterable[Sequence[Any]]) -> None:
        """Leaves out what an earlier part of the run has left out."""
        self.found = [Found(*one) for one in state]
        self._mark(self.found)

    def _mark(self, found: Iterable[Found]) -> None:
        for part, place, *_ in found:
            if part in self._parts and place < len(self._parts[part].bad):
                self._parts[part].bad[place] = True

    def _refuse_more(self, part: str, length: int, listed: str) -> None:
        number = self._before.get(part, 0) + sum(one.part == part for one in self.found)
        if number > self.max_skipped * (1 if isinstance(self.max_skipped, int) else length):
            raise UserError(
                f"{number} of {length} {part} images cannot be used, more than data.max_skipped={self.max_skipped}: "
                f"repair the data, or raise it: {listed}"
            )
