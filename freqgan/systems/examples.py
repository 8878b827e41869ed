"""Examples to look at: a few samples of the validation images, for systems that make images of images.

They are kept with the weights, so that a run shows the same pictures wherever it is, without its data. Such a system's
`sample` number n is its result for example n, whatever the seed; after the last one comes the first again.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from freqgan.data.ranges import to_bytes, to_signed_range


@final
class Examples(nn.Module):
    """The middle of each of the first validation samples, in buffers.

    Args:
        count: how many are kept at most, one or more.
        shapes: (c, h, w) or (h, w) of what is kept, by its name in a sample. Names that begin with `image` are images,
            kept in 8 bits; everything else is labels.
    """

    def __init__(self, count: int, shapes: Mapping[str, tuple[int, ...]]) -> None:
        super().__init__()
        self.count = count
        self.shapes = dict(shapes)
        for name, shape in shapes.items():
            self.register_buffer(name, torch.zeros(count, *shape, dtype=_kept_as(name)))
        self.register_buffer("kept", torch.zeros((), dtype=torch.int64))
        self.kept: Tensor

    def __len__(self) -> int:
        return int(self.kept)

    def keep(self, samples: Iterable[Mapping[str, Tensor]]) -> None:
        """Takes the first samples in place of those before, each tensor (1, c, H, W) and images in [-1, 1].

        Smaller ones are continued by their border. Where sizes are multiples of each other, so are the places that the
        middles are cut from.
        """
        self.kept.zero_()
        for sample in samples:
            number = len(self)
            if number == self.count:
                return
            for name, value in _middles({name: sample[name] for name in self.shapes}, self.shapes).items():
                self.get_buffer(name)[number] = (to_bytes(value) if name.startswith("image") else value)[0]
            self.kept += 1

    def batch(self, first: int, count: int) -> dict[str, Tensor]:
        """Examples first … first + count, images in [-1, 1]."""
        rows = torch.arange(first, first + count, device=self.kept.device) % max(len(self), 1)
        values = {name: self.get_buffer(name)[rows] for name in self.shapes}
        return {name: to_signed_range(x) if name.startswith("image") else x for name, x in values.items()}

    def ids(self, count: int) -> list[str]:
        """A name of each of the first examples that follows from its content."""
        there = min(count, len(self))
        rows = [
            b"".join(self.get_buffer(name)[i].cpu().numpy().tobytes() for name in self.shapes) for i in range(there)
        ]
        return [f"example {hashlib.sha256(row).hexdigest()[:12]}" for row in rows]


def _kept_as(name: str) -> torch.dtype:
    return torch.uint8 if name.startswith("image") else torch.int64


def _middles(sample: Mapping[str, Tensor], shapes: Mapping[str, Sequence[int]]) -> dict[str, Tensor]:
    """The part of each tensor that has its shape, about the middle of the smallest one."""
    padded = {name: _padded(value, shapes[name]) for name, value in sample.items()}
    smallest = min(padded, key=lambda name: padded[name].shape[-1])
    sizes, wanted = padded[smallest].shape[-2:], shapes[smallest][-2:]
    y, x = ((size - side) // 2 for size, side in zip(sizes, wanted, strict=True))
    middles = {}
    for name, value in padded.items():
        height, width = shapes[name][-2:]
        top, left = y * height // wanted[0], x * width // wanted[1]
        middles[name] = value[..., top : top + height, left : left + width]
    return middles


def _padded(value: Tensor, shape: Sequence[int]) -> Tensor:
    missing = [max(side - size, 0) for side, size in zip(shape[-2:], value.shape[-2:], strict=True)]
    whole = F.pad(value.float(), (0, missing[1], 0, missing[0]), mode="replicate") if any(missing) else value
    return whole.to(value.dtype)
