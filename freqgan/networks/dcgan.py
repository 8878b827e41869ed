"""DCGAN generator and discriminator for any size, with an optional context image (Radford et al. 2015, fig. 1 and §3).

Departures from the paper: widths and depth follow from the image's size, 4×4 kernels as in the PyTorch ports, first and
last maps are written as linear layers (a convolution between one pixel and a whole map is the same), and both networks
may see a context image: here, the bands of lower frequency that a band's GAN builds upon (the conditional form of
LAPGAN, Denton et al. 2015, §3.2).

Several networks of one shape can lie side by side in one, as groups of its channels: small networks one after the other
cost more than their arithmetic. Every tensor of such a network is the single networks' tensors, concatenated over the
first dimension; only a discriminator's first layer is one each, since its inputs may differ.
"""

from collections.abc import Sequence
from typing import Literal, final

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from freqgan.blocks import BatchNorm2d, DoublingConv2d, GroupedLinear, HalvingConv2d, InstanceNorm2d, spectral_norm
from freqgan.limits import Count, Natural
from freqgan.networks.halving import Size, halvings, widths

Norm = Literal["batch", "instance", "group", "spectral", "none"]
Combine = Literal["concat", "add", "modulate"]


def normalization(norm: Norm, channels: int, *, count: int = 1) -> nn.Module:
    """The layer after a convolution; spectral norm wraps the convolution instead, so it adds nothing here.

    Args:
        norm: its kind.
        channels: of one network.
        count: networks side by side.
    """
    match norm:
        case "batch":
            return BatchNorm2d(count * channels)
        case "instance":
            return InstanceNorm2d(count * channels, affine=True)
        case "group":
            groups = max(n for n in range(1, 9) if n == 1 or (channels % n == 0 and channels >= 4 * n))
            return nn.GroupNorm(count * groups, count * channels)
        case "spectral" | "none":
            return nn.Identity()


