"""How often an image's own caption is nearer to it than others: R-precision with declared negatives.

Reference: Xu et al., "AttnGAN", 2018, §4, and its published code: one true caption against 99 drawn from those of other
classes, by the cosine of an encoder pair. Departures: the pair is never the one of the generator's loss, which would
judge its own pupil; what is drawn for an image is a function of its number; captions that fit the image are not drawn.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from freqgan.errors import DivergedError, UserError
from freqgan.metrics.caption_judge import CaptionJudge, Verdict
from freqgan.metrics.retrieval import batches
from freqgan.ops.captions import wording
from freqgan.ops.keyed_random import numpy_generator

_HASH = 6  # digits in the metric's name


@final
@dataclass(frozen=True)
class JudgeEncoders:
    """A trained pair of encoders, as far as judging needs it.

    Args:
        images: (b, c, h, w) in [-1, 1] to vectors (b, d).
        captions: to vectors (b, d).
        hash: of what the vectors hang on.
        run: that trained it.
    """

    images: Callable[[Tensor], Tensor]
    captions: Callable[[Sequence[str]], Tensor]
    hash: str
    run: str


@final
class RPrecision(CaptionJudge):
    """`r_precision_1of<n>_<judge>`: whether the true caption is nearer than all of n − 1 others, which are drawn.

    What is just as near counts as nearer. Names have the first digits of the judge's hash: numbers of two judges do
    not compare.

    Args:
        encoders: judge by the cosine of their vectors.
        negatives: captions that are drawn, of the validation split, or of the training split where that is empty.
    """

    def __init__(self, encoders: JudgeEncoders, *, negatives: int = 99) -> None:
        self.encoders, self.negatives = encoders, negatives
        self.name = f"r_precision_1of{negatives + 1}_{encoders.hash[:_HASH]}"
        self._pool: CaptionPool | None = None
        self._known: dict[str, Tensor] = {}

    def prepare(self, data: Any, *, cache_dir: Path) -> bool:
        """Gathers the captions that can be drawn."""
        self._pool = self._pool or pool_of(data)
        return True

    def identity(self) -> str:
        """The judge and the number of captions."""
        return f"r_precision {self.encoders.hash} {self.negatives}"

    @torch.no_grad()
    def verdicts(
        self, images: Float[Tensor, "b c h w"], captions: Sequence[str], numbers: Sequence[int]
    ) -> list[Verdict]:
        """1 where the true caption is the nearest."""
        assert self._pool is not None
        choices = [
            [wording(caption), *self._pool.others(caption, self.negatives, number=number)]
            for caption, number in zip(captions, numbers, strict=True)
        ]
        self._encode(choices, {wording(caption): caption for caption in captions} | self._pool.spoken)
        texts = torch.stack([torch.stack([self._known[words] for words in of_image]) for of_image in choices])
        pictures = _unit(self.encoders.images(images).float().cpu())
        cosines = torch.einsum("bd,bnd->bn", pictures, texts)
        return [{self.name: [float(found)]} for found in (cosines[:, :1] > cosines[:, 1:]).all(1)]

    def _encode(self, choices: Sequence[Sequence[str]], spoken: Mapping[str, str]) -> None:
        """Keeps the vectors of captions, which come again at every evaluation."""
        new = dict.fromkeys(words for of_image in choices for words in of_image if words not in self._known)
        for batch in batches(new):
            vectors = _unit(self.encoders.captions([spoken[words] for words in batch]).float().cpu())
            self._known |= zip(batch, vectors, strict=True)


@final
class CaptionPool:
    """Captions of images, those of the same words once.

    Args:
        captions: all of each image.
        classes: of the images, whose captions may fit each other's images; None where nothing is known of them.
    """

    def __init__(self, captions: Sequence[Sequence[str]], classes: Sequence[int] | None = None) -> None:
        self.spoken: dict[str, str] = {}
        self._of_class: dict[int, set[str]] = {}
        self._classes: dict[str, set[int]] = {}
        for number, of_image in zip(range(len(captions)) if classes is None else classes, captions, strict=True):
            said = {wording(caption): caption for caption in of_image}
            self.spoken |= said
            self._of_class.setdefault(number, set()).update(said)
            for words in said:
                self._classes.setdefault(words, set()).add(number)
        self._words = list(self.spoken)

    def others(self, caption: str, count: int, *, number: int) -> list[str]:
        """The words of captions that are not said of any image, or class, that this one is said of; each once.

        Args:
            caption: the true one.
            count: captions that are drawn.
            number: of the image, by which they are drawn.

        Raises:
            UserError: there are not so many.
        """
        own = wording(caption)
        taken = {own}.union(*(self._of_class[number] for number in self._classes.get(own, ())))
        if (there := len(self.spoken.keys() - taken)) < count:
            got = f"of {len(self.spoken)} captions only {there} are wrong for “{caption}”"
            raise UserError(f"metrics.negatives={count}: {got}: set metrics.negatives={max(there, 1)}, or add images")
        rng, drawn = numpy_generator(0, "r_precision", number), dict[str, None]()
        while len(drawn) < count:
            words = (self._words[place] for place in rng.integers(len(self._words), size=count).tolist())
            drawn |= dict.fromkeys(one for one in words if one not in taken)
        return list(drawn)[:count]


def pool_of(data: Any) -> CaptionPool:
    """The captions of the validation split, or of the training split where that is empty."""
    split = "val" if len(data.dataset("val")) else "train"
    return CaptionPool(data.captions(split), data.classes(split))


def _unit(vectors: Tensor) -> Tensor:
    if not vectors.isfinite().all():
        raise DivergedError("a vector of the judge is not finite: name another run with metrics.judge_run")
    return F.normalize(vectors, dim=1)
