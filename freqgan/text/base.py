"""The contract of text encoders: captions in, a vector per sentence and one per word out."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

END = "<end>"
"""The one word of a caption in which no word is known."""


@dataclass(frozen=True)
class Text:
    """Encoded captions; what lies beyond a caption's words is 0 and masked.

    Args:
        sentence: a vector per caption.
        words: a vector per word, t as many as the longest caption here has.
        mask: true where there is a word; at least one per caption.
        tokens: the words, as many as the mask has.
        unknown: words of the caption that its vectors know nothing of.
    """

    sentence: Float[Tensor, "b d"]
    words: Float[Tensor, "b t e"]
    mask: Bool[Tensor, "b t"]
    tokens: list[list[str]]
    unknown: list[list[str]]

    def __len__(self) -> int:
        return len(self.sentence)

    def rows(self, index: Int[Tensor, "n"]) -> "Text":
        """Some of the captions, in the order of their numbers."""
        chosen = index.tolist()
        return Text(
            self.sentence[index],
            self.words[index],
            self.mask[index],
            [self.tokens[row] for row in chosen],
            [self.unknown[row] for row in chosen],
        )

    def to(self, device: torch.device | str) -> "Text":
        """The same on a device."""
        moved = {name: getattr(self, name).to(device) for name in ("sentence", "words", "mask")}
        return replace(self, **moved)


class TextEncoder(nn.Module, ABC):
    """Turns captions into vectors, in float32 and where its weights lie.

    A caption's vectors depend on nothing but the caption: not on its neighbours, its place in the batch, or padding.
    Empty captions and those without a known word have the one word `END`.

    Attributes:
        max_words: words beyond it get no vector.
    """

    max_words: int

    @property
    @abstractmethod
    def dim(self) -> int:
        """Length of the sentence vectors."""

    @property
    @abstractmethod
    def word_dim(self) -> int:
        """Length of the word vectors."""

    @abstractmethod
    def calibrate(self, captions: Iterable[str]) -> None:
        """Learns from the captions of the training split what has to be known before the first step."""

    @abstractmethod
    def encode(self, captions: Sequence[str]) -> Text:
        """The vectors of some captions.

        Raises:
            UserError: there are no weights or no words to encode with.
        """

    @abstractmethod
    def identity(self) -> str:
        """What the vectors hang on beside the weights of the state; equal encoders have equal ones."""

    def hash(self) -> str:
        """SHA-256 of what the vectors hang on: the identity and every tensor of the state."""
        return state_hash(self.state_dict(), self.identity())


def state_hash(state: Mapping[str, Tensor], identity: str = "") -> str:
    """SHA-256 of tensors, their names and shapes, and of what else counts."""
    digest = hashlib.sha256(identity.encode())
    for name, tensor in sorted(state.items()):
        tensor = tensor.detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
