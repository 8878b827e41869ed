"""The captions of a batch: vectors, which of them are wrong for which images, and further wrong ones made of them."""

from collections.abc import Callable, Iterable
from typing import Any, final

import torch
from torch import Tensor

from freqgan.errors import UserError
from freqgan.losses import allowed_pairs
from freqgan.ops.noise import uniform_rows
from freqgan.systems.rules import Batch
from freqgan.text import Alterations, Altered, EncoderPair, Said

Draw = Callable[[str, Callable[[torch.Generator, int], Tensor]], Tensor]


@final
class CaptionReader:
    """Reads one caption of each image.

    Args:
        altered: how many wrong captions are made of each by replacing a word; see `freqgan.text.Alterations`.
    """

    def __init__(self, altered: int) -> None:
        self.altered = altered
        self._alterations = Alterations([])

    def learn(self, data: Any) -> None:
        """Finds in the captions of the training split which words may stand for each other."""
        if self.altered:
            self._alterations = Alterations(caption for of_image in data.captions("train") for caption in of_image)

    def read(self, pair: EncoderPair, batch: Batch, draw: Draw) -> Said:
        """What is said of the images of a batch.

        Args:
            pair: encodes it.
            batch: has `caption`, and `class` where the data know one.
            draw: rows of a draw for the global batch, as a system does it.

        Raises:
            UserError: it has not one caption for each image.
        """
        captions = batch.get("caption")
        if captions is None or not all(isinstance(caption, str) for caption in captions):
            fix = "set data.augment.caption=one, with data=captioned_folder, openmoji, scenes or shards"
            raise UserError(f"a batch needs one caption for each image: {fix}")
        allowed = allowed_pairs(captions, batch.get("class"), device=pair.settings.device)
        return Said(pair.encode_text(captions), allowed, self._wrong(pair, captions, draw) if self.altered else None)

    def _wrong(self, pair: EncoderPair, captions: Iterable[str], draw: Draw) -> Altered:
        drawn = torch.stack([draw(f"altered {number}", uniform_rows) for number in range(self.altered)], 1)
        choices = drawn.new_zeros(drawn.shape, device="cpu") if drawn.is_meta else drawn
        made = [
            (self._alterations.alter(caption, choice), caption)
            for caption, of_image in zip(captions, choices.tolist(), strict=True)
            for choice in of_image
        ]
        known = torch.tensor([other is not None for other, _ in made], device=pair.settings.device)
        return Altered(pair.encode_text([other or own for other, own in made]), known.view(drawn.shape))
