"""Three-stage text-conditioned GAN: language enters stage by stage, and each discriminator has one task.

Reference: patent CN113781598B, claims 1–9; AttnGAN (Xu et al. 2018) and DM-GAN (Zhu et al. 2019) are near it, and
AttnGAN's arrangement, whose stages all know the sentence and whose discriminators judge realism and match at once, is
another setting of the same system. What the source leaves open is a setting each.
"""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Literal, Unpack, final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from freqgan.limits import Count, Natural
from freqgan.losses import AdversarialLoss, kl_divergence
from freqgan.networks import TextGenerator
from freqgan.ops.keyed_random import torch_generator
from freqgan.ops.noise import normal_rows, uniform_rows
from freqgan.systems.base import System
from freqgan.systems.frozen_pair import FrozenPair
from freqgan.systems.prompts import Imagined, Prompts
from freqgan.systems.rules import Batch, Known, Outputs, Rules, Scores, Terms, Weights
from freqgan.systems.text_game import Mismatched, TextGame
from freqgan.systems.text_measuring import measure_imagined
from freqgan.systems.text_tasks import STAGES, Task, described, real_images, text_judges, vectors
from freqgan.text import EncoderPair


@final
class StagedTextGAN(System):
    """Captions to images in three stages, each twice the size of the last, by the losses of the patent.

    A batch has `image`, `caption`, one per image, and `class` where the data know one: captions of one class or of the
    same words are no wrong ones of each other's images.

    Args:
        generator: makes the network from noise to image 3 (`freqgan.networks.TextGenerator`).
        discriminator: makes a stage's discriminator (`freqgan.networks.StageDiscriminator`).
        encoders: of captions and images, as `encoders_run` has trained them.
        encoders_run: see `freqgan.systems.frozen_pair.FrozenPair`.
        loss: the adversarial pair, the same for every stage; `bce` is the source's.
        d1, d2, d3: what the discriminator of each stage judges.
        mismatched: wrong captions that discriminators see real images with: those of `others`, or `altered` ones.
        altered: how many wrong captions are made of each by replacing a word.
        gradients: `per_stage`: a stage's losses train that stage alone; `joint`: those before it too.
        image_size: height and width of image 3.
        channels: of the images.
        captions: of the validation split that are kept, one per image, for samples to be made of.
        **rules: see `freqgan.systems.rules.Rules`.

    Raises:
        UserError: a discriminator without a task, sizes that do not fit, or no altered captions that it is to see.
    """

    TERMS: ClassVar[Known] = {
        "generator": ("adversarial", "sentence_2", "sentence_3", "words_3", "divergence"),
        "discriminator": ("adversarial", "r1", "gradient_penalty"),
    }
    JUDGES, FOR_USE = ("text_to_image", "generation"), ("encoders", "prompts")
    generator: TextGenerator

    def __init__(
        self,
        *,
        generator: Callable[..., TextGenerator],
        discriminator: Callable[..., nn.Module],
        encoders: EncoderPair,
        encoders_run: str | None = None,
        loss: AdversarialLoss,
        d1: Task,
        d2: Task,
        d3: Task,
        mismatched: Mismatched = "none",
        altered: Natural = 0,
        gradients: Literal["per_stage", "joint"] = "per_stage",
        image_size: int,
        channels: int = 3,
        captions: Count = 1024,
        **rules: Unpack[Rules],
    ) -> None:
        dims = {"sentence_dim": encoders.dim, "word_dim": encoders.word_dim}
        network = generator(**dims, image_size=image_size, image_channels=channels)
        tasks = dict(zip(STAGES, (d1, d2, d3), strict=True))
        judges = text_judges(partial(discriminator, in_channels=channels), tasks, network, dims)
        super().__init__(generator=network, discriminator=judges, **rules)
        self.game = TextGame(judges, tasks, loss, mismatched=mismatched, altered=altered)
        self.encoders = FrozenPair(encoders, encoders_run, altered)
        self.prompts = Prompts(captions)
        self.per_stage = gradients == "per_stage"
        self._noise = partial(normal_rows, dim=network.noise_dim)

    def setup(self, stage: str) -> None:
        """A frozen text encoder reads the captions of the data once."""
        self.encoders.keep(self.trainer.datamodule)  # type: ignore[attr-defined]

    def calibrate(self, data: Any) -> None:
        """Reads the encoders' weights, and keeps captions."""
        self.encoders.take()
        self.prompts.keep(data.captions("val") or data.captions("train"))

    def synthesize(self, batch: Batch) -> Outputs:
        """The images of every stage, those that they stand against, and what is said of them."""
        said = self.encoders.read(batch, self.draw)
        made = self.generator(self.draw("noise", self._noise), **vectors(said.text), detach=self.per_stage)
        stages = dict(zip(STAGES, made, strict=True))
        return {
            "image": made[-1].image,
            "images": {stage: output.image for stage, output in stages.items()},
            "real": real_images(batch["image"], self.generator.image_sizes),
            "distributions": {stage: output.distribution for stage, output in stages.items()},
            "said": said,
            "conditions": self.game.conditions(said.text),
        }

    def generator_terms(self, batch: Batch, outputs: Outputs) -> Terms:
        """The adversarial loss of every stage, how badly images fit their captions, and the codes' divergence."""
        terms, images = Terms(), outputs["images"]
        if self.wants("generator", "adversarial"):
            terms |= self.game.generator_terms(outputs["real"], images, outputs["conditions"])
        for number, stage in enumerate(STAGES, 1):
            kinds = [kind for kind in ("sentence", "words") if self.wants("generator", f"{kind}_{number}")]
            if kinds:
                found = self.encoders.matching(images[stage], outputs["said"], kinds)
                terms |= {f"{kind}_{number}": value for kind, value in found.items()}
            distribution = outputs["distributions"][stage]
            if distribution is not None and self.wants("generator", "divergence"):
                terms[f"{stage}/divergence"] = kl_divergence(*distribution)
        return terms

    def discriminator_terms(self, batch: Batch, outputs: Outputs) -> Terms:
        """The adversarial loss of every stage, and the penalties that are due."""
        terms, (real, fake, conditions) = Terms(), (outputs[name] for name in ("real", "images", "conditions"))
        if self.wants("discriminator", "adversarial"):
            wrong = self.game.wrong(outputs["said"], conditions)
            terms, notes = self.game.discriminator_terms(real, fake, conditions, wrong)
            self.notes |= notes
        if self.wants("discriminator", "r1"):
            terms |= self.game.r1_terms(real, conditions)
        if self.game.loss.gradient_penalty and self.wants("discriminator", "gradient_penalty"):
            mix = {stage: self.draw(f"mix {stage}", uniform_rows) for stage in STAGES}
            terms |= self.game.gradient_penalty_terms(real, fake, conditions, mix)
        return terms

    def aim(self, wishes: Mapping[str, str]) -> None:
        """See `freqgan.systems.prompts.Prompts.aim`."""
        self.prompts.aim(wishes)

    def imagine(self, first: int, count: int, *, seed: int, weights: Weights = "ema") -> Imagined:
        """Samples first … first + count of every stage, each a function of its caption and of (seed, number)."""
        text = self.encoders.pair.encode_text(captions := self.prompts.of_samples(first, count))
        keys = (torch_generator(seed, "sample", number) for number in range(first, first + count))
        noise = torch.cat([self._noise(generator, 1) for generator in keys]).to(self.device)
        with self.kept_generator(weights) as network:
            return Imagined(captions, text, network(noise, **vectors(text)))

    def sample(self, first: int, count: int, *, seed: int, weights: Weights = "ema") -> Tensor:
        """Images 3 in [-1, 1] of samples first … first + count."""
        return self.imagine(first, count, seed=seed, weights=weights).stages[-1].image.float()

    def pictures(self, count: int, *, seed: int) -> dict[str, Tensor]:
        """Images 3, and for each caption what all stages make of it beside each other."""
        images = [output.image.float() for output in self.imagine(0, count, seed=seed).stages]
        size = images[-1].shape[-2:]
        return {"images": images[-1], "stages": torch.cat([F.interpolate(image, size) for image in images], -1)}

    def sample_ids(self, count: int, *, seed: int) -> list[str]:
        """The caption of each sample, and the seed and number of its noise."""
        return self.prompts.ids(count, seed=seed)

    def measure(self, protocol: Any, data: Any, *, split: str, seed: int, weights: Weights, cache_dir: Path) -> Scores:
        """Runs a protocol of `freqgan.metrics` on samples 0 … n."""
        imagine = partial(self.imagine, seed=seed, weights=weights)
        return measure_imagined(imagine, self.encoders.pair, protocol, data, split, cache_dir)

    def describe(self) -> list[dict[str, str | int]]:
        """A row per stage."""
        return list(described(self.generator, self.game.judges, self.game.tasks))
