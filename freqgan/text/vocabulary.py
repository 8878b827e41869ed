"""Words of captions, and the numbers that stand for them."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import final

import torch
from torch import Tensor, nn

from freqgan.errors import UserError
from freqgan.text.base import END

_WORD = re.compile(r"\w+")
_LONGEST = 32  # bytes that are kept of a word


def words_of(caption: str) -> list[str]:
    """The words of a caption: runs of letters and digits of any script, in lower case, composed (NFKC).

    Of plain English these are the words that AttnGAN's tokenizer finds.

    >>> words_of("A bird's wing, ÉCRU — 2 tones"), words_of("???")
    (['a', 'bird', 's', 'wing', 'écru', '2', 'tones'], [])
    """
    return [_shortened(word) for word in _WORD.findall(unicodedata.normalize("NFKC", caption).lower())]


@final
class Vocabulary(nn.Module):
    """Words by number, as a buffer of their letters, so that they are kept, copied and sent as weights are.

    Number 0 is `END`, which is no word of a caption.

    Args:
        size: numbers there are, at least 2; the rarest words of the captions that go beyond have none.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
        self.register_buffer("letters", torch.zeros(size, _LONGEST, dtype=torch.uint8))
        self.letters: Tensor
        self._read: tuple[bytes, dict[str, int]] | None = None

    def __len__(self) -> int:
        return len(self.numbers())

    def learn(self, captions: Iterable[str]) -> int:
        """Takes the most frequent words of some captions, and says for how many there was no room."""
        counts = Counter(word for caption in captions for word in words_of(caption))
        ranked = sorted(counts, key=lambda word: (-counts[word], word))
        known = [END, *ranked[: self.size - 1]]
        self.letters.zero_()
        for number, word in enumerate(known):
            letters = word.encode()
            self.letters[number, : len(letters)] = torch.tensor(list(letters), dtype=torch.uint8)
        return len(ranked) - (len(known) - 1)

    def numbers(self) -> dict[str, int]:
        """The number of every word; empty before `learn`."""
        content = self.letters.cpu().numpy().tobytes()
        if self._read is None or self._read[0] != content:
            rows = (content[start : start + _LONGEST].rstrip(b"\0") for start in range(0, len(content), _LONGEST))
            self._read = content, {row.decode(): number for number, row in enumerate(rows) if row}
        return self._read[1]

    def look_up(self, captions: Sequence[str]) -> tuple[list[list[str]], list[list[str]]]:
        """Known and unknown words of each caption, in their order; without a known one, `END`.

        Raises:
            UserError: no caption was ever learned from.
        """
        numbers = self.numbers()
        if not numbers:
            raise UserError("the text encoder has no vocabulary yet: train it, or name a run that did")
        found = [words_of(caption) for caption in captions]
        known = [[word for word in words if word in numbers] or [END] for words in found]
        return known, [[word for word in words if word not in numbers] for words in found]


def _shortened(word: str) -> str:
    return word.encode()[:_LONGEST].decode(errors="ignore")
