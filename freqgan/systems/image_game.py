"""The game of one discriminator over whole images."""

from collections.abc import Callable
from typing import final

import torch
from torch import Tensor

from freqgan.losses import AdversarialLoss, interpolation_penalties, r1_penalties
from freqgan.systems.rules import Terms


@final
class ImageGame:
    """What a discriminator makes of generated and of real images (b, c, h, w).

    Args:
        judge: images to logits.
        loss: the adversarial pair.
    """

    def __init__(self, judge: Callable[[Tensor], Tensor], loss: AdversarialLoss) -> None:
        self.judge = judge
        self.loss = loss

    def generator_term(self, real: Tensor, fake: Tensor) -> Tensor:
        """The generator's adversarial loss; real images are judged only where it looks at them."""
        with torch.no_grad():
            logits = self.judge(real) if self.loss.relative else None
        return self.loss.generator(self.judge(fake), logits)

    def discriminator_terms(
        self, real: Tensor, fake: Tensor, *, wants: Callable[[str], bool], mix: Callable[[], Tensor]
    ) -> tuple[Terms, Terms]:
        """The discriminator's terms, and its accuracy to be noted.

        Args:
            real: images.
            fake: generated images, detached.
            wants: whether a term is due.
            mix: draws a number in [0, 1) per sample, the places between real and fake.
        """
        terms, notes = Terms(), Terms()
        if wants("adversarial"):
            of_real, of_fake = self.judge(real), self.judge(fake)
            terms["adversarial"] = self.loss.discriminator(of_real, of_fake)
            notes["discriminator/accuracy"] = self.loss.accuracy(of_real, of_fake)
        if wants("r1"):
            terms["r1"] = r1_penalties(self._named, {"image": real})["image"]
        if self.loss.gradient_penalty and wants("gradient_penalty"):
            penalties = interpolation_penalties(self._named, {"image": real}, {"image": fake}, {"image": mix()})
            terms["gradient_penalty"] = self.loss.gradient_penalty * penalties["image"]
        return terms, notes

    def _named(self, images: dict[str, Tensor]) -> dict[str, Tensor]:
        return {name: self.judge(image) for name, image in images.items()}
