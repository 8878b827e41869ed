"""What is said of the images of a batch, as the losses between images and captions need it."""

from typing import NamedTuple

import torch
from jaxtyping import Bool
from torch import Tensor

from freqgan.text.base import Text


class Altered(NamedTuple):
    """Captions of each image with one word replaced, so that they are wrong.

    Args:
        text: as many for each image, image by image.
        known: which of them there are; the rest say what the image's caption says.
    """

    text: Text
    known: Bool[Tensor, "b a"]

    @property
    def first(self) -> Text:
        """One for each image."""
        images, number = self.known.shape
        return self.text.rows(torch.arange(0, images * number, number, device=self.known.device))

    def of_images(self, rows: Tensor) -> Tensor:
        """Rows of captions (b·a, …) as (b, a, …)."""
        of_images: Tensor = rows.unflatten(0, self.known.shape)
        return of_images


class Said(NamedTuple):
    """Captions of images.

    Args:
        text: one for each image.
        allowed: which of the global batch count as wrong for which images.
        altered: further wrong ones of each image alone, if any are made.
    """

    text: Text
    allowed: Bool[Tensor, "n n"]
    altered: Altered | None = None
