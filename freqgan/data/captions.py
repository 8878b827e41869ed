"""Captions of images: sources that have some, what is wrong with them, and the one that a training step sees."""

import logging
import re
import statistics
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence

from freqgan.data.base import ImageDataset, Sample
from freqgan.errors import UserError
from freqgan.ops.keyed_random import numpy_generator

_WORD = re.compile(r"\w+")
_log = logging.getLogger(__name__)


class Captioned(ABC):
    """A data set whose captions, and classes if it has some, can be read without its images."""

    @abstractmethod
    def captions(self, index: int) -> list[str]:
        """All captions of a sample, at least one and none of them empty.

        Raises:
            UserError: this source has none.
        """

    @abstractmethod
    def class_of(self, index: int) -> int | None:
        """The class of a sample; None if this source knows none of any."""


def captioned(dataset: ImageDataset) -> Captioned:
    """The same data set, whose captions can be read.

    Raises:
        UserError: it has none.
    """
    if not isinstance(dataset, Captioned):
        name = type(dataset).__name__
        fix = "choose data=captioned_folder, openmoji, scenes or shards"
        raise UserError(f"data.source={name} has no captions: {fix}")
    return dataset


def cleaned(lines: Iterable[str]) -> list[str]:
    r"""Captions on one line each, without empty ones.

    >>> cleaned(["  a red\n circle ", "", " \t"])
    ['a red circle']
    """
    return [caption for line in lines if (caption := " ".join(line.split()))]


def one_caption(sample: Sample, *, seed: int, position: int) -> Sample:
    """The sample with one of its captions, a str, as position `position` of a run draws it.

    Raises:
        UserError: it has no captions.
    """
    captions = sample.get("caption")
    if not captions:
        fix = "choose data=captioned_folder, openmoji or scenes"
        raise UserError(f"data.augment.caption=one, but the data have no captions: {fix}")
    drawn = int(numpy_generator(seed, "caption", position).integers(len(captions)))
    return {**sample, "caption": captions[drawn]}


def report(name: str, captions: Sequence[Sequence[str]]) -> None:
    """Logs how many captions and words there are, and warns of what encoders may not understand.

    Args:
        name: what the user calls the source.
        captions: of each image.
    """
    flat = [caption for of_image in captions for caption in of_image]
    if not flat:
        return
    lengths = [len(_WORD.findall(caption)) for caption in flat]
    text = "%s: %d images, %d captions of %d to %d words, half of them of at most %d"
    _log.info(text, name, len(captions), len(flat), min(lengths), max(lengths), statistics.median_low(lengths))
    for what, count in {
        "have no word at all": sum(not length for length in lengths),
        "have letters beyond ASCII: most pre-trained encoders know English alone": sum(not c.isascii() for c in flat),
    }.items():
        if count:
            _log.warning("%s: %d of %d captions %s", name, count, len(flat), what)
