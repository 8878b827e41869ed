"""A small network that reads what is in a picture of shapes, each of another colour.

Departure from segmentation networks: what each cell shows is learned only as a help, because many shapes are learned
from few pictures so; what is read is a summary for each colour, of the cells that show it.
"""

from typing import NamedTuple, final

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from freqgan.blocks import HalvingConv2d
from freqgan.limits import Count

SIDE = 64  # pixels that images are resized to
CELLS = 16  # along a side
_REACH = 0.25  # parts of the side by which a shape's centre may lie beside that of the cells that show it


class SceneReading(NamedTuple):
    """Logits of what is there, and places.

    Args:
        cell_color: of every cell: background, then the colours.
        cell_kind: of every cell: the kinds of shape.
        present: whether there is a shape of a colour.
        kind: of the shape of each colour.
        large: whether it is large.
        place: of its centre, x and y in parts of the side.
        background: colours of the background.
        pattern: of the background.
    """

    cell_color: Float[Tensor, "b 1+c s s"]
    cell_kind: Float[Tensor, "b k s s"]
    present: Float[Tensor, "b c"]
    kind: Float[Tensor, "b c k"]
    large: Float[Tensor, "b c"]
    place: Float[Tensor, "b c 2"]
    background: Float[Tensor, "b g"]
    pattern: Float[Tensor, "b p"]


@final
class SceneReader(nn.Module):
    """Three halvings, maps of two sizes joined, and an attention over cells for each colour.

    Its batch norms are PyTorch's: one process alone trains it.

    Args:
        colors: of shapes.
        kinds: of shapes.
        backgrounds: colours of the background.
        patterns: of the background.
        in_channels: of the images.
        channels: width at half the size.
    """

    def __init__(
        self,
        *,
        colors: int,
        kinds: int,
        backgrounds: int,
        patterns: int,
        in_channels: Count = 3,
        channels: Count = 16,
    ) -> None:
        super().__init__()
        wide = 4 * channels
        stem = _normed(HalvingConv2d(in_channels, channels, bias=False))
        self.fine = nn.Sequential(*stem, _Residual(channels, 2 * channels))
        self.middle = _Residual(2 * channels, wide)
        self.coarse = _Residual(wide, wide)
        self.from_fine = nn.Conv2d(2 * channels, wide, 1)
        self.from_middle = nn.Conv2d(wide, wide, 1)
        self.join = nn.Sequential(*_normed(nn.Conv2d(wide, wide, 3, 1, 1, bias=False)))
        self.cell_color = nn.Conv2d(wide, 1 + colors, 1)
        self.cell_kind = nn.Conv2d(wide, kinds, 1)
        self.of_color = nn.Linear(wide, 2 * wide)
        self.color = nn.Embedding(colors, 2 * wide)
        self.about = nn.Linear(2 * wide, 1 + kinds + 1 + 2)
        self.ground = nn.Linear(2 * wide, backgrounds + patterns)
        self.sizes = (backgrounds, patterns)
        centres = (torch.arange(CELLS) + 0.5) / CELLS
        places = torch.stack([centres.repeat(CELLS), centres.repeat_interleave(CELLS)], 1)  # (s*s, 2), x and y
        self.register_buffer("places", places, persistent=False)
        self.places: Tensor

    def forward(self, images: Float[Tensor, "b k h w"]) -> SceneReading:
        """What is in images in [-1, 1], of any size."""
        images = images.float()
        if images.shape[-2:] != (SIDE, SIDE):
            images = F.interpolate(images, (SIDE, SIDE), mode="bilinear", antialias=True)
        fine = self.fine(images)
        middle = self.middle(fine)
        coarse = self.coarse(middle)
        joined = self.from_middle(middle) + F.interpolate(coarse, scale_factor=2.0)
        cells = self.join(F.relu(self.from_fine(fine) + F.interpolate(joined, scale_factor=2.0)))  # (b, 4*c, s, s)
        color = self.cell_color(cells)
        share = (2 * color.log_softmax(1)[:, 1:]).flatten(2).softmax(2)  # (b, c, s*s)
        seen = share @ cells.flatten(2).transpose(1, 2)
        about = self.about(F.relu(self.of_color(seen) + self.color.weight))
        present, kind, large, beside = about.split((1, about.shape[2] - 4, 1, 2), 2)
        place = share @ self.places + beside.tanh() * _REACH
        ground = self.ground(torch.cat([cells.mean((2, 3)), coarse.mean((2, 3))], 1))
        return SceneReading(
            color, self.cell_kind(cells), present[..., 0], kind, large[..., 0], place, *ground.split(self.sizes, 1)
        )


def _normed(convolution: nn.Conv2d) -> list[nn.Module]:
    return [convolution, nn.BatchNorm2d(convolution.out_channels), nn.ReLU()]


@final
class _Residual(nn.Module):
    """Half the size: two convolutions, and beside them the mean of 2×2 pixels through a convolution of one."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        second = (nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs))
        self.body = nn.Sequential(*_normed(HalvingConv2d(inputs, outputs, bias=False)), *second)
        self.shortcut = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(inputs, outputs, 1))

    def forward(self, x: Float[Tensor, "b i H W"]) -> Float[Tensor, "b o h w"]:
        return F.relu(self.body(x) + self.shortcut(x))
