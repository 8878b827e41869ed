"""Scenes: procedural pictures of coloured shapes with captions, labels, instances and a second style.

One generator for every system: images to learn, sentences to follow, label maps to fill, detail to restore,
and pairs of styles to translate. NumPy only; scene i is a function of (seed, i) and looks the same at every
size.
"""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch

from freqgan.data.base import ImageDataset, Sample
from freqgan.data.cache import digest
from freqgan.data.captions import Captioned
from freqgan.data.domains import TwoDomains
from freqgan.data.scene_layout import GAP, SHAPES, Layout, draw_layout
from freqgan.data.scene_layout import captions as sentences_of
from freqgan.data.scene_painting import Style, paint
from freqgan.data.splits import belongs
from freqgan.errors import UserError
from freqgan.limits import Count, Natural, Probability
from freqgan.ops.keyed_random import numpy_generator

_VERSION = 1
_LUMA = np.array((0.299, 0.587, 0.114))


class Scenes(ImageDataset, Captioned, TwoDomains):
    """Samples have "image", "caption", "label_map", "instance_map", "domain", "name" and, for pairs, "image_b".

    Args:
        length: number of scenes, training and validation together.
        domain: "a" is flat colour, "b" coloured pencil on paper, "pair" is "a" with the same scene in "b"
            beside it.
        content_seed: of the scenes; runs with different seeds of their own still see the same ones.
        kinds: of shapes that occur; None for all. Labels stay those of all.
        gap: least distance of two shapes' centres, in sums of their radii: below 1 they may overlap.
        **settings: as for `ImageDataset`; there is no `root`.
    """

    num_classes = 1 + len(SHAPES)
    class_names = ("background", *SHAPES)
    things = tuple(range(1, num_classes))

    def __init__(
        self,
        *,
        length: Count = 20_000,
        domain: Literal["a", "b", "pair"] = "a",
        content_seed: Natural = 0,
        kinds: Sequence[str] | None = None,
        gap: Probability = GAP,
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        if domain not in ("a", "b", "pair"):
            raise UserError(f"data.source.domain={domain} must be one of a, b, pair")
        if kinds is not None and (not kinds or (strange := {*kinds} - {*SHAPES})):
            got = min(strange) if kinds else "[]"
            raise UserError(f"data.source.kinds: {got} is not some of {', '.join(SHAPES)}")
        self.length, self.domain, self.content_seed = length, domain, content_seed
        self.both = domain == "pair"
        self.kinds, self.gap = SHAPES if kinds is None else tuple(kinds), gap

    def prepare(self) -> None:
        """Choose the scenes of the split; they are painted when they are asked for."""
        self._scenes = [i for i in range(self.length) if belongs(f"scene {i}", self.split, self.val_fraction)]

    def __len__(self) -> int:
        return len(self._scenes)

    def __getitem__(self, index: int) -> Sample:
        layout = self.layout(index)
        styles: tuple[Style, ...] = ("a", "b") if self.domain == "pair" else (self.domain,)
        painting = paint(layout, self.image_size, styles)
        images = [self._tensor(painting.images[style]) for style in styles]
        return {
            **dict(zip(("image", "image_b"), images, strict=False)),
            "caption": sentences_of(layout),
            "label_map": torch.from_numpy(painting.labels),
            "instance_map": torch.from_numpy(painting.instances),
            "domain": styles[0],
            "name": self._name(index),
        }

    @property
    def paired(self) -> bool:
        """Whether both styles are asked for."""
        return self.both

    @property
    def lengths(self) -> tuple[int, int]:
        """Every scene is in both styles."""
        return len(self), len(self)

    def domain_a(self, index: int) -> Sample:
        """A scene in flat colour alone."""
        return {"image": self._painted(index, "a"), "name": self._name(index)}

    def domain_b(self, index: int) -> Sample:
        """A scene in coloured pencil alone."""
        return {"image_b": self._painted(index, "b"), "name_b": self._name(index)}

    def _painted(self, index: int, style: Style) -> torch.Tensor:
        if not self.paired:
            raise UserError(f"data.source.domain={self.domain} is one domain of two: set data.source.domain=pair")
        return self._tensor(paint(self.layout(index), self.image_size, (style,)).images[style])

    def _name(self, index: int) -> str:
        return f"scene {self._scenes[index]}"

    def captions(self, index: int) -> list[str]:
        """True sentences about a scene, which is not painted for it."""
        return sentences_of(self.layout(index))

    def class_of(self, index: int) -> int | None:
        """None."""
        return None

    def layout(self, index: int) -> Layout:
        """What scene `index` of the split is made of."""
        random = numpy_generator(self.content_seed, "scene", self._scenes[index])
        return draw_layout(random, kinds=self.kinds, gap=self.gap)

    def content(self) -> str:
        """A name for the generator and its arguments."""
        crowd = () if (self.kinds, self.gap) == (SHAPES, GAP) else (self.kinds, self.gap)
        return digest(_VERSION, self.length, self.domain, self.content_seed, *crowd)

    def _tensor(self, image: np.ndarray) -> torch.Tensor:
        if self.channels == 1:
            image = (np.tensordot(_LUMA, image, 1) + 0.5).astype(np.uint8)[None]
        return torch.from_numpy(image)
