"""Which jobs a sweep has: all combinations, or what a search proposes from the results so far."""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

from freqgan.config.sweeping import SweepCommand, Values
from freqgan.runs.directory import RunDirectory
from freqgan.sweeps.ledger import Row


@final
@dataclass(frozen=True)
class Proposal:
    """A job to be run.

    Attributes:
        number: of the job, from 1.
        chosen: a value for every key that is swept, as overrides for Hydra.
    """

    number: int
    chosen: Values

    @property
    def typed(self) -> Values:
        """The overrides as a user writes them."""
        return tuple(text.lstrip("+") for text in self.chosen)


class Search(ABC):
    """Proposes jobs and hears what became of them.

    Attributes:
        total: jobs in all, known once it has begun.
    """

    total: int

    @abstractmethod
    def begin(self, command: SweepCommand, folder: Path) -> None:
        """Gets ready, or takes up what `folder` holds of an earlier time.

        Raises:
            UserError: the values of a key cannot be searched.
        """

    @abstractmethod
    def plan(self) -> tuple[list[Proposal], int]:
        """Jobs that stand for all that are left, and for how many each of them stands."""

    @abstractmethod
    def ask(self, free: int) -> Proposal | None:
        """The next job, where `free` slots wait for one; None when there is no more for now."""

    @abstractmethod
    def goes_on(self, number: int, run: RunDirectory) -> bool:
        """Whether a running job is worth its time, by what it has written so far."""

    @abstractmethod
    def tell(self, row: Row, run: RunDirectory) -> str:
        """Hears what became of a job that will not go on; returns why its result is none, or an empty line."""

    @abstractmethod
    def verdict(self) -> str:
        """What has been found, in a line, or none."""


@final
class Grid(Search):
    """All combinations.

    Args:
        variants: lists of overrides, each of which goes with all combinations; none where there is no list.
        also: further jobs, each a list of overrides in place of what is swept.
    """

    def __init__(self, *, variants: Sequence[Sequence[str]] = (), also: Sequence[Sequence[str]] = ()) -> None:
        self.variants, self.also = variants, also

    def begin(self, command: SweepCommand, folder: Path) -> None:
        """Lists them."""
        combinations = command.combinations() if command.swept or self.variants or not self.also else []
        variants = [command.parsed(overrides) for overrides in self.variants or [()]]
        jobs = [(*values, *variant) for values in combinations for variant in variants]
        jobs += [command.parsed(overrides) for overrides in self.also]
        self._left = deque(Proposal(number, chosen) for number, chosen in enumerate(jobs, 1))
        self.total = len(jobs)

    def plan(self) -> tuple[list[Proposal], int]:
        """Each stands for itself."""
        return list(self._left), 1

    def ask(self, free: int) -> Proposal | None:
        """One after the other, free slots or not: what cannot run is known early."""
        return self._left.popleft() if self._left else None

    def goes_on(self, number: int, run: RunDirectory) -> bool:
        """Always."""
        return True

    def tell(self, row: Row, run: RunDirectory) -> str:
        """Nothing to learn."""
        return ""

    def verdict(self) -> str:
        """None: that is for a comparison to say."""
        return ""
