"""What a system offers whose generator makes images of images: to be used on pictures of any size."""

from abc import ABC, abstractmethod

from jaxtyping import Float
from torch import Tensor

from freqgan.systems.rules import Weights


class Restoring(ABC):
    """An image in, an image out.

    Attributes:
        scale: how many times as large the result is.
        halo: pixels of the input beyond which no pixel of the result depends on it.
    """

    scale: int
    halo: int

    @abstractmethod
    def restore(self, low: Float[Tensor, "b c h w"], *, weights: Weights = "ema") -> Float[Tensor, "b c H W"]:
        """The generator's result for images in [-1, 1], in [-1, 1], without gradients."""
