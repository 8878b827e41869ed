"""What a system offers that makes images of images: what became of some of the data, to be looked at."""

from abc import ABC, abstractmethod
from typing import Any, NamedTuple

from jaxtyping import Float
from torch import Tensor

from freqgan.systems.rules import Weights


class Exhibit(NamedTuple):
    """A picture and what became of it.

    Args:
        name: of the picture.
        pictures: of one size, in [-1, 1], by what they are: `input`, `result`, …, and `target`, if there is one.
    """

    name: str
    pictures: dict[str, Float[Tensor, "c h w"]]


class Exhibiting(ABC):
    """Whole pictures of the data, where `pictures` has the run's own examples."""

    @abstractmethod
    def exhibits(self, data: Any, *, split: str, seed: int, weights: Weights) -> dict[str, list[Exhibit]]:
        """A few pictures of a split, always the same ones, by what was done to them, a word for a file's name.

        Args:
            data: the data module.
            split: of the data.
            seed: of what the generator draws.
            weights: of the generator.
        """
