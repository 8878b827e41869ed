"""Captions that are part of a checkpoint."""

from collections.abc import Iterable
from itertools import islice
from typing import final

import torch
from torch import Tensor, nn


@final
class KeptCaptions(nn.Module):
    """A fixed number of captions as a buffer of their letters, so that they are kept, copied and sent as weights are.

    Args:
        count: most captions that are kept.
        length: bytes that are kept of a caption.
    """

    def __init__(self, count: int, *, length: int = 512) -> None:
        super().__init__()
        self.register_buffer("letters", torch.zeros(count, length, dtype=torch.uint8))
        self.letters: Tensor

    def keep(self, captions: Iterable[str]) -> None:
        """Takes the first captions in place of those before."""
        self.letters.zero_()
        count, length = self.letters.shape
        for number, caption in enumerate(islice(captions, count)):
            letters = list(caption.encode()[:length])
            self.letters[number, : len(letters)] = torch.tensor(letters, dtype=torch.uint8)

    def read(self) -> list[str]:
        """The captions; none that is empty."""
        rows = (bytes(row).rstrip(b"\0").decode(errors="ignore") for row in self.letters.cpu().numpy())
        return [caption for caption in rows if caption]
