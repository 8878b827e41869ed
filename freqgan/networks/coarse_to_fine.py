"""pix2pixHD's generator (Wang et al. 2018, §3.2 and fig. 3): a global one, and local enhancers around it.

An enhancer halves its input, adds the features of the net inside it, and comes back to full size; the inner net has the
input's pyramid. What makes an image of the inner features is used only while the inner net is trained by itself: the
published code leaves it out of the whole. Departures: maps of any size, for which the input is padded; the inner net is
trained on means of 3×3 pixels of what the whole one sees, as the whole one feeds it, and not on a smaller label map.
"""

from collections.abc import Callable, Sequence
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from freqgan.blocks import ResidualBlock
from freqgan.blocks.residual import Norm, Upsampler, doubling, halving, normalized, same_size
from freqgan.errors import UserError
from freqgan.limits import Count, Natural
from freqgan.networks.dcgan import initialize
from freqgan.networks.global_generator import GlobalGenerator
from freqgan.networks.instance_encoder import InstanceEncoder
from freqgan.networks.translator import Translator, reach
from freqgan.ops.padding import continued
from freqgan.ops.pyramid import pyramid


@final
class LocalEnhancer(nn.Module):
    """An input, and features of half its size that are made of it, to features of its size.

    Args:
        in_channels: of the input.
        out_channels: of the image.
        channels: of the features; those inside have twice as many.
        blocks: residual ones, or 0, at half the size.
        norm: after every convolution but the last.
        upsampler: of the doubling, `transposed` or `interpolation`.
    """

    def __init__(
        self, *, in_channels: Count, out_channels: Count, channels: Count, blocks: int, norm: Norm, upsampler: Upsampler
    ) -> None:
        super().__init__()
        inner = 2 * channels
        self.down = nn.Sequential(
            *normalized(same_size(in_channels, channels, 7), channels, norm), *halving(channels, inner, norm)
        )
        self.up = nn.Sequential(
            *(ResidualBlock(inner, norm=norm) for _ in range(blocks)), *doubling(inner, channels, norm, upsampler)
        )
        self.to_image = same_size(channels, out_channels, 7)
        self.apply(initialize)

    def forward(self, given: Float[Tensor, "b i H W"], inner: Float[Tensor, "b k h w"]) -> Float[Tensor, "b c H W"]:
        """Features, of which `to_image` makes the image."""
        features: Tensor = self.up(self.down(given) + inner)
        return features


@final
class CoarseToFine(nn.Module):
    """Whatever has the shape of an image to an image.

    Args:
        coarse: makes the innermost net, given `in_channels` and `out_channels`: a `GlobalGenerator`, or any translator
            where there is no enhancer.
        encoder: makes the network whose features of the instances are a part of the input; None for none.
        in_channels: of the input, those features left out.
        out_channels: of the image.
        enhancers: residual blocks of each, or 0, from the inside to the outside. Each doubles height and width.
        norm: of the enhancers.
        upsampler: of the enhancers.

    Attributes:
        trained: how many enhancers are in use, the inner ones first; kept with the weights.
        varied: whether there are several results for one input: by looks of instances, or by noise.

    Raises:
        UserError: enhancers around a net that offers no features, or that has no channels left for them.
    """

    def __init__(
        self,
        *,
        coarse: Callable[..., Translator],
        encoder: Callable[[], InstanceEncoder] | None = None,
        in_channels: Count,
        out_channels: Count = 3,
        enhancers: Sequence[Natural] = (3,),
        norm: Norm = "instance",
        upsampler: Upsampler = "transposed",
    ) -> None:
        super().__init__()
        self.encoder = encoder() if encoder is not None else None
        inputs = in_channels + (self.encoder.features if self.encoder is not None else 0)
        self.coarse = coarse(in_channels=inputs, out_channels=out_channels)
        self.varied, self.norm = self.encoder is not None or self.coarse.noisy, norm
        widths = _halved_widths(self.coarse, len(enhancers))
        shape = {"in_channels": inputs, "out_channels": out_channels}
        self.enhancers = nn.ModuleList(
            LocalEnhancer(**shape, channels=width, blocks=blocks, norm=norm, upsampler=upsampler)
            for width, blocks in zip(widths, enhancers, strict=True)
        )
        self.register_buffer("trained", torch.tensor(len(enhancers)))
        self.trained: Tensor

    def forward(self, given: Float[Tensor, "b i h w"], *, depth: int | None = None) -> Float[Tensor, "b o h w"]:
        """The image, in [-1, 1] and in float32 at least.

        Args:
            given: at the image's size, features of instances included.
            depth: of the enhancers, how many make it, the inner ones first; None for all.
        """
        outer = self.enhancers[:depth]
        if not outer:
            image: Tensor = self.coarse(given)
            return image
        height, width = given.shape[-2:]
        stride, least = (side << len(outer) for side in (self.coarse.stride, self.coarse.least))
        inputs = pyramid(continued(given, stride=stride, least=least), len(outer) + 1)
        assert isinstance(self.coarse, GlobalGenerator)
        features = self.coarse.features(inputs.pop())
        for enhancer in outer:
            features = enhancer(inputs.pop(), features)
        result = torch.tanh(outer[-1].to_image(features))[..., :height, :width]  # type: ignore[operator]
        return result.to(torch.promote_types(result.dtype, torch.float32))

    @property
    def stride(self) -> int:
        """What places where parts of a large input begin have to be multiples of."""
        return self.coarse.stride << len(self.enhancers)

    @property
    def halo(self) -> int | None:
        """Pixels beyond which no pixel of the image depends on the input; None where each depends on all of it.

        With enhancers, that of all of them.
        """
        if not self.enhancers:
            return self.coarse.halo
        if self.coarse.halo is None or self.norm == "instance":
            return None
        assert isinstance(self.coarse, GlobalGenerator)
        pools = [nn.AvgPool2d(3, 2, 1) for _ in self.enhancers]  # as `pyramid` does
        ups = [enhancer.up for enhancer in self.enhancers]
        deepest = nn.Sequential(*pools, self.coarse.layers, *ups, self.enhancers[-1].to_image)  # type: ignore[arg-type]
        return reach(deepest, self.stride)


def _halved_widths(coarse: Translator, count: int) -> list[int]:
    """Channels of each enhancer's features: half of those inside it."""
    if not count:
        return []
    if not isinstance(coarse, GlobalGenerator):
        name = type(coarse).__name__
        raise UserError(f"model.generator.enhancers need a GlobalGenerator inside, got {name}: set enhancers=[]")
    if coarse.width % (1 << count):
        fix = f"set it to a multiple of {1 << count}, or fewer enhancers"
        raise UserError(f"model.generator.coarse.channels={coarse.width} is halved by each of {count} enhancers: {fix}")
    return [coarse.width >> number for number in range(1, count + 1)]
