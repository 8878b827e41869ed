"""A network that makes images of images, over images of any size in bounded memory."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Literal, final

import torch
from torch import Tensor

from freqgan.errors import DivergedError, UserError
from freqgan.inference.live_memory import peak_bytes
from freqgan.inference.tiles import SMALLEST, Tile, tiles_of_side, tiles_within

PROBE = 64  # side of the image that memory is measured with; smaller ones are never cut
FEW = 20480  # values, ConvParams::use_mkldnn of ATen
MIB = 2**20


@final
@dataclass(frozen=True, kw_only=True)
class Restorer:
    """What a network does, and how much of an image it may be given at once.

    In float32 and channels-last layout the CPU's convolutions add up each pixel in the same order wherever it lies, and
    tiles give the untiled result to the last bit. It is nearly so where a network multiplies by matrices as long as the
    image, as bicubic enlargement does: beyond some 400 pixels a value in a hundred differs by 1e-7. In the contiguous
    layout all values differ by as much, which moves a byte in a million by one level. In bf16 networks of up to 33
    channels were exact; with 64, up to 5 bytes in 10,000 differed by one level.

    Args:
        restore: (b, channels, h, w) in [-1, 1] to (b, channels, scale·h, scale·w) in [-1, 1].
        scale: enlargement.
        halo: pixels of the input beyond which no pixel of the output depends on it; None where each depends on all, and
            images are never cut.
        stride: tiles begin at multiples of it.
        channels: 1 or 3.
        grey: what a network of colours makes of grey pictures: `keep` takes the luminance of it, `colour` all, in 8
            bits.
        transparency: what becomes of transparent pictures: `keep` looks at their colours and leaves what is transparent
            so; `white` looks at them on white, as training does, and makes opaque ones.
        tile: side of the tiles in pixels of the input, context not counted; None cuts as `memory_mib` allows.
        memory_mib: what tensors may take at once, when `tile` is None.

    Raises:
        UserError: neither grey nor RGB, or tiles of what cannot be cut.
    """

    restore: Callable[[Tensor], Tensor]
    scale: int
    halo: int | None
    stride: int = 1
    channels: int = 3
    grey: Literal["keep", "colour"] = "keep"
    transparency: Literal["keep", "white"] = "keep"
    tile: int | None = None
    memory_mib: int = 256

    def __post_init__(self) -> None:
        if self.channels not in (1, 3):
            raise UserError(f"the run's images have {self.channels} channels, wanted 1 or 3: use another run")
        if self.tile is not None and self.halo is None:
            whole = "this network looks at all of a picture for each of its pixels"
            raise UserError(f"tile={self.tile}: {whole}: set tile=null")

    @cached_property
    def bytes_per_pixel(self) -> float:
        """Memory at its peak for every pixel of the input, measured once."""
        side = -(-PROBE // self.stride) * self.stride
        size = 1, self.channels, side, side
        return peak_bytes(lambda: self.restore(torch.zeros(size))) / side**2

    def tiles(self, height: int, width: int, *, batch: int = 1) -> list[Tile]:
        """How an image is cut.

        Args:
            height: of the image.
            width: of the image.
            batch: how many of the network's inputs it is.

        Raises:
            UserError: `memory_mib` is too little for any tile.
        """
        if self.tile is not None and self.halo is not None:
            return tiles_of_side(height, width, self.tile, halo=self.halo, stride=self.stride)
        whole = tiles_of_side(height, width, max(height, width), halo=0, stride=self.stride)
        if height * width <= PROBE**2:
            return whole
        cost = self.bytes_per_pixel * batch
        pixels = int(self.memory_mib * MIB / cost)
        if self.halo is not None:
            tiles = tiles_within(height, width, pixels, halo=self.halo, stride=self.stride)
            least = (2 * (SMALLEST + self.halo)) ** 2
        else:
            least = prod(-(-side // self.stride) * self.stride for side in (height, width))
            tiles = whole if least <= pixels else None
        if tiles is None:
            enough = int(least * cost / MIB) + 1
            what = (
                "this network" if self.halo is not None else f"{width}x{height} pixels, which this network sees at once"
            )
            raise UserError(f"memory_mib={self.memory_mib} is too little for {what}: set memory_mib={enough}")
        return tiles

    def results(self, tiles: Iterable[Tile], read: Callable[[Tile], Tensor]) -> Iterator[tuple[Tile, Tensor]]:
        """What the network makes of each tile, without its context.

        Args:
            tiles: of the image.
            read: the image within `rows.read` and `columns.read` of a tile, (b, channels, h, w) in [-1, 1].

        Raises:
            DivergedError: the network made something that is not finite.
        """
        for tile in tiles:
            restored = self._restored(read(tile))
            if not restored.isfinite().all():
                raise DivergedError("the network makes values that are not finite: choose another checkpoint=")
            yield tile, restored[..., tile.rows.kept(self.scale), tile.columns.kept(self.scale)]

    def _restored(self, low: Tensor) -> Tensor:
        # PyTorch convolves few values by another algorithm, whose sums differ in the last digit, unless they are
        # several images: so a small tile's result is that of a large one.
        if self.halo is not None and low.shape[0] == 1 and low.numel() <= FEW:
            return self.restore(low.expand(2, -1, -1, -1))[:1]
        return self.restore(low)
