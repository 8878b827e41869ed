"""A text encoder and an image encoder whose vectors can be compared with each other.

How sharply they are told apart is a property of the pair: who judges by it uses the γ that it was trained with.
"""

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from freqgan.errors import UserError
from freqgan.limits import NonNegative
from freqgan.losses import sentence_matching, word_region_matching
from freqgan.networks.image_encoder import ImageEncoder, ImageFeatures
from freqgan.text.base import END, Text, TextEncoder, state_hash
from freqgan.text.cached import CachedEncoder
from freqgan.text.said import Said

_PUBLISHED = (4.0, 5.0, 10.0)


@final
class EncoderPair(nn.Module):
    """Captions and images as vectors of one length, which is that of the image encoder.

    Vectors of a frozen text encoder are rounded to float16, so that it makes no difference whether they are kept.

    Args:
        text: encodes captions.
        image: encodes images.
        projected: whether trained layers without a bias bring sentence and word vectors to the image encoder's length,
            as a frozen text encoder needs it; otherwise they have it already.
        gamma1: how much a word attends to its nearest regions.
        gamma2: how much the best word counts.
        gamma3: sharpness of both losses.

    Raises:
        UserError: the vectors are of different lengths, and none are projected.
    """

    def __init__(
        self,
        *,
        text: TextEncoder,
        image: ImageEncoder,
        projected: bool = False,
        gamma1: NonNegative = 4.0,
        gamma2: NonNegative = 5.0,
        gamma3: NonNegative = 10.0,
    ) -> None:
        super().__init__()
        if not projected and {text.dim, text.word_dim} != {image.dim}:
            got = f"sentences have {text.dim} numbers, words {text.word_dim}, images {image.dim}"
            raise UserError(f"model.encoders: {got}: set model.encoders.projected=true, or equal lengths")
        self.text, self.image = text, image
        self.gamma1, self.gamma2, self.gamma3 = float(gamma1), float(gamma2), float(gamma3)
        self.frozen_text = not any(True for _ in text.parameters())
        self.project_sentence = nn.Linear(text.dim, image.dim, bias=False) if projected else None
        self.project_words = nn.Linear(text.word_dim, image.dim, bias=False) if projected else None
        self.register_buffer("settings", torch.zeros(32, dtype=torch.uint8))
        self.settings: Tensor

    @property
    def dim(self) -> int:
        """Length of sentence vectors, and of images as a whole."""
        return self.image.dim

    @property
    def word_dim(self) -> int:
        """Length of the vectors of words, and of regions."""
        return self.image.dim

    @property
    def max_words(self) -> int:
        """Words of a caption beyond it get no vector."""
        return self.text.max_words

    def calibrate(self, captions: Iterable[str]) -> None:
        """Learns from the captions of the training split what has to be known before the first step."""
        self.text.calibrate(captions)
        self.settings.copy_(self.digest())

    def keep(self, captions: Iterable[str], *, cache_dir: str | Path) -> None:
        """Has a frozen text encoder encode these captions once and keeps the vectors on disk; else does nothing."""
        if self.frozen_text and not isinstance(self.text, CachedEncoder):
            self.text = CachedEncoder(self.text, captions, cache_dir=cache_dir)

    def encode_text(self, captions: Sequence[str]) -> Text:
        """The vectors of some captions."""
        if self.settings.is_meta:  # where a step's cost is found: no word is known there
            return self._longest(len(captions))
        text = self.text.encode(captions)
        sentence, words = text.sentence, text.words
        if self.frozen_text:
            sentence, words = sentence.half().float(), words.half().float()
        if self.project_sentence is not None and self.project_words is not None:
            sentence, words = self.project_sentence(sentence).float(), self.project_words(words).float()
        return replace(text, sentence=sentence, words=words)

    def image_features(self, images: Float[Tensor, "b k h w"]) -> ImageFeatures:
        """The vectors of images in [-1, 1], of any size."""
        features: ImageFeatures = self.image(images)
        return features

    def matching(
        self, features: ImageFeatures, said: Said, kinds: Collection[str] = ("sentence", "words")
    ) -> dict[str, Float[Tensor, ""]]:
        """The losses between images and captions, those of them that are asked for.

        Args:
            features: of images.
            said: of them.
            kinds: `sentence`, between whole images and captions; `words`, between regions and words.
        """
        losses, text, altered = {}, said.text, said.altered
        rules: dict[str, Any] = {"allowed": said.allowed, "gamma3": self.gamma3}
        if altered is not None:
            rules["known"] = altered.known
        if "sentence" in kinds:
            wrong = None if altered is None else altered.of_images(altered.text.sentence)
            losses["sentence"] = sentence_matching(features.overall, text.sentence, altered=wrong, **rules)
        if "words" in kinds:
            rules |= {"gamma1": self.gamma1, "gamma2": self.gamma2}
            if altered is not None:
                words, mask = altered.of_images(altered.text.words), altered.of_images(altered.text.mask)
                rules |= {"altered": words, "altered_mask": mask}
            losses["words"] = word_region_matching(features.regions, text.words, text.mask, **rules)
        return losses

    def digest(self) -> Tensor:
        """SHA-256, as bytes, of what a pair is beside its weights; `settings` keeps it with them."""
        inner = self.text.encoder if isinstance(self.text, CachedEncoder) else self.text
        identity = f"{inner.identity()}, {self.image.identity()}, projected {self.project_words is not None}"
        if (gammas := (self.gamma1, self.gamma2, self.gamma3)) != _PUBLISHED:  # which the name of a pair leaves out
            identity += f", gammas {gammas}"
        return torch.tensor(list(hashlib.sha256(identity.encode()).digest()), dtype=torch.uint8)

    def hash(self) -> str:
        """SHA-256 of what a pair is: settings and weights."""
        return state_hash(self.state_dict(), bytes(self.digest().tolist()).hex())

    def _longest(self, count: int) -> Text:
        """Captions of as many words as there may be, with no values."""
        words = self.settings.new_empty(count, self.max_words, self.word_dim, dtype=torch.float32)
        tokens = [[END] * self.max_words for _ in range(count)]
        return Text(words[:, 0], words, torch.ones_like(words[..., 0], dtype=torch.bool), tokens, [[]] * count)
