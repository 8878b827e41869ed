"""What happens to a sample between its source and a batch."""

from abc import ABC, abstractmethod

from freqgan.data.base import Sample


class Stage(ABC):
    """A change of samples that is a function of the seed and the position in the run, and of nothing else."""

    @abstractmethod
    def __call__(self, sample: Sample, *, seed: int, position: int) -> Sample:
        """The sample as position `position` of a run sees it; the one that is given stays as it is."""

    @abstractmethod
    def evaluated(self, sample: Sample) -> Sample:
        """The sample as every evaluation of every run sees it: whole, and with what makes it a pair."""

    @abstractmethod
    def pairing(self) -> str:
        """A name for what `evaluated` does; empty if it does nothing."""
