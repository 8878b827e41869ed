"""What samples of a text-conditioned GAN are made of: captions that were kept with the weights, or given ones."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, final

from torch import nn

from freqgan.errors import UserError
from freqgan.networks import StageOutput
from freqgan.ops.keyed_random import permutation
from freqgan.systems.text_tasks import STAGES
from freqgan.text import KeptCaptions, Text


class Imagined(NamedTuple):
    """What samples are made of, and what each stage makes of it."""

    captions: list[str]
    text: Text
    stages: tuple[StageOutput, StageOutput, StageOutput]

    def of_row(self, row: int) -> dict[str, Any]:
        """Of one sample: `caption`, `words`, `unknown` ones, and `stages` and `attention` of words, by stage."""
        outputs = dict(zip(STAGES, self.stages, strict=True))
        maps = {stage: output.attention for stage, output in outputs.items() if output.attention is not None}
        return {
            "caption": self.captions[row],
            "words": self.text.tokens[row],
            "unknown": self.text.unknown[row],
            "stages": {stage: output.image[row].float().cpu() for stage, output in outputs.items()},
            "attention": {stage: attention[row].float().cpu() for stage, attention in maps.items()},
        }


@final
class Prompts(nn.Module):
    """Captions in their order; sample n is made of the n-th, and after the last one comes the first again.

    Args:
        count: captions that are kept at most.
    """

    def __init__(self, count: int) -> None:
        super().__init__()
        self.kept = KeptCaptions(count)
        self.given: list[str] = []

    def keep(self, of_images: Sequence[Sequence[str]]) -> None:
        """Takes a caption of each image, of one the first, of the next the second, …

        Images come in the order in which evaluations draw them, so that the first n captions are of the very n images
        that a protocol looks at.
        """
        order = permutation(0, "evaluation", 0, len(of_images)).tolist()
        drawn = (of_images[index] for index in order)
        self.kept.keep(captions[number % len(captions)] for number, captions in enumerate(drawn))

    def aim(self, wishes: Mapping[str, str]) -> None:
        """Has samples made of `captions`, one on each line, in place of the kept ones.

        Raises:
            UserError: another wish, or no caption in it.
        """
        for name, value in wishes.items():
            if name != "captions":
                raise UserError(f"{name} is for models that draw by chance: this one draws what captions say")
            self.given = [line for line in value.splitlines() if line.strip()]
            if not self.given:
                raise UserError("captions are empty: give one on each line")

    def of_samples(self, first: int, count: int) -> list[str]:
        """The captions of samples first … first + count.

        Raises:
            UserError: none is kept or given.
        """
        captions = self.given or self.kept.read()
        if not captions:
            raise UserError("no caption is kept here: train the model, or give captions")
        return [captions[number % len(captions)] for number in range(first, first + count)]

    def ids(self, count: int, *, seed: int) -> list[str]:
        """What the first samples are made of: their captions, and the seed and number of their noise."""
        return [f"{caption}, noise {seed}/{n}" for n, caption in enumerate(self.of_samples(0, count))]
