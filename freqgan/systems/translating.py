"""What a system offers that translates images between two domains, A and B."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Literal, Protocol

from jaxtyping import Float
from torch import Tensor

from freqgan.data.domains import Domain
from freqgan.errors import UserError
from freqgan.systems.rules import Weights

Direction = Literal["ab", "ba"]
IMAGES: dict[Domain, str] = {"a": "image", "b": "image_b"}  # in a batch


class Translate(Protocol):
    """`Translating.translate` in one direction, and by one of the two weights."""

    def __call__(self, images: Tensor, *, seed: int) -> Tensor:
        """The results; the seed is of what is drawn for them."""


class Translating(ABC):
    """An image of one domain in, the same of the other out.

    Attributes:
        directions: that it translates in; none if its images are made of something else.
    """

    directions: tuple[Direction, ...]

    @property
    @abstractmethod
    def stride(self) -> int:
        """Tiles of a large image have to begin at multiples of it."""

    @property
    @abstractmethod
    def halo(self) -> int | None:
        """Pixels beyond which no pixel of the result depends on the image; None where each depends on all of it."""

    def direction(self, wanted: Direction | None) -> Direction:
        """The wanted one of `directions`, or the first.

        Raises:
            UserError: it does not translate in this direction, or at all.
        """
        if not self.directions:
            raise UserError("this model makes no images of images: use freqgan sample")
        if wanted is not None and wanted not in self.directions:
            raise UserError(f"direction={wanted}: this model translates {' and '.join(self.directions)}")
        return wanted or self.directions[0]

    @abstractmethod
    def translate(
        self,
        images: Float[Tensor, "b i h w"],
        *,
        direction: Direction | None = None,
        weights: Weights = "ema",
        seed: int = 0,
    ) -> Float[Tensor, "b o h w"]:
        """The results for images in [-1, 1], in [-1, 1] and of their size, without gradients.

        Args:
            images: of the first domain of the direction.
            direction: one of `directions`; None for the first.
            weights: of the generator.
            seed: of what the generator draws, if it does; an image's result does not depend on the others.

        Raises:
            UserError: it does not translate in this direction.
        """


def domains_of(direction: Direction) -> tuple[Domain, Domain]:
    """Where a direction begins and ends.

    >>> domains_of("ba")
    ('b', 'a')
    """
    return ("a", "b") if direction == "ab" else ("b", "a")


def sides(batch: Mapping[str, Any], direction: Direction) -> tuple[Tensor, Tensor]:
    """What is translated, and what it is to be.

    Raises:
        UserError: the batch has one domain.
    """
    if "image_b" not in batch:
        raise UserError("the data have one domain: choose a data set of two, as data=scenes data.source.domain=pair")
    source, target = (batch[IMAGES[domain]] for domain in domains_of(direction))
    return source, target
