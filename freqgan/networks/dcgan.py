"""DCGAN generator and discriminator for any size, with an optional context image (Radford et al. 2015, fig. 1 and §3).

Departures from the paper: widths and depth follow from the image's size, 4×4 kernels as in the PyTorch ports, the
projection of the latent vector is written as a linear layer (a transposed convolution on one pixel is the same map),
and both networks may see a context image: here, the bands of lower frequency that a band's GAN builds upon
(the conditional form of LAPGAN, Denton et al. 2015, §3.2).
"""

from collections.abc import Callable, Iterable
from typing import Literal, final

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from freqgan.blocks import BatchNorm2d, DoublingConv2d, HalvingConv2d
from freqgan.errors import UserError

Norm = Literal["batch", "instance", "group", "spectral", "none"]
Size = tuple[int, int]


def halvings(size: Size, *, smallest: int = 4) -> int:
    """How often a size can be halved before a side falls below `smallest`.

    Raises:
        UserError: a side is smaller than `smallest`, or is not divisible by two to that power.

    >>> halvings((64, 64)), halvings((48, 96))
    (4, 3)
    """
    shortest = min(size)
    count = 0
    while shortest >> (count + 1) >= smallest:
        count += 1
    step = 2**count
    if shortest < smallest or any(side % step for side in size):
        below = [max(smallest, side // step * step) for side in size]
        above = [max(smallest, -(-side // step) * step) for side in size]
        raise UserError(
            f"a DCGAN of {size[0]}x{size[1]} pixels needs sides of at least {smallest}, divisible by {step}: "
            f"the nearest are {below[0]}x{below[1]} and {above[0]}x{above[1]}; set data.image_size or transform.levels"
        )
    return count


def refuse_size(image_size: int, sizes: Callable[[int], Iterable[Size]]) -> None:
    """Refuses a square image of which a part could not be halved, and names the nearest sizes.

    Args:
        image_size: height and width.
        sizes: sizes of the parts that networks are built for, of an image of a given height and width.

    Raises:
        UserError: a part cannot be halved to 4 pixels or more.
    """

    def fits(size: int) -> bool:
        try:
            return all(halvings(part) >= 0 for part in sizes(size))
        except UserError:
            return False

    if not fits(image_size):
        candidates = sorted(range(4, 2 * image_size + 64), key=lambda size: abs(size - image_size))
        nearest = sorted([size for size in candidates if fits(size)][:2])
        raise UserError(
            f"data.image_size={image_size} gives bands that a DCGAN cannot halve to 4 pixels or more: "
            f"the nearest sizes are {' and '.join(map(str, nearest))}; or lower transform.levels"
        )


def widths(count: int, *, channels: int, max_channels: int) -> list[int]:
    """Channels after each of `count` halvings: doubling from `channels`, capped.

    >>> widths(4, channels=64, max_channels=256)
    [64, 128, 256, 256]
    """
    return [min(channels * 2**i, max_channels) for i in range(count)]


def normalization(norm: Norm, channels: int) -> nn.Module:
    """The layer after a convolution; spectral norm wraps the convolution instead, so it adds nothing here."""
    match norm:
        case "batch":
            return BatchNorm2d(channels)
        case "instance":
            return nn.InstanceNorm2d(channels, affine=True)
        case "group":
            return nn.GroupNorm(min(8, channels // 4), channels)
        case "spectral" | "none":
            return nn.Identity()


def initialize(module: nn.Module) -> None:
    """Radford et al. 2015, §3: convolutions N(0, 0.02), norms N(1, 0.02), biases 0."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d | nn.InstanceNorm2d | nn.GroupNorm):
        nn.init.normal_(module.weight, 1.0, 0.02)
    if isinstance(bias := getattr(module, "bias", None), Tensor):
        nn.init.zeros_(bias)


class Halving(nn.Sequential):
    """4×4 convolution of stride 2, norm, leaky ReLU: half the size."""

    def __init__(self, inputs: int, outputs: int, *, norm: Norm) -> None:
        convolution: nn.Module = HalvingConv2d(inputs, outputs, bias=norm in ("spectral", "none"))
        initialize(convolution)
        if norm == "spectral":
            convolution = spectral_norm(convolution)
        layer = normalization(norm, outputs)
        initialize(layer)
        super().__init__(convolution, layer, nn.LeakyReLU(0.2, inplace=True))


class Doubling(nn.Sequential):
    """4×4 transposed convolution of stride 2, norm, ReLU: twice the size."""

    def __init__(self, inputs: int, outputs: int, *, norm: Norm) -> None:
        convolution = DoublingConv2d(inputs, outputs, bias=norm == "none")
        layer = normalization(norm, outputs)
        for module in (convolution, layer):
            initialize(module)
        super().__init__(convolution, layer, nn.ReLU(inplace=True))


@final
class DCGANGenerator(nn.Module):
    """Latent vector, and context where there is one, to image.

    The context is halved by a tower of convolutions; at every size its features are concatenated to the generator's.

    Args:
        latent_dim: length of the latent vector.
        out_channels: channels of the image.
        image_size: (height, width); `halvings` says which sizes it accepts.
        context_channels: channels of the context image, which has the size of the output; 0 for none.
        channels: width at half the image's size; it doubles at every halving.
        max_channels: cap of the width.
        norm: after every hidden layer.
        head: `tanh` bounds the output to (-1, 1), `linear` does not.

    Raises:
        UserError: the size is not accepted.
    """

    def __init__(
        self,
        *,
        latent_dim: int,
        out_channels: int,
        image_size: Size,
        context_channels: int = 0,
        channels: int = 64,
        max_channels: int = 512,
        norm: Literal["batch", "instance", "group", "none"] = "batch",
        head: Literal["tanh", "linear"] = "tanh",
    ) -> None:
        super().__init__()
        count = halvings(image_size)
        width = widths(count, channels=channels, max_channels=max_channels)[::-1] or [channels]
        self.start = (width[0], image_size[0] >> count, image_size[1] >> count)
        self.project = nn.Linear(latent_dim, width[0] * self.start[1] * self.start[2], bias=False)
        self.project_norm = normalization(norm, width[0])
        for module in (self.project, self.project_norm):
            initialize(module)
        skip = [w // 2 if context_channels else 0 for w in width]
        tower = [context_channels, *skip[::-1]]
        self.context = nn.ModuleList(
            Halving(tower[i], tower[i + 1], norm="none" if i == 0 else norm)
            for i in range(count if context_channels else 0)
        )
        self.stages = nn.ModuleList(Doubling(width[i] + skip[i], width[i + 1], norm=norm) for i in range(count - 1))
        self.to_image: nn.Module = (
            DoublingConv2d(width[-1] + skip[-1], out_channels)
            if count
            else nn.Conv2d(width[-1] + context_channels, out_channels, 3, 1, 1)
        )
        initialize(self.to_image)
        self.head = nn.Tanh() if head == "tanh" else nn.Identity()

    def forward(
        self, latent: Float[Tensor, "b d"], context: Float[Tensor, "b k h w"] | None = None
    ) -> Float[Tensor, "b c h w"]:
        """The image of a latent vector (b, latent_dim), given the context (b, context_channels, h, w)."""
        x = F.relu(self.project_norm(self.project(latent).unflatten(1, self.start)))
        skips = [] if context is None or self.context else [context]
        for layer in self.context:
            context = layer(context)
            skips.append(context)
        for stage in [*self.stages, self.to_image]:
            x = stage(torch.cat([x, skips.pop()], 1) if skips else x)
        image: Tensor = self.head(x)
        return image


@final
class DCGANDiscriminator(nn.Module):
    """Image, and context where there is one, to one logit.

    Args:
        in_channels: channels of the image.
        image_size: (height, width); `halvings` says which sizes it accepts.
        context_channels: channels of a context image of the same size, concatenated to the input; 0 for none.
        channels: width at half the image's size; it doubles at every halving.
        max_channels: cap of the width.
        norm: after every hidden layer but the first; `spectral` normalises every convolution instead.

    Raises:
        UserError: the size is not accepted.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        image_size: Size,
        context_channels: int = 0,
        channels: int = 64,
        max_channels: int = 512,
        norm: Norm = "batch",
    ) -> None:
        super().__init__()
        count = halvings(image_size)
        width = [in_channels + context_channels, *widths(count, channels=channels, max_channels=max_channels)]
        first: Norm = "spectral" if norm == "spectral" else "none"
        self.stages = nn.Sequential(*(Halving(width[i], width[i + 1], norm=norm if i else first) for i in range(count)))
        side = (image_size[0] >> count, image_size[1] >> count)
        self.to_logit: nn.Module = nn.Conv2d(width[-1], 1, side)
        initialize(self.to_logit)
        if norm == "spectral":
            self.to_logit = spectral_norm(self.to_logit)

    def forward(
        self, image: Float[Tensor, "b c h w"], context: Float[Tensor, "b k h w"] | None = None
    ) -> Float[Tensor, "b"]:
        """One logit per image, in float32 at least: positive means real."""
        x = image if context is None else torch.cat([image, context], 1)
        logits: Tensor = self.to_logit(self.stages(x)).flatten()
        return logits.to(torch.promote_types(logits.dtype, torch.float32))
