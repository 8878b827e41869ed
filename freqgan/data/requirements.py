"""What a data module refuses: settings that do not go together, and sets that training can make nothing of."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from freqgan.data.base import ImageDataset
from freqgan.data.domains import TwoDomains
from freqgan.data.splits import Split
from freqgan.errors import UserError


def roots_problems(roots: Mapping[str, str | None]) -> Iterator[str]:
    """A line for folders of one side of the split without the other's.

    Args:
        roots: `root`, `val_root` and the same of low images and of domain B.
    """
    for name, kind in (("low_root", "low images"), ("root_b", "images of domain B")):
        own, val, of_val = roots[name], roots["val_root"], roots[f"val_{name}"]
        if (own and val and not of_val) or (of_val and not (own and val)):
            given = f"data.{name}={own}, data.val_root={val} and data.val_{name}={of_val}"
            yield f"{given}: data.val_root has {kind} just if data.root has: set all three, or two to null"


@contextmanager
def named_as_given(*, val: bool) -> Iterator[None]:
    """Errors of a source call its folders what the settings do; those of validation images have names of their own.

    >>> with named_as_given(val=True):
    ...     raise UserError("data.root_b=x is not there")
    Traceback (most recent call last):
    freqgan.errors.UserError: data.val_root_b=x is not there
    """
    try:
        yield
    except UserError as error:
        if not val:
            raise
        raise UserError(*(re.sub(r"\bdata\.(?=(low_)?root)", "data.val_", line) for line in error.lines)) from error


def refuse_classes(dataset: ImageDataset, num_classes: int | None) -> None:
    """A data set has as many classes as its settings say.

    Raises:
        UserError: it has others, or none.
    """
    if dataset.num_classes != num_classes:
        name, wanted = type(dataset).__name__, "null" if dataset.num_classes is None else dataset.num_classes
        raise UserError(f"data.num_classes={num_classes}, {name} has {wanted}: set data.num_classes={wanted}")


def refuse_unfit(dataset: ImageDataset, *, batch_size: int, cropped: bool) -> None:
    """A training set has at least a batch of images of one size; of images to crop, at least one.

    Raises:
        UserError: there are fewer, or they are of any size and nothing crops them.
    """
    n = min(dataset.lengths) if isinstance(dataset, TwoDomains) else len(dataset)
    if dataset.any_size and not cropped:
        name = type(dataset).__name__
        fix = "set data.augment._target_=freqgan.data.AlignedCrops or choose data=image_folder"
        raise UserError(f"data.source={name} has images of any size, and data.augment does not crop them: {fix}")
    if n < (1 if cropped else batch_size):
        fix = f"set data.batch_size={n} or less, or add images" if n else "lower data.val_fraction or add images"
        raise UserError(f"data.batch_size={batch_size} is more than the {n} training images: {fix}")


def refuse_empty(dataset: ImageDataset, split: Split, val_fraction: float) -> None:
    """What is evaluated has at least one image.

    Raises:
        UserError: the split left none.
    """
    lengths = dataset.lengths if isinstance(dataset, TwoDomains) and not dataset.paired else (len(dataset),)
    if not min(lengths):
        domain = f" of domain {'AB'[lengths.index(0)]}" if len(lengths) > 1 else ""
        raise UserError(
            f"split={split} has no image{domain} with data.val_fraction={val_fraction}: "
            "raise it, set data.val_root=<folder>, or evaluate another split"
        )
