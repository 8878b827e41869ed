"""How images made of captions are measured: with what they were made of, or as samples like all others."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import Tensor

from freqgan.metrics import Drawn, TextToImageProtocol
from freqgan.systems.measuring import measure_samples
from freqgan.systems.prompts import Imagined
from freqgan.systems.rules import Scores
from freqgan.systems.text_tasks import STAGES
from freqgan.text import EncoderPair


def measure_imagined(
    imagine: Callable[[int, int], Imagined],
    encoders: EncoderPair,
    protocol: Any,
    data: Any,
    split: str,
    cache_dir: Path,
) -> Scores:
    """Runs a protocol of `freqgan.metrics` on samples 0 … n against a split of the data.

    Args:
        imagine: (first, count) to samples with their captions and stages.
        encoders: in the loss of the generator, which may not judge it.
        protocol: what is measured.
        data: the data module.
        split: of the data.
        cache_dir: where statistics of the real images are kept.

    Raises:
        UserError: the protocol judges something else.
    """

    def drawn(first: int, count: int) -> Drawn:
        made = imagine(first, count)
        images = {stage: output.image.float() for stage, output in zip(STAGES, made.stages, strict=True)}
        return Drawn(made.captions, images)

    def samples(first: int, count: int) -> Tensor:
        return drawn(first, count).result

    if isinstance(protocol, TextToImageProtocol):
        return protocol.evaluate(drawn, data, split=split, cache_dir=cache_dir, encoders=encoders.hash())
    return measure_samples(samples, protocol, data, split, cache_dir, fitting="text_to_image")
