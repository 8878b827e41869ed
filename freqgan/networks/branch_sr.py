"""Super-resolution by parallel branches and supervision at every scale (patent CN111369440A).

Branches of one kernel size each read the low-resolution image ([0073]–[0077]), a residual block fuses them
([0079]–[0081]), and a reconstruction branch per scale makes an image ([0061]–[0066], [0082]–[0086]). Where the patent
is silent: leaky ReLUs, no norms, Kaiming's initial weights, and images that are added to the interpolated input.

Readings. A later reconstruction branch goes on from the upsampling layer of the branch before, or from the fused
features where that one has none ([0065]); or, as in claim 1, from the output of the branch before: its image, which
joins those features, since its three channels alone would pass nothing else on.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Literal, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from freqgan.errors import UserError
from freqgan.limits import Count, Natural
from freqgan.networks.folding_convolution import FoldingConv2d
from freqgan.networks.super_resolver import SuperResolver
from freqgan.networks.upsampling import Upsampler, Upsampling
from freqgan.ops.resample import reach, resize

Layer = Literal["conv", "dilated"]
Convolve = Callable[..., nn.Conv2d]  # inputs, outputs, kernel, dilation: keeps the size
LAYERS: tuple[Layer, ...] = ("conv", "conv", "conv", "conv", "dilated", "dilated", "dilated", "conv")
SLOPE = 0.2
FOLDING_GAIN = 0.5  # of initial weights beside an identity, which with all of theirs would amplify layer by layer


def _plain(inputs: int, outputs: int, kernel: int, dilation: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, 1, dilation * (kernel // 2), dilation)


def _activated(convolution: nn.Conv2d) -> list[nn.Module]:
    return [convolution, nn.LeakyReLU(SLOPE, inplace=True)]


class _Branch(nn.Sequential):
    """Convolutions of one kernel size; `radius` is how far a pixel's features see."""

    def __init__(self, convolve: Convolve, inputs: int, channels: int, kernel: int, dilations: Sequence[int]) -> None:
        widths = [inputs] + [channels] * len(dilations)
        layers = [convolve(widths[i], channels, kernel, dilation) for i, dilation in enumerate(dilations)]
        super().__init__(*(module for layer in layers for module in _activated(layer)))
        self.radius = (kernel // 2) * sum(dilations)


class _Fusion(nn.Module):
    """A residual block: the output of its first convolution, 1×1, plus that of its third ([0081])."""

    radius = 2

    def __init__(self, convolve: Convolve, inputs: int, channels: int) -> None:
        super().__init__()
        self.conv1 = _plain(inputs, channels, 1)
        self.conv2 = nn.Sequential(nn.LeakyReLU(SLOPE), *_activated(convolve(channels, channels, 3)))
        self.conv3 = _plain(channels, channels, 3)

    def forward(self, x: Float[Tensor, "b i h w"]) -> Float[Tensor, "b o h w"]:
        first = self.conv1(x)
        fused: Tensor = first + self.conv3(self.conv2(first))
        return fused


class _Reconstruction(nn.Module):
    """Upsampling, where there is any, and the convolutions that make an image of it, of this `radius`."""

    def __init__(
        self, convolve: Convolve, upsampling: Upsampling, channels: int, image_channels: int, *, layers: int
    ) -> None:
        super().__init__()
        self.upsampling = upsampling
        widths = [upsampling.outputs] + [channels] * layers
        hidden = [convolve(widths[i], channels, 3) for i in range(layers)]
        self.hidden = nn.Sequential(*(module for layer in hidden for module in _activated(layer)))
        self.to_image = _plain(widths[-1], image_channels, 3)
        self.radius = layers + 1

    def image(self, upsampled: Float[Tensor, "b i h w"]) -> Float[Tensor, "b c h w"]:
        made: Tensor = self.to_image(self.hidden(upsampled))
        return made


@final
class BranchSR(SuperResolver):
    """The multi-branch network, or the same layers in series.

    Args:
        scales: of the images, coarse to fine: a reconstruction branch each.
        in_channels: of the image.
        kernels: sides of the kernels, a branch each.
        channels: width of the branches; a list for one each.
        layers: of every branch, in their order.
        dilations: of the dilated layers; a list for one each.
        arrangement: `series` runs the branches one after the other: the prior art that the patent compares with.
        fused_channels: width of the fusion block.
        image_channels: width of the reconstruction branches; a list for one each.
        image_layers: convolutions of a reconstruction branch between its upsampling and the one that makes the image.
        upsampler: see `freqgan.networks.upsampling.Upsampling`.
        link: what a later reconstruction branch goes on from.
        start: `bicubic` adds the interpolated input to every image, and begins with nothing else; `plain` does not.
        reparameterized: convolutions with a leaky ReLU behind them have parallel paths that add no cost, see
            `FoldingConv2d`; upsampling layers have none.

    Raises:
        UserError: lists of the wrong lengths, even kernels, or dilations below 2; every mistake at once.
    """

    def __init__(
        self,
        *,
        scales: Sequence[int] = (1, 2, 4),
        in_channels: Count = 3,
        kernels: Sequence[int] = (3, 5, 7),
        channels: Count | Sequence[Count] = 64,
        layers: Sequence[Layer] = LAYERS,
        dilations: int | Sequence[int] = 2,
        arrangement: Literal["parallel", "series"] = "parallel",
        fused_channels: Count = 64,
        image_channels: Count | Sequence[Count] = 64,
        image_layers: Natural = 1,
        upsampler: Upsampler = "pixel_shuffle",
        link: Literal["upsampled_features", "branch_output"] = "upsampled_features",
        start: Literal["bicubic", "plain"] = "bicubic",
        reparameterized: bool = True,
    ) -> None:
        super().__init__(scales=scales)
        dilated = list(layers).count("dilated")
        widths, spread = _one_each(channels, len(kernels)), _one_each(dilations, dilated)
        heads = _one_each(image_channels, len(scales))
        numbers = {"channels": (widths, "kernel", len(kernels)), "dilations": (spread, "dilated layer", dilated)}
        numbers["image_channels"] = (heads, "scale", len(scales))
        if lines := list(_problems(kernels, layers, numbers)):
            raise UserError(*lines)
        self.in_series, self.starts_bicubic = arrangement == "series", start == "bicubic"
        self.images_join = link == "branch_output"
        convolve = FoldingConv2d if reparameterized else _plain
        inputs = [in_channels, *widths[:-1]] if self.in_series else [in_channels] * len(kernels)
        branches = [
            _Branch(convolve, inputs[i], widths[i], kernel, _dilation_of_each(layers, spread))
            for i, kernel in enumerate(kernels)
        ]
        self.branches = nn.ModuleList(branches)
        self.radius = (sum if self.in_series else max)(branch.radius for branch in branches)
        self.fusion = _Fusion(convolve, widths[-1] if self.in_series else sum(widths), fused_channels)
        self.reconstruction = nn.ModuleList()
        features, before = fused_channels, 1
        for scale, width in zip(scales, heads, strict=True):
            upsampling = Upsampling(features, width, scale // before, upsampler=upsampler, slope=SLOPE)
            branch = _Reconstruction(convolve, upsampling, width, in_channels, layers=image_layers)
            self.reconstruction.append(branch)
            features, before = upsampling.outputs + in_channels * self.images_join, scale
        self._initialize()

    def images(self, low: Float[Tensor, "b c h w"], wanted: Collection[int]) -> dict[int, Tensor]:
        """The images of the wanted scales; others are made on the way where later ones go on from them."""
        features = self.fused(low)
        made: dict[int, Tensor] = {}
        for scale, branch in self._heads():
            features = branch.upsampling(features)
            if scale in wanted or self.images_join:
                made[scale] = self._started(branch.image(features), low, scale)
            if self.images_join and scale != self.scale:
                features = torch.cat([features, made[scale].to(features.dtype)], 1)
        return {scale: image for scale, image in made.items() if scale in wanted}

    def fused(self, low: Float[Tensor, "b c h w"]) -> Float[Tensor, "b f h w"]:
        """Features of all branches."""
        if self.in_series:
            features = low
            for branch in self.branches:
                features = branch(features)
        else:
            features = torch.cat([branch(low) for branch in self.branches], 1)
        fused: Tensor = self.fusion(features)
        return fused

    @property
    def halo(self) -> int:
        """The radii of all layers on the way to the last image, those behind an upsampling in its smaller pixels."""
        pixels = 0
        for scale, branch in reversed(list(self._heads())):
            counts = scale == self.scale or self.images_join
            pixels = branch.upsampling.reach(pixels + (branch.radius if counts else 0))
        pixels += self.fusion.radius + self.radius
        return max(pixels, reach(self.scale) if self.starts_bicubic else 0)

    def _heads(self) -> Iterator[tuple[int, _Reconstruction]]:
        for scale, branch in zip(self.scales, self.reconstruction, strict=True):
            assert isinstance(branch, _Reconstruction)
            yield scale, branch

    def _started(self, image: Tensor, low: Tensor, scale: int) -> Tensor:
        return image + resize(low, scale) if self.starts_bicubic else image

    @torch.no_grad()
    def _initialize(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d) and module.bias is not None:
                nn.init.kaiming_normal_(module.weight, SLOPE)
                nn.init.zeros_(module.bias)
            if isinstance(module, FoldingConv2d):
                module.weight.mul_(FOLDING_GAIN)
        for _, branch in self._heads() if self.starts_bicubic else ():
            nn.init.zeros_(branch.to_image.weight)


def _one_each(numbers: int | Sequence[int], count: int) -> list[int]:
    return [numbers] * count if isinstance(numbers, int) else list(numbers)


def _dilation_of_each(layers: Sequence[Layer], spread: Sequence[int]) -> list[int]:
    """The dilation of every layer.

    >>> _dilation_of_each(["dilated", "conv", "dilated"], [2, 4])
    [2, 1, 4]
    """
    dilations = iter(spread)
    return [next(dilations) if layer == "dilated" else 1 for layer in layers]


def _problems(
    kernels: Sequence[int],
    layers: Sequence[Layer],
    numbers: Mapping[str, tuple[list[int], str, int]],
) -> Iterator[str]:
    """A line for each setting that no network can be built from.

    Args:
        numbers: by setting; what each is for, and how many of these there are.
    """
    path = "model.generator"
    if not kernels or any(side < 1 or side % 2 == 0 for side in kernels):
        yield f"{path}.kernels={list(kernels)} must name an odd kernel size for each branch, as in [3, 5, 7]"
    if not layers:
        yield f"{path}.layers=[] must name at least one layer, as in [conv, dilated]"
    for name, (given, each, count) in numbers.items():
        if len(given) != count:
            yield f"{path}.{name}={given} must be one number, or one for each {each}, of which there are {count}"
    dilations = numbers["dilations"][0]
    if any(dilation < 2 for dilation in dilations):
        yield f"{path}.dilations={dilations} must be at least 2; a layer without dilation is named conv"
