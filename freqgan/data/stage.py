"""What happens to a sample between its source and a batch."""

from abc import ABC, abstractmethod
from typing import ClassVar

from freqgan.data.base import Sample


class Stage(ABC):
    """A change of samples that is a function of the seed and the position in the run, and of nothing else.

    It changes what a sample has: a pair of two domains, or either half of one, are changed alike.
    """

    crops: ClassVar[bool] = False
    """Whether it makes images of one size out of images of any."""

    @abstractmethod
    def __call__(self, sample: Sample, *, seed: int, position: int) -> Sample:
        """The sample as position `position` of a run sees it; the one that is given stays as it is."""

    @abstractmethod
    def evaluated(self, sample: Sample) -> Sample:
        """The sample as every evaluation of every run sees it: whole, and with what makes it a pair."""

    @abstractmethod
    def pairing(self) -> str:
        """A name for what `evaluated` does; empty if it does nothing."""
