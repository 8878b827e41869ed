"""Stages of a text-conditioned GAN, each from the last one's features to an image of twice the size.

Layers and widths are AttnGAN's (Xu et al. 2018), which are StackGAN-v2's (Zhang et al. 2018). Departure: a stage may
take the last one's image in place of its features.
"""

from itertools import pairwise
from typing import Literal, NamedTuple, final

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from freqgan.blocks import BatchNorm2d, EnlargingConv2d
from freqgan.networks.text_fusion import Fusion, fusion_layer

StageInput = Literal["hidden_features", "reencoded_image"]


class Distribution(NamedTuple):
    """The normal distribution that a stage's sentence code was drawn from; its divergence is a term of the loss."""

    mean: Float[Tensor, "b d"]
    log_variance: Float[Tensor, "b d"]


class StageOutput(NamedTuple):
    """What a stage hands on: image in (-1, 1), features of its size, and what its text became."""

    image: Float[Tensor, "b k h w"]
    features: Float[Tensor, "b c h w"]
    attention: Float[Tensor, "b t h/2 w/2"] | None  # of each word; none where a stage does not read words
    distribution: Distribution | None  # none without conditioning augmentation


def initialize(module: nn.Module) -> None:
    """AttnGAN's: orthogonal weights, norms N(1, 0.02), biases 0."""
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.orthogonal_(module.weight)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
    if isinstance(bias := getattr(module, "bias", None), Tensor):
        nn.init.zeros_(bias)


def convolution(inputs: int, outputs: int) -> nn.Conv2d:
    """3×3, the same size, without bias."""
    return nn.Conv2d(inputs, outputs, 3, 1, 1, bias=False)


@final
class ChannelGLU(nn.Module):
    """`torch.nn.GLU` over channels, whose gradient keeps the memory format.

    PyTorch's own does not keep channels_last; the batch norm before it, on a CPU, then takes many times as long.
    """

    def forward(self, x: Float[Tensor, "b C h w"]) -> Float[Tensor, "b c h w"]:
        """The first half of the channels, gated by the second."""
        if x.is_contiguous(memory_format=torch.channels_last):
            return F.glu(x.permute(0, 2, 3, 1), 3).permute(0, 3, 1, 2)
        return F.glu(x, 1)


def gated(convolution: nn.Conv2d) -> list[nn.Module]:
    """A convolution to twice the width, batch norm, and the one half gated by the other."""
    return [convolution, BatchNorm2d(convolution.out_channels), ChannelGLU()]


@final
class UpBlock(nn.Sequential):
    """Nearest neighbours to twice the size, then a gated convolution."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(*gated(EnlargingConv2d(inputs, 2 * outputs)))


@final
class ResBlock(nn.Module):
    """Two convolutions, the first one gated, added to their input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *gated(convolution(channels, 2 * channels)), convolution(channels, channels), BatchNorm2d(channels)
        )

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """The same shape."""
        y: Tensor = x + self.body(x)
        return y


@final
class SentenceCode(nn.Module):
    """What a stage is told of the sentence: its vector, or a draw about it (Zhang et al. 2017, StackGAN, §3.2).

    Args:
        sentence_dim: length of a sentence's vector.
        augmentation: length of the draw; 0 for the vector itself.
    """

    def __init__(self, sentence_dim: int, augmentation: int) -> None:
        super().__init__()
        self.noise_dim = augmentation
        self.dim = augmentation or sentence_dim
        self.to_distribution = (
            nn.Sequential(nn.Linear(sentence_dim, 4 * augmentation), nn.GLU(1)) if augmentation else None
        )

    def forward(
        self, sentence: Float[Tensor, "b s"], noise: Float[Tensor, "b n"]
    ) -> tuple[Float[Tensor, "b d"], Distribution | None]:
        """The code that standard normal noise selects, and the distribution it stems from, in float32 at least."""
        if self.to_distribution is None:
            return sentence, None
        parameters: Tensor = self.to_distribution(sentence)
        parameters = parameters.to(torch.promote_types(parameters.dtype, torch.float32))
        mean, log_variance = parameters.chunk(2, 1)
        return mean + noise * (0.5 * log_variance).exp(), Distribution(mean, log_variance)


