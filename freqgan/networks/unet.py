"""The U-Net of pix2pix (Isola et al. 2017, §6.1.1), and DualGAN's (Yi et al. 2017, §3.3) by its settings.

As in the authors' first code, convolutions keep their bias beside a norm, and what skips is not yet activated.
Departure: maps of any size, for which the image is padded. DualGAN has kernel 3, outer kernel 5, instance norm and no
dropout; its code pads as TensorFlow does, by a pixel more at the right and below.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, final

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from freqgan.blocks import BatchNorm2d, DoublingConv2d, HalvingConv2d
from freqgan.limits import Count, Share
from freqgan.networks.dcgan import initialize, normalization
from freqgan.networks.halving import widths
from freqgan.networks.translator import Translator, halvings_to

Norm = Literal["batch", "instance", "none"]
Kernel = Literal[3, 4, 5]
MOST_HALVINGS = 8
DROPPED = 3  # levels of the decoder with dropout, the deepest ones


class _Dropout(nn.Module):
    """Dropout that is on in training, and always where it is the network's noise."""

    def __init__(self, share: float, *, always: bool) -> None:
        super().__init__()
        self.share, self.always = share, always

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        return F.dropout(x, self.share, self.always or self.training)


@final
class UNet(Translator):
    """Image to image through a centre of one pixel, every level of the encoder joined to that of the decoder.

    Args:
        in_channels: of the image.
        out_channels: of the result.
        image_size: side of the training images, or height and width; the halvings follow from it unless they are given.
        halvings: of the size up to the centre, at least 1; None for a centre of one pixel, and 8 at most.
        channels: width at half the image's size; it doubles at every halving.
        max_channels: cap of the width.
        kernel: of the convolutions.
        outer_kernel: of the first and the last one; None for the same.
        norm: after every convolution but the first, the innermost and the last.
        dropout: share of the features of the decoder's three deepest levels that are dropped.
        at_test: `as_in_training` keeps dropout, the network's only noise, and the batch's own statistics (§3.3 of
            pix2pix); `fixed` has neither.

    Raises:
        UserError: the training images cannot be halved so often.
    """

    def __init__(
        self,
        *,
        in_channels: Count = 3,
        out_channels: Count = 3,
        image_size: int | Sequence[int] = 256,
        halvings: Count | None = None,
        channels: Count = 64,
        max_channels: Count = 512,
        kernel: Kernel = 4,
        outer_kernel: Kernel | None = None,
        norm: Norm = "batch",
        dropout: Share = 0.5,
        at_test: Literal["as_in_training", "fixed"] = "as_in_training",
    ) -> None:
        halvings = halvings_to(1, image_size, wanted=halvings, most=MOST_HALVINGS)
        kept = at_test == "as_in_training"
        noisy = kept and dropout > 0
        whole = norm == "instance" or (kept and norm == "batch") or noisy
        super().__init__(stride=2**halvings, least=2**halvings, whole=whole, noisy=noisy)
        width = widths(halvings, channels=channels, max_channels=max_channels)

        def level(convolution: nn.Module, outputs: int, *, bare: bool = False, dropped: bool = False) -> nn.Sequential:
            layers = [convolution, *([] if bare else [_normalization(norm, outputs, kept)])]
            return nn.Sequential(*layers, *([_Dropout(dropout, always=kept)] if dropped and dropout else []))

        outer, last = outer_kernel or kernel, halvings - 1
        self.down = nn.ModuleList(
            level(_halving(i, o, kernel if n else outer), o, bare=n in (0, last))
            for n, (i, o) in enumerate(pairwise([in_channels, *width]))
        )
        self.up = nn.ModuleList(
            level(_doubling(2 * i if n else i, o, kernel), o, dropped=n < DROPPED)
            for n, (i, o) in enumerate(pairwise(width[::-1]))
        )
        self.to_image = _doubling(2 * width[0] if last else width[0], out_channels, outer)
        self.apply(initialize)

    def translated(self, image: Float[Tensor, "b i h w"]) -> Float[Tensor, "b o h w"]:
        """Down to the centre, and up again with what was on the way."""
        x, skipping = image, list[Tensor]()
        for level in self.down:
            x = level(F.leaky_relu(x, 0.2) if skipping else x)
            skipping.append(x)
        x = skipping.pop()
        for level in self.up:
            x = torch.cat((level(F.relu(x)), skipping.pop()), 1)
        return torch.tanh(self.to_image(F.relu(x)))


def _normalization(norm: Norm, channels: int, kept: bool) -> nn.Module:
    return BatchNorm2d(channels, tracked=not kept) if norm == "batch" else normalization(norm, channels)


def _halving(inputs: int, outputs: int, kernel: Kernel) -> nn.Module:
    return HalvingConv2d(inputs, outputs) if kernel == 4 else nn.Conv2d(inputs, outputs, kernel, 2, kernel // 2)


def _doubling(inputs: int, outputs: int, kernel: Kernel) -> nn.Module:
    if kernel == 4:
        return DoublingConv2d(inputs, outputs)
    return nn.ConvTranspose2d(inputs, outputs, kernel, 2, kernel // 2, output_padding=1)
