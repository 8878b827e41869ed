"""The contract of those who judge whether images show what their captions say, and what they are asked."""

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain, islice
from math import fsum
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from freqgan.metrics import ranks
from freqgan.metrics.eight_bit import to_eight_bit
from freqgan.metrics.real_cache import read, write
from freqgan.metrics.retrieval import all_captions, batches
from freqgan.ops.captions import wording
from freqgan.ops.global_batch import rank, world_size

Verdict = dict[str, list[float]]
"""What is found of one image, by metric: one number for each thing that was asked, on which means are taken."""


class CaptionJudge(ABC):
    """Looks at images beside captions.

    Attributes:
        name: of the metric that says it all.
    """

    name: str

    @abstractmethod
    def prepare(self, data: Any, *, cache_dir: Path) -> bool:
        """Learns or reads what judging takes; returns whether these data can be judged at all.

        Args:
            data: the data module.
            cache_dir: where what is learned is kept.
        """

    @abstractmethod
    def identity(self) -> str:
        """What the verdicts hang on beside images and captions."""

    @abstractmethod
    def verdicts(
        self, images: Float[Tensor, "b c h w"], captions: Sequence[str], numbers: Sequence[int]
    ) -> list[Verdict]:
        """One verdict for each image, which depends on nothing but the image, its caption and its number.

        Args:
            images: in [-1, 1], rounded to 8 bits.
            captions: one of each image.
            numbers: of the images, for what is drawn at random.
        """


def means(verdicts: Iterable[Verdict]) -> dict[str, float]:
    """The mean of all that was asked, by metric.

    >>> means([{"a": [1.0, 0.0], "b": [1.0]}, {"a": [0.0, 0.0]}])
    {'a': 0.25, 'b': 1.0}
    """
    found: dict[str, list[float]] = defaultdict(list)
    for verdict in verdicts:
        for name, values in verdict.items():
            found[name] += values
    return {name: fsum(values) / len(values) for name, values in found.items()}


def on_real(
    judge: CaptionJudge, pairs: Callable[[], Iterable[Mapping[str, Any]]], *, file: Path, device: torch.device
) -> dict[str, float]:
    """What a judge finds of real images, kept in a file: how far it can be trusted, and what chance reaches.

    With several processes, each calls this and gets the same numbers.

    Args:
        judge: is asked.
        pairs: samples with `image` (1, c, h, w), all captions and, where the data know any, `class`, one by one; the
            n-th caption of the n-th counts.
        file: where the numbers are kept.
        device: where images are judged.

    Returns:
        `<metric>_real`, of images with their own captions, and `<name>_mismatched`, with that of the next image of
        another class and other words, as far as one is near.
    """
    known = ranks.on_first(lambda: read(file))
    if known is not None:
        return {name: float(value) for name, value in known.items()}

    def finish(parts: list[list[list[Verdict]]]) -> dict[str, float]:
        verdicts: list[list[Verdict]] = ranks.interleave(parts)
        found = means(chain.from_iterable(verdicts))
        write(file, {name: torch.tensor(value, dtype=torch.float64) for name, value in found.items()})
        return found

    own = islice(batches(enumerate(pairs())), rank(), None, world_size())
    return ranks.map_reduce(lambda: [_asked(judge, batch, device) for batch in own], finish)


def _asked(judge: CaptionJudge, batch: Sequence[tuple[int, Mapping[str, Any]]], device: torch.device) -> list[Verdict]:
    numbers = [number for number, _ in batch]
    images = to_eight_bit(torch.cat([pair["image"] for _, pair in batch]).to(device))
    said = [(number, all_captions(pair)) for number, pair in batch]
    own = [captions[number % len(captions)] for number, captions in said]
    of_real = judge.verdicts(images, own, numbers)
    found = [{f"{name}_real": values for name, values in verdict.items()} for verdict in of_real]
    others = _others(own, [int(pair.get("class", number)) for number, pair in batch])
    if others:
        rows = list(others)
        wrong = judge.verdicts(images[rows], [own[other] for other in others.values()], [numbers[row] for row in rows])
        for row, verdict in zip(rows, wrong, strict=True):
            found[row] |= {f"{name}_mismatched": values for name, values in verdict.items() if name == judge.name}
    return found


def _others(captions: Sequence[str], classes: Sequence[int]) -> dict[int, int]:
    """For each caption the next one, round and round, of other words and another class; none where there is none."""
    said, found = [wording(caption) for caption in captions], dict[int, int]()
    for row in range(len(said)):
        for other in (*range(row + 1, len(said)), *range(row)):
            if said[other] != said[row] and classes[other] != classes[row]:
                found[row] = other
                break
    return found
