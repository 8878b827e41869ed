"""What every network that segments has in common."""

from abc import ABC, abstractmethod

from jaxtyping import Float
from torch import Tensor, nn


class SegmentationNetwork(nn.Module, ABC):
    """Images to a logit of every class at each of their pixels."""

    @abstractmethod
    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b n h w"]:
        """The logits, in float32, for images in [-1, 1] of any size."""

    @abstractmethod
    def take_pretrained(self) -> None:
        """Reads the weights that training begins with, if it does not begin from nothing.

        Raises:
            UserError: they cannot be had.
        """
