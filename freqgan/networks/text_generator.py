"""The generator of the three-stage text-conditioned GAN (patent CN113781598B, [0061]-[0111]), from noise to image 3.

Where the patent departs from AttnGAN (Xu et al. 2018), so do the defaults: stage 1 sees noise only and upsamples three
times, stage 2 fuses the sentence, stage 3 the words. `conditions=[sentence, words, words]` with four upsamplings and an
augmentation of 100 is AttnGAN's generator; with `fusion=dynamic_memory` and 64 channels as well, DM-GAN's.
"""

from collections.abc import Sequence
from typing import Literal, final

from jaxtyping import Bool, Float
from torch import Tensor, nn

from freqgan.errors import UserError
from freqgan.limits import Count, Natural
from freqgan.networks.text_fusion import Fusion
from freqgan.networks.text_stages import FirstStage, NextStage, SentenceCode, StageInput, StageOutput, initialize

Condition = Literal["none", "sentence", "words"]
POSSIBLE: tuple[tuple[Condition, ...], ...] = (("none", "sentence"), ("sentence", "words"), ("sentence", "words"))


@final
class TextGenerator(nn.Module):
    """Noise and an encoded caption to three images, each twice the size of the last.

    A stage's parameters, its image head included, are those of `stage1`, `stage2` and `stage3`.

    Args:
        sentence_dim: length of a sentence's vector.
        word_dim: length of a word's vector.
        image_size: of image 3.
        image_channels: of the images.
        latent_dim: length of the first stage's own noise.
        upsamplings: of the first stage.
        channels: of each stage's features, or of all.
        residuals: residual blocks of stages 2 and 3.
        conditions: what each stage reads of the caption.
        fusion: how stages 2 and 3 join it to the features.
        stage_input: what they take from the stage before.
        augmentation: length of the code that each stage which reads the sentence draws about it; 0 for none.

    Raises:
        UserError: sizes do not halve, or a stage cannot read what it is told to.
    """

    def __init__(
        self,
        *,
        sentence_dim: Count,
        word_dim: Count,
        image_size: int = 256,
        image_channels: Count = 3,
        latent_dim: Count = 100,
        upsamplings: Natural = 3,
        channels: Count | Sequence[Count] = 32,
        residuals: Natural = 2,
        conditions: Sequence[Condition] = ("none", "sentence", "words"),
        fusion: Fusion = "attention",
        stage_input: StageInput = "hidden_features",
        augmentation: Natural = 0,
    ) -> None:
        super().__init__()
        width = (channels,) * 3 if isinstance(channels, int) else tuple(channels)
        if lines := _problems(image_size, upsamplings, width, conditions):
            raise UserError(*lines)
        codes = [SentenceCode(sentence_dim, augmentation) if reads == "sentence" else None for reads in conditions]
        self.image_sizes = (image_size // 4, image_size // 2, image_size)
        self.stage1 = FirstStage(
            latent_dim=latent_dim,
            code=codes[0],
            image_size=self.image_sizes[0],
            upsamplings=upsamplings,
            channels=width[0],
            image_channels=image_channels,
        )
        self.stage2, self.stage3 = (
            NextStage(
                text_dim=word_dim,
                code=codes[number],
                fusion=fusion,
                stage_input=stage_input,
                residuals=residuals,
                inputs=width[number - 1],
                channels=width[number],
                image_channels=image_channels,
            )
            for number in (1, 2)
        )
        self.noise_dims = (self.stage1.noise_dim, self.stage2.noise_dim, self.stage3.noise_dim)
        self.noise_dim = sum(self.noise_dims)
        self.apply(initialize)

    def forward(
        self,
        noise: Float[Tensor, "b n"],
        *,
        sentence: Float[Tensor, "b s"],
        words: Float[Tensor, "b t e"],
        mask: Bool[Tensor, "b t"],
        detach: bool = False,
    ) -> tuple[StageOutput, StageOutput, StageOutput]:
        """What each stage makes of a caption.

        Args:
            noise: standard normal, of length `noise_dim`.
            sentence: a vector per caption.
            words: a vector per word, padded.
            mask: true for words, false for padding.
            detach: whether a stage's gradient ends at its input, so that each stage's loss trains that stage alone.
        """
        own = noise.split(self.noise_dims, 1)
        first = self.stage1(own[0], sentence)
        second = self.stage2(_cut(first) if detach else first, sentence, words, mask, own[1])
        third = self.stage3(_cut(second) if detach else second, sentence, words, mask, own[2])
        return first, second, third


def _cut(output: StageOutput) -> StageOutput:
    return output._replace(image=output.image.detach(), features=output.features.detach())


def _problems(image_size: int, upsamplings: int, width: Sequence[int], conditions: Sequence[str]) -> list[str]:
    """A line for each setting that no generator can be built from."""
    lines = []
    step = 2 ** (max(0, upsamplings) + 2)
    if upsamplings < 0 or image_size < step or image_size % step:
        nearest = max(step, round(image_size / step) * step)
        lines.append(
            f"model.generator.upsamplings={upsamplings} in stage 1 and one in each of the next make sides that are "
            f"multiples of {step}, got {image_size}: set data.image_size={nearest} or fewer upsamplings"
        )
    if len(width) != 3 or min(width) < 1:
        lines.append(f"model.generator.channels={list(width)} must be one width, or one for each of the three stages")
    if len(conditions) != 3 or any(own not in possible for own, possible in zip(conditions, POSSIBLE, strict=False)):
        lines.append(
            f"model.generator.conditions={list(conditions)} must say what each stage reads: none or sentence, "
            "sentence or words, sentence or words"
        )
    return lines
