"""Two domains of pictures, either of which is read without the other."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Literal

from freqgan.data.base import Sample
from freqgan.data.decode import UnusableImageError

Domain = Literal["a", "b"]


class TwoDomains(ABC):
    """A data set of two domains, A and B, for translation from either to the other.

    A *pair* is `dataset[index]`: the same thing in both, "image" (c, h, w) of A, "image_b" of B, and "name". An
    *unpaired draw* is `domain_a(i) | domain_b(j)`, any i and j below the lengths, and decodes nothing that it does not
    use. The keys of both are different, so that a stage (which changes what rasters a sample has) takes a pair or
    either half; what it draws for a half of an unpaired draw is drawn again for the other.

    The lengths are known after `prepare`.
    """

    both: bool = True
    """Whether there are two domains; those of other settings of the source may be one."""
    skipped_b: Sequence[UnusableImageError] = ()
    """Files of B that others of B stand in for, known after `prepare`; where there are pairs, they are those of A."""

    @property
    @abstractmethod
    def paired(self) -> bool:
        """Whether there are pairs; `dataset[index]` raises a UserError if not, and its length is that of A."""

    @property
    @abstractmethod
    def lengths(self) -> tuple[int, int]:
        """How many pictures A and B have; equal, and that of the data set, where there are pairs."""

    @abstractmethod
    def domain_a(self, index: int) -> Sample:
        """A picture of A alone: "image" and "name"."""

    @abstractmethod
    def domain_b(self, index: int) -> Sample:
        """A picture of B alone: "image_b" and "name_b"."""
