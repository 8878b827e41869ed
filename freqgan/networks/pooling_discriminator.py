"""A discriminator of convolutions, pooling and a dense head, in parallel columns (patent CN112529975A, [0056]–[0069]).

Where the patent is silent — widths, slopes, norms, initial weights — it follows DCGAN (Radford et al. 2015, §3), and so
it takes the place of `DCGANDiscriminator` under the same settings. Departure: pooling windows are 2×2 for every size.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Literal, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from freqgan.blocks import spectral_norm
from freqgan.errors import UserError
from freqgan.limits import Count, Natural
from freqgan.networks.dcgan import Norm, initialize, normalization
from freqgan.networks.halving import Size, widths

Pooling = Literal["average", "max"]
SLOPE = 0.2


def problems(
    image_size: Size, *, convolutions: Sequence[int], branches: Sequence[int], hidden: Sequence[int]
) -> Iterator[str]:
    """A line for each setting that no network can be built from."""
    path = "model.discriminator"
    if not convolutions or convolutions[0] < 1 or min(convolutions) < 0:
        yield (
            f"{path}.convolutions={list(convolutions)} must say how many come before each pooling, the first at least "
            "1: as in [1, 1, 1] or [2, 2]"
        )
    elif min(image_size) <= (least := 2 ** (len(convolutions) - 1)):
        yield (
            f"{path}.convolutions={list(convolutions)} pools {len(convolutions)} times and needs sides of at least "
            f"{least + 1}, got {image_size[0]}x{image_size[1]}: shorten the list, or raise data.image_size"
        )
    if not branches or any(size < 1 or size % 2 == 0 for size in branches):
        yield f"{path}.branches={list(branches)} must name an odd kernel size for each column, as in [3, 5]"
    if any(units < 1 for units in hidden):
        yield f"{path}.hidden={list(hidden)} must be numbers of units of at least 1, or [] for no hidden layer"


@final
class PoolingDiscriminator(nn.Module):
    """Image, and a condition where there is one, to one logit.

    Any size is accepted whose sides are longer than 2^(poolings − 1) pixels: pooling halves, odd sides rounded up.
    Several networks are evaluated one after the other: as groups of one convolution, which pays for small maps, those
    at full size took up to 1.8 times as long on a CPU.

    Args:
        in_channels: channels of the image, context included; a list for several networks, one entry each.
        image_size: (height, width).
        condition_dim: length of a vector that the image is to match; it joins the features before the dense head. 0
            for none.
        convolutions: of each stage, which ends with a pooling; 0 pools twice in succession ([0060], [0065]).
        pooling: what a 2×2 window is replaced by.
        branches: kernel size of each of the parallel columns, whose features the head gets together ([0069]).
        hidden: units of each hidden layer of the dense head ([0067]).
        channels: width of each column's first stage; it doubles at every pooling.
        max_channels: cap of the width.
        norm: after every convolution but a column's first; `spectral` normalises every layer's weight instead.

    Raises:
        UserError: the size or a setting is not accepted.
    """

    def __init__(
        self,
        *,
        in_channels: Count | Sequence[Count],
        image_size: Size,
        condition_dim: Natural = 0,
        convolutions: Sequence[int] = (1, 1, 1),
        pooling: Pooling = "average",
        branches: Sequence[int] = (3,),
        hidden: Sequence[int] = (256,),
        channels: Count = 64,
        max_channels: Count = 512,
        norm: Norm = "batch",
    ) -> None:
        super().__init__()
        if lines := list(problems(image_size, convolutions=convolutions, branches=branches, hidden=hidden)):
            raise UserError(*lines)
        width = widths(len(convolutions), channels=channels, max_channels=max_channels)
        outputs = [channels for channels, count in zip(width, convolutions, strict=True) if count][-1]
        height, wide = (-(-side // 2 ** len(convolutions)) for side in image_size)
        features = len(branches) * outputs * height * wide + condition_dim
        inputs = [in_channels] if isinstance(in_channels, int) else in_channels
        self.columns = nn.ModuleList(
            nn.ModuleList(nn.Sequential(*_column(k, width, convolutions, kernel, pooling, norm)) for kernel in branches)
            for k in inputs
        )
        self.heads = nn.ModuleList(nn.Sequential(*_head([features, *hidden, 1], norm)) for _ in inputs)

    def forward(
        self, *images: Float[Tensor, "b _ h w"], condition: Float[Tensor, "b k"] | None = None
    ) -> Float[Tensor, "b n"]:
        """One logit per network, each for its own image, in float32 at least: positive means real."""
        given = [] if condition is None else [condition]
        logits = []
        for image, columns, head in zip(images, self.columns, self.heads, strict=True):
            features = [column(image).flatten(1) for column in columns]  # type: ignore[attr-defined]
            logits.append(head(torch.cat([*features, *given], 1)))
        together = torch.cat(logits, 1)
        return together.to(torch.promote_types(together.dtype, torch.float32))


def _column(
    inputs: int, width: Sequence[int], convolutions: Sequence[int], kernel: int, pooling: Pooling, norm: Norm
) -> Iterator[nn.Module]:
    """Stages of convolution, norm and leaky ReLU, each with a pooling at its end."""
    pool: Callable[..., nn.Module] = {"average": nn.AvgPool2d, "max": nn.MaxPool2d}[pooling]
    for stage, count in enumerate(convolutions):
        for number in range(count):
            kind: Norm = "none" if stage == number == 0 and norm != "spectral" else norm
            bias = kind in ("spectral", "none")
            yield _layer(nn.Conv2d(inputs, width[stage], kernel, padding=kernel // 2, bias=bias), kind)
            yield _layer(normalization(kind, width[stage]), "none")
            yield nn.LeakyReLU(SLOPE, inplace=True)
            inputs = width[stage]
        yield pool(2, ceil_mode=True)


def _head(units: Sequence[int], norm: Norm) -> Iterator[nn.Module]:
    """Dense layers, a leaky ReLU between any two."""
    for place, (inputs, outputs) in enumerate(pairwise(units)):
        if place:
            yield nn.LeakyReLU(SLOPE, inplace=True)
        yield _layer(nn.Linear(inputs, outputs), norm)


def _layer(layer: nn.Module, norm: Norm) -> nn.Module:
    """The layer with its initial weights; `spectral` divides them by their greatest singular value."""
    initialize(layer)
    if norm == "spectral":
        spectral_norm(layer)
    return layer
