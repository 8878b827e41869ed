"""CLIP score: how near images and captions are to each other in CLIP's space.

Reference: Hessel et al., "CLIPScore", 2021, with the factor 100 that is usual for generators in place of their 2.5.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, final

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from freqgan.features import CLIP
from freqgan.metrics.caption_judge import CaptionJudge, Verdict


@final
class CLIPScore(CaptionJudge):
    """`clip_score_<name>`: the mean of max(100 · cosine, 0); without a folder's path or a hub's account in the name.

    Args:
        clip: sees and reads.
    """

    def __init__(self, clip: CLIP) -> None:
        self.clip = clip
        self.name = "clip_score_" + re.sub(r"[^a-z0-9.]+", "-", Path(clip.name).name.lower())

    def prepare(self, data: Any, *, cache_dir: Path) -> bool:
        """Reads the weights: what would fail later fails now."""
        self.clip.captions([""])
        return True

    def identity(self) -> str:
        """The weights."""
        return f"{self.name} {self.clip.weights_hash()}"

    @torch.no_grad()
    def verdicts(
        self, images: Float[Tensor, "b c h w"], captions: Sequence[str], numbers: Sequence[int]
    ) -> list[Verdict]:
        """100 · cosine, or 0."""
        seen, read = self.clip.images(images), self.clip.captions(captions)
        return [{self.name: [value]} for value in (100 * F.cosine_similarity(seen, read)).clamp(min=0).tolist()]
