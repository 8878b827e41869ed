"""Encodings of a frozen encoder, made once per data set and kept on disk."""

import json
import logging
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import final

import numpy as np
import torch
from torch import Tensor

from freqgan.data.cache import build_once, digest
from freqgan.text.base import Text, TextEncoder

_VERSION = 1
_AT_ONCE = 256
_log = logging.getLogger(__name__)


@final
class CachedEncoder(TextEncoder):
    """A frozen encoder that looks captions of a data set up instead of encoding them again.

    Vectors are rounded to float16, those that are encoded on the way too, so that it makes no difference which captions
    are kept. Nothing of it is trained, and it is always in evaluation mode.

    Args:
        encoder: ready to encode, and not changed from here on.
        captions: those to keep.
        cache_dir: where: a folder for each encoder and set of captions.
    """

    def __init__(self, encoder: TextEncoder, captions: Iterable[str], *, cache_dir: str | Path) -> None:
        super().__init__()
        self.encoder = encoder.requires_grad_(False)
        self.max_words = encoder.max_words
        self.train(False)
        # By length, so that little is padded.
        chosen = sorted(set(captions), key=lambda caption: (len(caption), caption))
        self._rows = {caption: row for row, caption in enumerate(chosen)}
        folder = Path(cache_dir).expanduser() / "captions" / digest(_VERSION, encoder.hash(), chosen)
        directory = build_once(folder, lambda new: _write(self._encoded, chosen, new))
        self._sentences = np.load(directory / "sentences.npy", mmap_mode="r")
        self._words = np.load(directory / "words.npy", mmap_mode="r")
        self._ends: np.ndarray = np.load(directory / "ends.npy")
        facts = json.loads((directory / "tokens.json").read_text(encoding="utf-8"))
        self._tokens: list[list[str]] = facts["tokens"]
        self._unknown: list[list[str]] = facts["unknown"]

    @property
    def dim(self) -> int:
        """Length of the sentence vectors."""
        return self.encoder.dim

    @property
    def word_dim(self) -> int:
        """Length of the word vectors."""
        return self.encoder.word_dim

    def calibrate(self, captions: Iterable[str]) -> None:
        """Nothing: the encoder is ready."""

    def identity(self) -> str:
        """That of the encoder, rounded."""
        return f"float16 {self.encoder.identity()}"

    def train(self, mode: bool = True) -> "CachedEncoder":
        """Stays in evaluation mode."""
        super().train(False)
        return self

    def encode(self, captions: Sequence[str]) -> Text:
        """The vectors of some captions; those that are not kept are encoded."""
        rows = [self._rows.get(caption) for caption in captions]
        if not captions or None in rows:
            return self._encoded(captions)
        chosen = [row for row in rows if row is not None]
        starts = [int(self._ends[row - 1]) if row else 0 for row in chosen]
        lengths = [int(self._ends[row]) - start for row, start in zip(chosen, starts, strict=True)]
        words = np.zeros((len(chosen), max(lengths), self._words.shape[1]), np.float32)
        for place, (start, length) in enumerate(zip(starts, lengths, strict=True)):
            words[place, :length] = self._words[start : start + length]
        mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
        sentences = torch.from_numpy(self._sentences[chosen].astype(np.float32))
        tokens, unknown = ([list(kept[row]) for row in chosen] for kept in (self._tokens, self._unknown))
        return Text(sentences, torch.from_numpy(words), mask, tokens, unknown).to(self._device())

    def _encoded(self, captions: Sequence[str]) -> Text:
        with torch.no_grad():
            text = self.encoder.encode(captions)
        sentence, words = (_rounded(vectors) for vectors in (text.sentence, text.words))
        return Text(sentence, words, text.mask, text.tokens, text.unknown)

    def _device(self) -> torch.device:
        state = [*self.encoder.parameters(), *self.encoder.buffers()]
        return state[0].device if state else torch.device("cpu")


def _rounded(vectors: Tensor) -> Tensor:
    return vectors.half().float()


def _write(encode: Callable[[Sequence[str]], Text], captions: Sequence[str], directory: Path) -> None:
    """Leaves the vectors of captions, whose words lie one after the other, in an empty directory."""
    _log.info("encoding %d different captions, once", len(captions))
    sentences, words, lengths = [], [], []
    facts: dict[str, list[list[str]]] = {"tokens": [], "unknown": []}
    for start in range(0, len(captions), _AT_ONCE):
        text = encode(captions[start : start + _AT_ONCE])
        sentences.append(text.sentence.half().cpu().numpy())
        words.append(text.words[text.mask].half().cpu().numpy())
        lengths += text.mask.sum(1).tolist()
        facts["tokens"] += text.tokens
        facts["unknown"] += text.unknown
    np.save(directory / "sentences.npy", np.concatenate(sentences))
    np.save(directory / "words.npy", np.concatenate(words))
    np.save(directory / "ends.npy", np.cumsum(lengths))
    (directory / "tokens.json").write_text(json.dumps(facts), encoding="utf-8")