def initialize(module: nn.Module) -> None:
    """Radford et al. 2015, §3: convolutions N(0, 0.02), norms N(1, 0.02), biases 0."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d | nn.InstanceNorm2d | nn.GroupNorm) and module.affine:
        nn.init.normal_(module.weight, 1.0, 0.02)
    if isinstance(bias := getattr(module, "bias", None), Tensor):
        nn.init.zeros_(bias)


class Halving(nn.Sequential):
    """4×4 convolution of stride 2, norm, leaky ReLU: half the size; widths are those of one of `count` networks."""

    def __init__(self, inputs: int, outputs: int, *, norm: Norm, count: int = 1) -> None:
        bias = norm in ("spectral", "none")
        convolution = HalvingConv2d(count * inputs, count * outputs, groups=count, bias=bias)
        super().__init__(*convolved(convolution, outputs, norm=norm, count=count))


class Keeping(nn.Sequential):
    """3×3 convolution, norm, leaky ReLU: the same size; for bands too small to be halved."""

    def __init__(self, inputs: int, outputs: int, *, norm: Norm, count: int = 1) -> None:
        bias = norm in ("spectral", "none")
        convolution = nn.Conv2d(count * inputs, count * outputs, 3, 1, 1, groups=count, bias=bias)
        super().__init__(*convolved(convolution, outputs, norm=norm, count=count))


def convolved(convolution: nn.Module, outputs: int, *, norm: Norm, count: int) -> list[nn.Module]:
    """A convolution, its norm, and a leaky ReLU, with the weights they begin with."""
    initialize(convolution)
    if norm == "spectral":
        spectral_norm(convolution, groups=count)
    layer = normalization(norm, outputs, count=count)
    initialize(layer)
    return [convolution, layer, nn.LeakyReLU(0.2, inplace=True)]


class Doubling(nn.Sequential):
    """4×4 transposed convolution of stride 2, norm, ReLU: twice the size."""

    def __init__(self, inputs: int, outputs: int, *, norm: Norm, count: int = 1) -> None:
        convolution = DoublingConv2d(count * inputs, count * outputs, groups=count, bias=norm == "none")
        layer = normalization(norm, outputs, count=count)
        for module in (convolution, layer):
            initialize(module)
        super().__init__(convolution, layer, nn.ReLU(inplace=True))


@final
class DCGANGenerator(nn.Module):
    """Latent vector, and context where there is one, to image.

    The context is halved by a tower of convolutions; at every size its features join the generator's.

    Args:
        latent_dim: length of the latent vector.
        out_channels: channels of the image.
        image_size: (height, width); `halvings` says which sizes it accepts.
        context_channels: channels of the context image, which has the size of the output; 0 for none.
        count: networks side by side; the numbers above are those of one of them.
        combine: how features of the context join: concatenated, added, or as scale and shift (1 + a) · x + b.
        channels: width at half the image's size; it doubles at every halving.
        max_channels: cap of the width.
        smallest: side of the map that the latent vector is projected to, at least.
        norm: after every hidden layer.
        head: `tanh` bounds the output to (-1, 1), `linear` does not.

    Raises:
        UserError: the size is not accepted.
    """

    def __init__(
        self,
        *,
        latent_dim: Count,
        out_channels: Count,
        image_size: Size,
        context_channels: Natural = 0,
        count: int = 1,
        combine: Combine = "concat",
        channels: Count = 64,
        max_channels: Count = 512,
        smallest: Count = 4,
        norm: Literal["batch", "instance", "group", "none"] = "batch",
        head: Literal["tanh", "linear"] = "tanh",
    ) -> None:
        super().__init__()
        self.count = count
        self.combine = combine
        depth = halvings(image_size, smallest=smallest)
        width = widths(depth, channels=channels, max_channels=max_channels)[::-1] or [channels]
        self.start = (image_size[0] >> depth, image_size[1] >> depth, width[0])
        features = width[0] * self.start[0] * self.start[1]
        self.project = GroupedLinear(count * latent_dim, count * features, groups=count, bias=False)
        self.project_norm = normalization(norm, width[0], count=count)
        skip = [_context_width(w, combine) if context_channels else 0 for w in width]
        tower = [context_channels, *skip[::-1]]
        layer = Halving if depth else Keeping
        self.context = nn.ModuleList(
            layer(tower[i], tower[i + 1], norm="none" if i == 0 else norm, count=count)
            for i in range(len(skip) if context_channels else 0)
        )
        inputs = [w + s if combine == "concat" else w for w, s in zip(width, skip, strict=True)]
        self.stages = nn.ModuleList(Doubling(inputs[i], width[i + 1], norm=norm, count=count) for i in range(depth - 1))
        self.to_image: nn.Module = (
            DoublingConv2d(count * inputs[-1], count * out_channels, groups=count)
            if depth
            else nn.Conv2d(count * inputs[-1], count * out_channels, 3, 1, 1, groups=count)
        )
        for module in (self.project, self.project_norm, self.to_image):
            initialize(module)
        self.head = nn.Tanh() if head == "tanh" else nn.Identity()

    def forward(
        self, latent: Float[Tensor, "b nd"], context: Float[Tensor, "b nk h w"] | None = None
    ) -> Float[Tensor, "b nc h w"]:
        """The image of a latent vector, given the context; of `count` networks, one after the other in channels."""
        start = self.project(latent).unflatten(1, (self.count, *self.start)).permute(0, 2, 3, 1, 4)  # (b, h, w, n, c)
        x = F.relu(self.project_norm(start.flatten(3).permute(0, 3, 1, 2)))
        skips = []
        for layer in self.context:
            context = layer(context)
            skips.append(context)
        for stage in [*self.stages, self.to_image]:
            x = stage(self._joined(x, skips.pop()) if skips else x)
        image: Tensor = self.head(x)
        return image

    def _joined(self, x: Tensor, context: Tensor) -> Tensor:
        """Features of the generator and of its context, network by network."""
        match self.combine:
            case "concat":
                parts = [part.unflatten(1, (self.count, -1)) for part in (x, context)]
                return torch.cat(parts, 2).flatten(1, 2)
            case "add":
                return x + context
            case "modulate":
                scale, shift = (part.flatten(1, 2) for part in context.unflatten(1, (self.count, 2, -1)).unbind(2))
                modulated: Tensor = x * (1 + scale) + shift
                return modulated


def _context_width(width: int, combine: Combine) -> int:
    """Channels of the context's features beside a generator's."""
    return {"concat": width // 2, "add": width, "modulate": 2 * width}[combine]


@final
class DCGANDiscriminator(nn.Module):
    """Image, and a condition where there is one, to one logit.

    Args:
        in_channels: channels of the image, context included; a list for networks side by side, one entry each.
        image_size: (height, width); `halvings` says which sizes it accepts.
        condition_dim: length of a vector that the image is to match, as in a projection discriminator
            (Miyato & Koyama 2018, fig. 1d): its embedding's product with the pooled features is added to the logit, and
            a linear function of it; 0 for none.
        channels: width at half the image's size; it doubles at every halving.
        max_channels: cap of the width.
        smallest: side of the map that the logit is made from, at least.
        norm: after every hidden layer but the first; `spectral` normalises every convolution instead.

    Raises:
        UserError: the size is not accepted.
    """

    def __init__(
        self,
        *,
        in_channels: Count | Sequence[Count],
        image_size: Size,
        condition_dim: Natural = 0,
        channels: Count = 64,
        max_channels: Count = 512,
        smallest: Count = 4,
        norm: Norm = "batch",
    ) -> None:
        super().__init__()
        inputs = (in_channels,) if isinstance(in_channels, int) else tuple(in_channels)
        self.count = count = len(inputs)
        depth = halvings(image_size, smallest=smallest)
        width = widths(max(1, depth), channels=channels, max_channels=max_channels)
        self.first = nn.ModuleList(
            HalvingConv2d(k, width[0]) if depth else nn.Conv2d(k, width[0], 3, 1, 1) for k in inputs
        )
        self.stages = nn.Sequential(
            *(Halving(width[i], width[i + 1], norm=norm, count=count) for i in range(len(width) - 1))
        )
        positions = (image_size[0] >> depth) * (image_size[1] >> depth)
        self.to_logit = nn.Linear(width[-1] * positions, count)  # row i is network i's
        self.embed = nn.Linear(condition_dim, count * (width[-1] + 1)) if condition_dim else None
        for module in (*self.first, self.to_logit, *([] if self.embed is None else [self.embed])):
            initialize(module)
            if norm == "spectral":
                spectral_norm(module, groups=1 if module in self.first else count)

    def forward(
        self, *images: Float[Tensor, "b _ h w"], condition: Float[Tensor, "b k"] | None = None
    ) -> Float[Tensor, "b n"]:
        """One logit per network, each for its own image, in float32 at least: positive means real."""
        first = [layer(image) for layer, image in zip(self.first, images, strict=True)]
        x = self.stages(F.leaky_relu(torch.cat(first, 1) if self.count > 1 else first[0], 0.2))
        features = x.permute(0, 2, 3, 1).unflatten(3, (self.count, -1))  # (b, h, w, n, c)
        pairs = zip(features.unbind(3), self.to_logit.weight.split(1), strict=True)
        logits = torch.cat([F.linear(own.flatten(1), weight) for own, weight in pairs], 1) + self.to_logit.bias
        if self.embed is not None:
            assert condition is not None
            weights = self.embed(condition).unflatten(1, (self.count, -1))  # (b, n, c + 1)
            pooled = features.mean((1, 2))
            logits = logits + (pooled * weights[..., 1:]).sum(2) + weights[..., 0]
        return logits.to(torch.promote_types(logits.dtype, torch.float32))
