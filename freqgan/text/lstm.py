"""A bidirectional LSTM over the words of a caption.

Reference: Xu et al., "AttnGAN", 2018, §3.2 and its published code. Here captions beyond `max_words` are cut in
evaluation (the code draws words there too), and words of any script are words.
"""

import logging
from collections.abc import Iterable, Sequence
from typing import final

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from freqgan.errors import UserError
from freqgan.limits import Count, Several, Share
from freqgan.text.base import Text, TextEncoder
from freqgan.text.vocabulary import Vocabulary, words_of

_log = logging.getLogger(__name__)


@final
class LSTMEncoder(TextEncoder):
    """Word vectors are the outputs of both directions, the sentence vector is what each ends with.

    Its vocabulary is built by `calibrate`. Unknown words are left out. While training, a caption of more than
    `max_words` keeps that many drawn at random, in their order; otherwise its first ones.

    Args:
        dim: length of sentence and word vectors, half of it from each direction.
        embedding_dim: length of what stands for a word at the input.
        dropout: of the embedded words.
        max_words: per caption.
        vocabulary_size: most words that are known.

    Raises:
        UserError: the length cannot be shared by two directions.
    """

    def __init__(
        self,
        *,
        dim: Count = 256,
        embedding_dim: Count = 300,
        dropout: Share = 0.5,
        max_words: Count = 18,
        vocabulary_size: Several = 8192,
    ) -> None:
        super().__init__()
        if dim % 2:
            raise UserError(f"dim={dim} of the text encoder is shared by two directions: set {dim + 1}")
        self._dim, self.max_words = dim, max_words
        self.vocabulary = Vocabulary(vocabulary_size)
        self.embedding = nn.Embedding(vocabulary_size, embedding_dim)
        nn.init.uniform_(self.embedding.weight, -0.1, 0.1)
        self.dropout = nn.Dropout(dropout)
        self.lstm = nn.LSTM(embedding_dim, dim // 2, batch_first=True, bidirectional=True)

    @property
    def dim(self) -> int:
        """Length of the sentence vectors."""
        return self._dim

    @property
    def word_dim(self) -> int:
        """Length of the word vectors."""
        return self._dim

    def calibrate(self, captions: Iterable[str]) -> None:
        """Builds the vocabulary, and tells of captions that are too long for it."""
        captions = list(captions)
        beyond = self.vocabulary.learn(captions)
        if beyond:
            _log.warning(
                "%d of the rarest words are not learned: raise vocabulary_size=%d", beyond, self.vocabulary.size
            )
        overlong = sum(len(words_of(caption)) > self.max_words for caption in captions)
        if overlong:
            text = "%d of %d captions have more than %d words, which are not read at once: raise max_words"
            _log.warning(text, overlong, len(captions), self.max_words)

    def encode(self, captions: Sequence[str]) -> Text:
        """The vectors of some captions."""
        known, unknown = self.vocabulary.look_up(captions)
        tokens = [self._cut(words) for words in known]
        if not tokens:
            none = self.embedding.weight.new_zeros(0, 1, self._dim)
            return Text(none[:, 0], none, none[..., 0].bool(), [], [])
        sentence, words, mask = self._run(tokens)
        return Text(sentence, words, mask, tokens, unknown)

    def identity(self) -> str:
        """The sizes."""
        return f"lstm {self._dim} {self.embedding.embedding_dim} {self.max_words}"

    def _run(self, tokens: list[list[str]]) -> tuple[Tensor, Tensor, Tensor]:
        numbers, device = self.vocabulary.numbers(), self.embedding.weight.device
        lengths = torch.tensor([len(words) for words in tokens])
        ids = torch.zeros(len(tokens), int(lengths.max()), dtype=torch.int64)
        for row, said in enumerate(tokens):
            ids[row, : len(said)] = torch.tensor([numbers[word] for word in said])
        embedded = self.dropout(self.embedding(ids.to(device)))
        packed = pack_padded_sequence(embedded, lengths, batch_first=True, enforce_sorted=False)
        outputs, (last, _) = self.lstm(packed)  # last: (2, b, dim/2)
        words = pad_packed_sequence(outputs, batch_first=True)[0]
        mask = torch.arange(ids.shape[1]) < lengths[:, None]
        return torch.cat((last[0], last[1]), 1).float(), words.float(), mask.to(device)

    def _cut(self, words: list[str]) -> list[str]:
        if len(words) <= self.max_words:
            return words
        if not self.training:
            return words[: self.max_words]
        drawn = torch.randperm(len(words))[: self.max_words].sort().values
        return [words[place] for place in drawn.tolist()]
