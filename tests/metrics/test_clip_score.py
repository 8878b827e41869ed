from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from freqgan.metrics.clip_score import CLIPScore


def score(name: str = "openai/clip-ViT_base.v1") -> CLIPScore:
    """Of a CLIP whose vectors are the images', and (1, 0) for every caption."""
    towers: Any = SimpleNamespace(
        name=name,
        images=lambda images: images.flatten(1),
        captions=lambda captions: torch.tensor([[2.0, 0.0]] * len(captions)),
        weights_hash=lambda: "abc",
    )
    return CLIPScore(towers)


def test_it_is_a_hundred_times_the_cosine_or_nothing() -> None:
    images = torch.tensor([[3.0, 0.0], [1.0, 1.0], [-1.0, 0.0]]).view(3, 2, 1, 1)
    judge = score()
    assert judge.prepare(None, cache_dir=Path("nowhere"))
    found = [verdict[judge.name][0] for verdict in judge.verdicts(images, ["a"] * 3, range(3))]
    assert found == pytest.approx([100.0, 50 * 2**0.5, 0.0])


def test_its_name_says_which_clip() -> None:
    assert score().name == "clip_score_clip-vit-base.v1"
    assert score("models/mine").identity() == "clip_score_mine abc"
