"""Super-resolution: an image at every scale, pixel and perceptual losses at all of them, a GAN at the last.

Reference: patent CN111369440A, [0095]–[0130]: L_G = L_c + λ·L_p + η·L_a. HSRGAN (Chen et al., WACV 2021) is near it;
the published recipe is ESRGAN's (Wang et al. 2018): L1 alone first, then everything. Departures: averages in place of
norms' sums, so that every scale counts equally; Adam in place of plain gradient descent unless `optim=sgd`.
"""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Literal, Unpack, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from freqgan.errors import UserError
from freqgan.limits import Count
from freqgan.losses import AdversarialLoss, PerceptualLoss, multiscale_l1
from freqgan.networks import SuperResolver
from freqgan.ops.noise import uniform_rows
from freqgan.ops.resample import resize
from freqgan.systems.base import System
from freqgan.systems.examples import Examples
from freqgan.systems.image_game import ImageGame
from freqgan.systems.measuring import measure_restored
from freqgan.systems.restoring import Restoring
from freqgan.systems.rules import Batch, Known, Outputs, Rules, Scores, Terms, Weights, ever_wanted


@final
class SuperResolution(System, Restoring):
    """A network that enlarges images, with the losses of its patent.

    A batch has `image`, and `image_low` if the data give it: otherwise it is the bicubic reduction of `image`.

    Args:
        generator: makes an image at each of its scales.
        loss: the adversarial pair.
        discriminator: makes the network that judges images of the last scale; called where a term or phase wants it.
        perceptual: the perceptual loss, for `terms.generator.perceptual`.
        supervision: of the images of all scales, or of the `last` one alone, and then no other is computed.
        image_size: side of the training images, and of the examples.
        channels: channels of the images.
        examples: validation images that are kept to be looked at.
        **rules: see `freqgan.systems.rules.Rules`.

    Raises:
        UserError: a term is wanted whose network or loss is missing, or sizes that do not fit.
    """

    JUDGES, VERB = ("restoration",), "upscale"
    TERMS: ClassVar[Known] = {
        "generator": ("pixel", "perceptual", "adversarial"),
        "discriminator": ("adversarial", "r1", "gradient_penalty"),
    }
    generator: SuperResolver
    examples: Examples

    def __init__(
        self,
        *,
        generator: SuperResolver,
        loss: AdversarialLoss,
        discriminator: Callable[[], nn.Module] | None = None,
        perceptual: PerceptualLoss | None = None,
        supervision: Literal["all", "last"] = "all",
        image_size: int,
        channels: int = 3,
        examples: Count = 16,
        **rules: Unpack[Rules],
    ) -> None:
        if image_size % generator.scale:
            near = max(image_size // generator.scale, 1) * generator.scale
            size = f"data.image_size={image_size} is not divisible by the model's scale {generator.scale}"
            raise UserError(f"{size}: set it to {near}")
        judged = ever_wanted(rules, "generator", "adversarial")
        for term, part in {"adversarial": discriminator, "perceptual": perceptual}.items():
            if part is None and ever_wanted(rules, "generator", term):
                raise UserError(f"model.terms.generator.{term} needs a network: set it to 0 or choose one")
        judge = discriminator() if judged and discriminator else None
        super().__init__(generator=generator, discriminator=judge, **rules)
        self.game = ImageGame(judge, loss) if judge is not None else None
        self.perceptual = perceptual
        self.supervision = supervision
        self.scales, self.scale, self.halo = generator.scales, generator.scale, generator.halo
        side = image_size // self.scale
        self.examples = Examples(
            examples, {"image": (channels, image_size, image_size), "image_low": (channels, side, side)}
        )

    def calibrate(self, data: Any) -> None:
        """Keeps examples."""
        self.examples.keep(map(self._paired, data.evaluation_pairs("val", limit=self.examples.count)))

    def synthesize(self, batch: Batch) -> Outputs:
        """The images and what they should be, by scale."""
        real, low = batch["image"], self.low_of(batch)
        images = self.generator(low) if self.supervision == "all" else {self.scale: self.generator.upscale(low)}
        height, width = low.shape[-2:]
        targets = {s: real if s == self.scale else resize(real, (s * height, s * width)) for s in images}
        return {"image": images[self.scale], "images": images, "targets": targets}

    def low_of(self, batch: Batch) -> Float[Tensor, "b c h w"]:
        """What the images are to be made of."""
        real: Tensor = batch["image"]
        size = (real.shape[-2] // self.scale, real.shape[-1] // self.scale)
        low: Tensor = batch["image_low"] if "image_low" in batch else resize(real, size)
        if low.shape[-2:] != size:
            got, wanted = f"made for a factor of {real.shape[-1] / low.shape[-1]:g}", self.scale
            raise UserError(f"the data are {got}, the model for {wanted}: set data.scale={wanted}")
        return low

    def generator_terms(self, batch: Batch, outputs: Outputs) -> Terms:
        """L1 and perceptual distance over all scales, the adversarial loss of the last one."""
        terms: Terms = {}
        images, targets = outputs["images"], outputs["targets"]
        if self.wants("generator", "pixel"):
            terms["pixel"] = multiscale_l1(images, targets)
        if self.perceptual is not None and self.wants("generator", "perceptual"):
            terms["perceptual"] = torch.stack([self.perceptual(images[s], targets[s]) for s in images]).sum()
        if self.game is not None and self.wants("generator", "adversarial"):
            terms["adversarial"] = self.game.generator_term(batch["image"], outputs["image"])
        return terms

    def discriminator_terms(self, batch: Batch, outputs: Outputs) -> Terms:
        """The adversarial loss of the last scale, and the penalties that are due."""
        assert self.game is not None
        wants, mix = partial(self.wants, "discriminator"), partial(self.draw, "mix", uniform_rows)
        terms, notes = self.game.discriminator_terms(batch["image"], outputs["image"], wants=wants, mix=mix)
        self.notes |= notes
        return terms

    def restore(self, low: Float[Tensor, "b c h w"], *, weights: Weights = "ema") -> Float[Tensor, "b c H W"]:
        """The enlarged images, in [-1, 1]; nothing is computed for earlier scales alone."""
        with self.kept_generator(weights):
            image: Tensor = self.generator.upscale(low.to(self.device)).float()
        return image.clamp(-1, 1)

    def aim(self, wishes: Mapping[str, str]) -> None:
        """Refuses every wish: results follow from what they are made of."""
        if wishes:
            raise UserError(f"{next(iter(wishes))} is for models that draw images: use `freqgan upscale` on pictures")

    def sample(self, first: int, count: int, *, seed: int, weights: Weights = "ema") -> Tensor:
        """Results for examples first … first + count, see `freqgan.systems.examples`."""
        return self.restore(self.examples.batch(first, count)["image_low"], weights=weights)

    def pictures(self, count: int, *, seed: int) -> dict[str, Tensor]:
        """Results for the examples, and beside each other bicubic enlargements, results and originals."""
        batch = self.examples.batch(0, min(count, len(self.examples)))
        result = self.restore(batch["image_low"])
        bicubic = resize(batch["image_low"], self.scale)
        return {"images": result, "input_result_target": torch.cat([bicubic, result, batch["image"]], -1)}

    def sample_ids(self, count: int, *, seed: int) -> list[str]:
        """Names of the examples."""
        return self.examples.ids(count)

    def measure(self, protocol: Any, data: Any, *, split: str, seed: int, weights: Weights, cache_dir: Path) -> Scores:
        """Runs a protocol of `freqgan.metrics` on the pairs of a split."""
        restore = partial(self.restore, weights=weights)
        return measure_restored(
            restore, lambda: map(self._paired, data.evaluation_pairs(split)), protocol, data, split, cache_dir
        )

    def _paired(self, sample: Batch) -> Batch:
        """A sample whose image has whole multiples of the scale for sides, with what it is to be made of."""
        height, width = (side // self.scale * self.scale for side in sample["image"].shape[-2:])
        sample = sample | {"image": sample["image"][..., :height, :width]}
        return sample | {"image_low": self.low_of(sample)}

    def describe(self) -> list[dict[str, str | int]]:
        """A row per network."""
        makes = {"generator": " ".join(f"{s}x" for s in self.scales), "discriminator": "logits"}
        return [
            {"network": player, "makes": makes[player], "parameters": sum(w.numel() for w in network.parameters())}
            for player, network in self.players().items()
        ]
