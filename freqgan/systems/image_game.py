"""The game of one discriminator over whole images, alone or each beside what it is made of."""

from collections.abc import Callable
from functools import partial
from typing import final

import torch
from torch import Tensor

from freqgan.losses import AdversarialLoss, interpolation_penalties, r1_penalties
from freqgan.systems.rules import Terms


@final
class ImageGame:
    """What a discriminator makes of generated and of real images (b, c, h, w).

    Penalties are on its gradient with respect to the image alone: what the image is made of is a condition.

    Args:
        judge: images, behind the channels of what they are made of, if that is given, to logits.
        loss: the adversarial pair.
    """

    def __init__(self, judge: Callable[[Tensor], Tensor], loss: AdversarialLoss) -> None:
        self.judge = judge
        self.loss = loss

    def generator_term(self, real: Tensor, fake: Tensor, *, given: Tensor | None = None) -> Tensor:
        """The generator's adversarial loss; real images are judged only where it looks at them."""
        with torch.no_grad():
            logits = self.logits(given, real) if self.loss.relative else None
        return self.loss.generator(self.logits(given, fake), logits)

    def discriminator_terms(
        self,
        real: Tensor,
        fake: Tensor,
        *,
        given: Tensor | None = None,
        wants: Callable[[str], bool],
        mix: Callable[[], Tensor],
    ) -> tuple[Terms, Terms]:
        """The discriminator's terms, and its accuracy to be noted.

        Args:
            real: images.
            fake: generated images, detached.
            given: what both are made of, (b, k, h, w); None where images are judged alone.
            wants: whether a term is due.
            mix: draws a number in [0, 1) per sample, the places between real and fake.
        """
        terms, notes = Terms(), Terms()
        if wants("adversarial"):
            of_real, of_fake = self.logits(given, real), self.logits(given, fake)
            terms["adversarial"] = self.loss.discriminator(of_real, of_fake)
            notes["discriminator/accuracy"] = self.loss.accuracy(of_real, of_fake)
        critic = partial(self._named, given)
        if wants("r1"):
            terms["r1"] = r1_penalties(critic, {"image": real})["image"]
        if self.loss.gradient_penalty and wants("gradient_penalty"):
            penalties = interpolation_penalties(critic, {"image": real}, {"image": fake}, {"image": mix()})
            terms["gradient_penalty"] = self.loss.gradient_penalty * penalties["image"]
        return terms, notes

    def logits(self, given: Tensor | None, image: Tensor) -> Tensor:
        """What it makes of images, beside what they are made of."""
        return self.judge(beside(given, image))

    def _named(self, given: Tensor | None, images: dict[str, Tensor]) -> dict[str, Tensor]:
        return {name: self.logits(given, image) for name, image in images.items()}


def beside(given: Tensor | None, image: Tensor) -> Tensor:
    """Images behind the channels of what they are made of; alone if that is None."""
    return image if given is None else torch.cat((given, image), 1)
