"""What every source of images has in common; nothing here knows of Lightning."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args

from torch.utils.data import Dataset

from freqgan.data.cache import digest
from freqgan.data.decode import UnusableImageError
from freqgan.data.splits import Split
from freqgan.errors import UserError
from freqgan.limits import Share

Sample = dict[str, Any]
OnError = Literal["raise", "skip"]


class ImageDataset(Dataset[Sample], ABC):
    """Images by index, the same for the same index in every process.

    A sample has "image" (c, h, w), uint8 or, from sources deeper than 8 bits, float32 in [0, 1], and what the
    source knows besides: "image_low" (the same picture with fewer pixels), "image_b" (the same in the other
    domain), "name" (str), "caption" (all captions, a list of str), "class" (int), "label_map" uint8 (h, w),
    "instance_map" int32 (h, w), "domain" (str). Constructing does no input or output; `prepare` comes before
    everything else.

    Args:
        root: folder or files, for the sources that read any.
        low_root: folder of the same images with fewer pixels, for the sources that read one.
        root_b: folder of the images of domain B, for the sources that read one.
        image_size: side of the square images; with images of any size, of the crops that training makes. Where a
            source has rectangles, it may be height and width.
        channels: 1 (grey) or 3 (RGB).
        split: which part, told by a hash of each item's name.
        val_fraction: share of names that are validation.
        on_error: raise at the first unreadable file, or skip it: the next good one takes its place.
        cache_dir: where decoded pixels are kept.
    """

    reads: ClassVar[str | None] = None
    """What `root` is; None for sources without."""
    reads_low: ClassVar[bool] = False
    """Whether `low_root` is read."""
    reads_b: ClassVar[bool] = False
    """Whether `root_b` is read, which is then needed."""
    rectangles: ClassVar[bool] = False
    """Whether `image_size` may be a height and a width."""
    any_size: bool = False
    """Whether the images are of any size, and not squares of `image_size`."""
    num_classes: int | None = None
    """Values that label maps take, 0 included, but for 255, which is no label; None without label maps."""
    class_names: Sequence[str] = ()
    """Names of these values, where they have any."""
    things: tuple[int, ...] = ()
    """Those that are countable: connected parts are instances where there is no instance map."""
    own_instances: bool = False
    """Whether instances are told by maps of their own that labels alone do not replace."""

    def __init__(
        self,
        *,
        image_size: int | tuple[int, int],
        channels: int = 3,
        root: str | Path | None = None,
        low_root: str | Path | None = None,
        root_b: str | Path | None = None,
        split: Split = "all",
        val_fraction: Share = 0.1,
        on_error: OnError = "raise",
        cache_dir: str | Path = "~/.cache/freqgan",
    ) -> None:
        size, problems = _size_and_problems(image_size)
        if size[0] != size[1] and not self.rectangles:
            problems.append(f"data.image_size={list(size)}: {type(self).__name__} has squares, set one number")
        if channels not in (1, 3):
            problems.append(f"data.channels={channels} must be 1 (grey) or 3 (RGB)")
        if split not in get_args(Split):
            problems.append(f"data.split={split} must be one of {', '.join(get_args(Split))}")
        if on_error not in get_args(OnError):
            problems.append(f"data.on_error={on_error} must be one of {', '.join(get_args(OnError))}")
        if self.reads and not root:
            problems.append(f"data.root is empty, wanted {self.reads}")
        if root and self.reads is None:
            problems.append(f"data.root={root} is not read by {type(self).__name__}: choose data=image_folder")
        if low_root and not self.reads_low:
            problems.append(
                f"data.low_root={low_root} is not read by {type(self).__name__}: choose data=super_resolution"
            )
        if self.reads_b and not root_b:
            problems.append("data.root_b is empty, wanted the folder of domain B: set data.root_b=<folder>")
        if root_b and not self.reads_b:
            problems.append(f"data.root_b={root_b} is not read by {type(self).__name__}: choose data=paired_folders")
        if problems:
            raise UserError(*problems)
        self.root = Path(root).expanduser() if root else None
        self.low_root = Path(low_root).expanduser() if low_root else None
        self.root_b = Path(root_b).expanduser() if root_b else None
        self.size, self.image_size, self.channels = size, size[0], channels
        self.split: Split = split
        self.val_fraction, self.on_error = val_fraction, on_error
        self.cache_dir = Path(cache_dir).expanduser()
        self.skipped: Sequence[UnusableImageError] = ()
        """Files that others stand in for, known after `prepare`."""

    @abstractmethod
    def prepare(self) -> None:
        """Do the heavy work once, or find it done: safe to call in any number of processes at once."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def __getitem__(self, index: int) -> Sample: ...

    @abstractmethod
    def content(self) -> str:
        """A name for the source's content, wherever it lies: equal if and only if the images are equal."""

    def fingerprint(self) -> str:
        """A name for exactly these samples: content, size, channels and split."""
        settings = (
            0 if self.any_size else self.image_size if self.size[0] == self.size[1] else self.size,
            self.channels,
            self.split,
            self.val_fraction if self.split != "all" else 0,
        )
        return digest(type(self).__name__, self.content(), *settings)


def height_and_width(image_size: int | tuple[int, int]) -> tuple[int, int]:
    """What `image_size` says: a side, or both of them.

    Raises:
        UserError: it is neither.

    >>> height_and_width(64), height_and_width((48, 64))
    ((64, 64), (48, 64))
    """
    size, problems = _size_and_problems(image_size)
    if problems:
        raise UserError(*problems)
    return size


def _size_and_problems(image_size: int | tuple[int, int]) -> tuple[tuple[int, int], list[str]]:
    sides = [image_size] * 2 if isinstance(image_size, int) else list(image_size)
    if len(sides) == 2 and min(sides) >= 1:
        return (sides[0], sides[1]), []
    got = image_size if isinstance(image_size, int) else sides
    return (0, 0), [f"data.image_size={got} must be at least 1, or [height, width] of such"]
