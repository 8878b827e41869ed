"""Networks with a known reach, and a system of one, in place of trained ones."""

from typing import Any, final

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from freqgan.inference import Restorer
from freqgan.systems.restoring import Restoring
from freqgan.systems.rules import Weights
from freqgan.systems.translating import Direction, Translating


@final
class Small(nn.Module):
    """Three convolutions that reach as far as six pixels."""

    def __init__(self, *, scale: int = 2, channels: int = 3, width: int = 16) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(
            nn.Conv2d(channels, width, 5, padding=2),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, width, 3, padding=3, dilation=3),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, channels * scale**2, 3, padding=1),
            nn.PixelShuffle(scale),
        )
        self.to(memory_format=torch.channels_last)
        self.scale, self.halo, self.channels = scale, 6, channels

    @torch.no_grad()
    def forward(self, low: Tensor) -> Tensor:
        result: Tensor = self.layers(low).mul(3).tanh()
        return result


def restorer(network: Small, **settings: Any) -> Restorer:
    """The network in tiles, in the layout it has."""
    known = {"restore": network, "scale": network.scale, "halo": network.halo, "channels": network.channels}
    return Restorer(**(known | settings))


def repeat(*, scale: int = 2, channels: int = 3, **settings: Any) -> Restorer:
    """Pixels become squares of `scale` by `scale`."""
    enlarge = nn.UpsamplingNearest2d(scale_factor=scale)
    return Restorer(restore=enlarge, scale=scale, halo=0, channels=channels, **settings)


@final
class Repeating(nn.Module, Restoring):
    """A system whose pixels become squares, with the raw weight as they are, with the averaged one darker."""

    def __init__(self) -> None:
        super().__init__()
        self.raw = nn.Parameter(torch.tensor(1.0))
        self.average = nn.Parameter(torch.tensor(0.5))
        self.scale, self.halo = 2, 0

    @torch.no_grad()
    def restore(self, low: Tensor, *, weights: Weights = "ema") -> Tensor:
        weight = self.raw if weights == "raw" else self.average
        return ((low + 1) * weight - 1).repeat_interleave(2, -1).repeat_interleave(2, -2)


@final
class Inverting(nn.Module, Translating):
    """A system that inverts images from A to B; from B to A it leaves red alone, by the averaged weight darker."""

    def __init__(self, *, halo: int | None = 0, directions: tuple[Direction, ...] = ("ab", "ba")) -> None:
        super().__init__()
        self.raw = nn.Parameter(torch.tensor(1.0))
        self.average = nn.Parameter(torch.tensor(0.5))
        self.directions, self._halo = directions, halo

    @property
    def stride(self) -> int:
        return 4

    @property
    def halo(self) -> int | None:
        return self._halo

    @torch.no_grad()
    def translate(
        self, images: Tensor, *, direction: Direction | None = None, weights: Weights = "ema", seed: int = 0
    ) -> Tensor:
        if direction == "ab":
            return -images
        weight = self.raw if weights == "raw" else self.average
        return (images + 1) * weight * torch.tensor([1.0, 0.0, 0.0]).view(3, 1, 1) - 1


def noise(width: int, height: int, mode: str = "RGB") -> Image.Image:
    """A picture of independent pixels."""
    random = np.random.default_rng(width * height)
    if mode == "I;16":
        return Image.fromarray(random.integers(0, 65536, (height, width)).astype(np.uint16))
    shape = (height, width, len(mode)) if len(mode) > 1 else (height, width)
    return Image.fromarray(random.integers(0, 256, shape).astype(np.uint8), mode)
