"""A small encoder pair, and images with captions for it."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from freqgan.networks import ResidualImageEncoder
from freqgan.text import EncoderPair, LSTMEncoder

SIZE = 16
CAPTIONS = ["a red ring", "a blue star", "two shapes", "a small green heart above a cross", "nothing"]


def encoder_pair(*, seed: int = 0, gammas: Mapping[str, float] | None = None, **settings: Any) -> EncoderPair:
    """A pair that is not calibrated."""
    torch.manual_seed(seed)
    text = LSTMEncoder(dim=8, embedding_dim=6, dropout=0.0, vocabulary_size=32, **settings)
    image = ResidualImageEncoder(image_size=SIZE, dim=8, channels=4)
    return EncoderPair(text=text, image=image, **(gammas or {}))


def images(count: int = 5) -> Tensor:
    return torch.rand(count, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(5)) * 2 - 1


def data(captions: list[str] | None = None) -> Any:
    """A data module whose images have two captions each."""
    captions = captions or CAPTIONS
    every = [[caption, f"{caption} again"] for caption in captions]
    samples = [
        {"image": image[None], "caption": [of], "name": str(number)}
        for number, (image, of) in enumerate(zip(images(len(captions)), every, strict=True))
    ]
    return SimpleNamespace(
        captions=lambda split: every,
        evaluation_pairs=lambda split, limit=None: iter(samples[:limit]),
        fingerprint=lambda: "these",
    )