@final
class FirstStage(nn.Module):
    """Noise, and a sentence where it is told one, to features and image 1.

    Args:
        latent_dim: length of the noise vector.
        code: of the sentence; None for noise only.
        image_size: of image 1; the noise is projected to a map smaller by 2 to the power of `upsamplings`.
        upsamplings: each doubles the size and halves the width.
        channels: of the features.
        image_channels: of the image.
    """

    def __init__(
        self,
        *,
        latent_dim: int,
        code: SentenceCode | None,
        image_size: int,
        upsamplings: int,
        channels: int,
        image_channels: int,
    ) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        self.code = code
        self.noise_dim = latent_dim + (code.noise_dim if code else 0)
        width = [channels << n for n in range(upsamplings, -1, -1)]
        side = image_size >> upsamplings
        self.start = (2 * width[0], side, side)
        features = 2 * width[0] * side * side
        self.project = nn.Linear(latent_dim + (code.dim if code else 0), features, bias=False)
        self.project_norm = BatchNorm2d(features)  # of each position by itself
        self.blocks = nn.Sequential(*(UpBlock(wide, narrow) for wide, narrow in pairwise(width)))
        self.to_image = nn.Sequential(convolution(channels, image_channels), nn.Tanh())

    def forward(self, noise: Float[Tensor, "b n"], sentence: Float[Tensor, "b s"] | None = None) -> StageOutput:
        """Image 1; a sentence is needed where `code` is given, and not looked at otherwise."""
        latent, distribution = noise[:, : self.latent_dim], None
        if self.code is not None:
            assert sentence is not None
            code, distribution = self.code(sentence, noise[:, self.latent_dim :])
            latent = torch.cat([code, latent], 1)
        start: Tensor = self.project_norm(self.project(latent)[:, :, None, None])
        features = self.blocks(F.glu(start.view(-1, *self.start), 1))
        return StageOutput(self.to_image(features), features, None, distribution)


@final
class NextStage(nn.Module):
    """Features of the last stage and a text to features and image of twice the size.

    Args:
        text_dim: length of a word's vector, for a stage that reads words.
        code: of the sentence, for a stage that reads it instead; None for words.
        fusion: how text joins the features; a sentence joins as the only word.
        stage_input: what the stage takes from the one before: its features, or its image, read by a gated convolution
            and a residual block.
        residuals: residual blocks.
        inputs: channels of the last stage's features.
        channels: of its own features.
        image_channels: of the image.
    """

    def __init__(
        self,
        *,
        text_dim: int,
        code: SentenceCode | None,
        fusion: Fusion,
        stage_input: StageInput,
        residuals: int,
        inputs: int,
        channels: int,
        image_channels: int,
    ) -> None:
        super().__init__()
        self.code = code
        self.noise_dim = code.noise_dim if code else 0
        self.encoder = None
        if stage_input == "reencoded_image":
            self.encoder = nn.Sequential(*gated(convolution(image_channels, 2 * inputs)), ResBlock(inputs))
        self.fusion = fusion_layer(fusion, code.dim if code else text_dim, inputs)
        self.residuals = nn.Sequential(*(ResBlock(2 * inputs) for _ in range(residuals)))
        self.up = UpBlock(2 * inputs, channels)
        self.to_image = nn.Sequential(convolution(channels, image_channels), nn.Tanh())

    def forward(
        self,
        last: StageOutput,
        sentence: Float[Tensor, "b s"],
        words: Float[Tensor, "b t e"],
        mask: Bool[Tensor, "b t"],
        noise: Float[Tensor, "b n"],
    ) -> StageOutput:
        """The next image; of sentence and words, one is not looked at.

        Args:
            last: output of the stage before.
            sentence: a vector per caption.
            words: a vector per word, padded.
            mask: true for words, false for padding.
            noise: of the sentence's code.
        """
        features = last.features if self.encoder is None else self.encoder(last.image)
        if self.code is None:
            fused, attention = self.fusion(features, words, mask)
            distribution = None
        else:
            code, distribution = self.code(sentence, noise)
            fused, _ = self.fusion(features, code[:, None], mask.new_ones(len(mask), 1))
            attention = None
        features = self.up(self.residuals(fused))
        return StageOutput(self.to_image(features), features, attention, distribution)
