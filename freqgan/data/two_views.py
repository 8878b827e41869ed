"""Two domains out of one source: the same picture twice, or its labels and the picture."""

from collections.abc import Callable
from typing import Any, Literal, get_args

from torch import Tensor

from freqgan.data.base import ImageDataset, Sample
from freqgan.data.domains import TwoDomains
from freqgan.errors import UserError
from freqgan.ops.palette import painted_labels

View = Literal["image", "label_map"]


class TwoViews(ImageDataset, TwoDomains):
    """The samples of another source, seen in two ways; with "image" twice, a stage makes one domain of the other.

    Args:
        source: makes the source, such as a `_partial_` of `freqgan.data.ImageFolder`.
        a: what of a sample is domain A; label maps are painted in the colours of their labels.
        b: what of a sample is domain B.
        **settings: as for the source.
    """

    rectangles = True
    paired = True

    def __init__(
        self, *, source: Callable[..., ImageDataset], a: View = "image", b: View = "image", **settings: Any
    ) -> None:
        self.inner = source(**settings)
        super().__init__(**(settings | {"root": None, "low_root": None, "root_b": None}))
        for name, view in (("a", a), ("b", b)):
            if view not in get_args(View):
                raise UserError(f"data.source.{name}={view} must be one of {', '.join(get_args(View))}")
            if view == "label_map" and self.inner.num_classes is None:
                source_name = type(self.inner).__name__
                raise UserError(f"data.source.{name}=label_map, but {source_name} has no label maps: set it to image")
        if (a, b) == ("label_map", "label_map"):
            raise UserError("data.source.a and data.source.b are both label_map: set one of them to image")
        if "label_map" in (a, b) and self.channels != 3:
            raise UserError(f"data.channels={self.channels}: label maps are painted in colours, set data.channels=3")
        self.a: View = a
        self.b: View = b
        self.any_size, self.root = self.inner.any_size, self.inner.root
        self.num_classes = self.inner.num_classes if "label_map" in (a, b) else None

    def prepare(self) -> None:
        """As the source does."""
        self.inner.prepare()
        self.skipped = self.inner.skipped

    def __len__(self) -> int:
        return len(self.inner)

    @property
    def lengths(self) -> tuple[int, int]:
        """Every sample is in both."""
        return len(self), len(self)

    def __getitem__(self, index: int) -> Sample:
        sample = self.inner[index]
        name = sample.get("name", str(index))
        return {"image": _seen(sample, self.a), "image_b": _seen(sample, self.b), "name": name}

    def domain_a(self, index: int) -> Sample:
        """A sample as A sees it."""
        sample = self.inner[index]
        return {"image": _seen(sample, self.a), "name": sample.get("name", str(index))}

    def domain_b(self, index: int) -> Sample:
        """A sample as B sees it."""
        sample = self.inner[index]
        return {"image_b": _seen(sample, self.b), "name_b": sample.get("name", str(index))}

    def content(self) -> str:
        """That of the source, and what is seen of it."""
        return f"{type(self.inner).__name__} {self.inner.content()} {self.a} {self.b}"


def _seen(sample: Sample, view: View) -> Tensor:
    return painted_labels(sample["label_map"]) if view == "label_map" else sample["image"]
