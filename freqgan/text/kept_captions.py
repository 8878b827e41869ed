"""Captions that are part of a checkpoint."""

from collections.abc import Iterable
from itertools import islice
from typing import Any, final

import torch
from torch import Tensor, nn


@final
class KeptCaptions(nn.Module):
    """Captions as a buffer of their letters, so that they are kept, copied and sent as weights are.

    Args:
        count: most captions that are kept.
    """

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count
        self.register_buffer("letters", torch.empty(0, 0, dtype=torch.uint8))
        self.letters: Tensor

    def keep(self, captions: Iterable[str]) -> None:
        """Takes the first captions in place of those before."""
        encoded = [caption.encode() for caption in islice(captions, self.count)]
        self.letters = self.letters.new_zeros(len(encoded), max(map(len, encoded), default=0))
        for row, letters in zip(self.letters, encoded, strict=True):
            row[: len(letters)] = torch.tensor(list(letters), dtype=torch.uint8)

    def read(self) -> list[str]:
        """The captions; none that is empty."""
        rows = (bytes(row).rstrip(b"\0").decode(errors="ignore") for row in self.letters.cpu().numpy())
        return [caption for caption in rows if caption]

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        """Makes room for as many and as long captions as a checkpoint has."""
        if (stored := state_dict.get(f"{prefix}letters")) is not None:
            self.letters = self.letters.new_empty(stored.shape)
        super()._load_from_state_dict(state_dict, prefix, *rest)
