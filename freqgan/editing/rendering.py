"""The picture of a canvas, of which only that is made again which an edit can have touched.

What a picture follows from is compared with what it followed from before, pixel by pixel. Where a network's pixels
depend on a bounded part of that, only those are made again within reach of a difference, each with all that it depends
on: as exactly as tiles are, see `freqgan.inference.Restorer`. Statistics of the whole image (instance norm) reach
everywhere, and so all is made again.
"""

from dataclasses import dataclass
from typing import NamedTuple, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from freqgan.data.ranges import to_bytes
from freqgan.editing.canvas import Canvas
from freqgan.errors import DivergedError
from freqgan.inference import span
from freqgan.systems import LabelToImage
from freqgan.systems.label_drawing import drawn, given_for, halo_of
from freqgan.systems.rules import Weights

Picture = NDArray[np.uint8]


class Box(NamedTuple):
    """A rectangle of pixels.

    Args:
        left: first column.
        top: first row.
        width: in pixels.
        height: in pixels.
    """

    left: int
    top: int
    width: int
    height: int

    @classmethod
    def of(cls, mask: NDArray[np.bool_]) -> "Box | None":
        """The smallest one around all that is true; None if nothing is."""
        rows, columns = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
        if not len(rows):
            return None
        return cls(int(columns[0]), int(rows[0]), int(np.ptp(columns)) + 1, int(np.ptp(rows)) + 1)

    def of_plane(self, plane: np.ndarray) -> np.ndarray:
        """That part of an array (h, w, …), a view."""
        return plane[self.top : self.top + self.height, self.left : self.left + self.width]

    def grown(self, by: int, width: int, height: int) -> "Box":
        """With a margin, as far as a plane of this width and height goes."""
        left, top = max(0, self.left - by), max(0, self.top - by)
        right, bottom = min(width, self.left + self.width + by), min(height, self.top + self.height + by)
        return Box(left, top, right - left, bottom - top)


NOTHING = Box(0, 0, 0, 0)


@dataclass(frozen=True)
class _Rendered:
    """The last picture, what it followed from, and where it lay."""

    given: Tensor
    picture: Picture
    origin: int


@final
class Renderer:
    """Pictures of one canvas after the other.

    Args:
        system: on the device that it computes on.
        weights: of its generator.
    """

    def __init__(self, system: LabelToImage, *, weights: Weights = "ema") -> None:
        self.system, self.weights = system, weights
        self.halo, self.stride = halo_of(system.generator), system.generator.stride
        self._last: _Rendered | None = None

    def render(self, canvas: Canvas) -> tuple[Picture, Box | None]:
        """The picture (h, w, channels), and what of it was made now; None if nothing had to be.

        Raises:
            DivergedError: the network made something that is not finite.
        """
        with self.system.kept_generator(self.weights):
            given = self._given(canvas)
            picture, box = self._kept(canvas, given)
            if box is not None:
                box.of_plane(picture)[:] = self._made(given, box, canvas.seed)
        self._last = _Rendered(given, picture, canvas.origin)
        return picture, box

    def _given(self, canvas: Canvas) -> Tensor:
        sample = {
            "label_map": torch.from_numpy(canvas.labels.astype(np.int64))[None].to(self.system.device),
            "instance_map": torch.from_numpy(canvas.instances.astype(np.int64))[None].to(self.system.device),
        }
        generator, inputs = self.system.generator, self.system.inputs
        return given_for(generator, inputs, sample, looks=canvas.looks, seed=canvas.seed)

    def _kept(self, canvas: Canvas, given: Tensor) -> tuple[Picture, Box | None]:
        """A picture with what is as it was, and the rest of it."""
        height, width = given.shape[-2:]
        picture = np.zeros((height, width, self.system.inputs.channels), np.uint8)
        last, whole = self._last, Box(0, 0, width, height)
        if last is None or self.halo is None or last.given.shape[-2] != height:
            return picture, whole
        shift = last.origin - canvas.origin
        first, end = max(0, shift), min(width, shift + last.given.shape[-1])
        if shift % self.stride or first >= end:
            return picture, whole
        theirs = slice(first - shift, end - shift)
        differs = np.ones((height, width), bool)
        same = (given[..., first:end] == last.given[..., theirs]).all(1)[0]
        differs[:, first:end] = ~same.cpu().numpy()
        differs[:, 0] |= shift < 0  # the border is where none was
        differs[:, -1] |= shift + last.given.shape[-1] > width
        picture[:, first:end] = last.picture[:, theirs]
        box = Box.of(differs)
        return picture, box and box.grown(self.halo, width, height)

    def _made(self, given: Tensor, box: Box, seed: int) -> Picture:
        """The picture within a box."""
        height, width = given.shape[-2:]
        how = {"halo": max(height, width) if self.halo is None else self.halo, "stride": self.stride}
        rows = span(box.top, box.top + box.height, height, **how)
        columns = span(box.left, box.left + box.width, width, **how)
        read = given[..., rows.read, columns.read].contiguous(memory_format=torch.channels_last)
        image = drawn(self.system.generator, read, seed=seed)[..., rows.kept(1), columns.kept(1)]
        if not image.isfinite().all():
            raise DivergedError("the network makes values that are not finite: choose another checkpoint=")
        picture: Picture = to_bytes(image)[0].permute(1, 2, 0).cpu().numpy()
        return picture
