"""Translation learnt from pairs: the encoder–decoder with its squared error, and pix2pix.

References: the source article's base model, whose loss is ½ Σ (G(x) − y)² and nothing else; pix2pix (Isola et al. 2017,
eqs. 1–4), which adds a discriminator of patches and has |G(x) − y| for the distance. Departure: sums of the base model
are per image, and the mean over the batch is taken, so that its loss does not depend on the size of the batch.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, ClassVar, Unpack, final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from freqgan.errors import UserError
from freqgan.limits import Count
from freqgan.losses import AdversarialLoss, half_squared_error
from freqgan.networks import Translator
from freqgan.ops.noise import uniform_rows
from freqgan.systems.image_game import ImageGame
from freqgan.systems.rules import Batch, Known, Outputs, Rules, Terms, ever_wanted
from freqgan.systems.translating import Direction, sides
from freqgan.systems.translation import Translation


@final
class PairedTranslation(Translation):
    """One network that learns from pairs, with a discriminator or without.

    Args:
        generator: makes the network.
        loss: the adversarial pair.
        discriminator: makes the network that judges, given `in_channels`; called where a term or phase wants it.
        conditional: whether it judges a result together with what it is made of (eq. 1), or alone (eq. 2).
        direction: what is translated into what.
        image_size: side of the training images, or height and width.
        channels: channels of the images.
        examples: validation pairs that are kept to be looked at.
        **rules: see `freqgan.systems.rules.Rules`.

    Raises:
        UserError: an adversarial term is wanted, and there is no discriminator.
    """

    DRAWS = "paired"
    TERMS: ClassVar[Known] = {
        "generator": ("l1", "l2", "adversarial"),
        "discriminator": ("adversarial", "r1", "gradient_penalty"),
    }
    generator: Translator

    def __init__(
        self,
        *,
        generator: Callable[[], Translator],
        loss: AdversarialLoss,
        discriminator: Callable[..., nn.Module] | None = None,
        conditional: bool = True,
        direction: Direction = "ab",
        image_size: int | Sequence[int],
        channels: int = 3,
        examples: Count = 16,
        **rules: Unpack[Rules],
    ) -> None:
        judged = ever_wanted(rules, "generator", "adversarial")
        if judged and discriminator is None:
            raise UserError("model.terms.generator.adversarial needs model.discriminator: set it to 0 or choose one")
        judge = discriminator(in_channels=(1 + conditional) * channels) if judged and discriminator else None
        super().__init__(
            generator=generator(),
            discriminator=judge,
            directions=(direction,),
            image_size=image_size,
            channels=channels,
            examples=examples,
            **rules,
        )
        self.conditional = conditional
        self.game = ImageGame(judge, loss) if judge is not None else None

    def network(self, direction: Direction) -> Translator:
        """The one network."""
        return self.generator

    def parts(self) -> Iterator[tuple[str, str, nn.Module]]:
        """Both players."""
        yield "generator", " to ".join(self.directions[0]), self.generator
        if self.discriminator is not None:
            yield "discriminator", "logits", self.discriminator

    def validation(self, data: Any, count: int) -> Iterable[Batch]:
        """Pairs."""
        pairs: Iterable[Batch] = data.evaluation_pairs("val", limit=count)
        return pairs

    def synthesize(self, batch: Batch) -> Outputs:
        """The result, what it is made of, and what it should be."""
        source, target = sides(batch, self.directions[0])
        return {"image": self.generator(source), "source": source, "target": target}

    def generator_terms(self, batch: Batch, outputs: Outputs) -> Terms:
        """Distances to the target, and the adversarial loss."""
        image, target = outputs["image"], outputs["target"]
        terms: Terms = {}
        if self.wants("generator", "l1"):
            terms["l1"] = F.l1_loss(image, target)
        if self.wants("generator", "l2"):
            terms["l2"] = half_squared_error(image, target)
        if self.game is not None and self.wants("generator", "adversarial"):
            terms["adversarial"] = self.game.generator_term(target, image, given=self._given(outputs))
        return terms

    def discriminator_terms(self, batch: Batch, outputs: Outputs) -> Terms:
        """The adversarial loss, and the penalties that are due."""
        assert self.game is not None
        wants, mix = partial(self.wants, "discriminator"), partial(self.draw, "mix", uniform_rows)
        real, fake, given = outputs["target"], outputs["image"], self._given(outputs)
        terms, notes = self.game.discriminator_terms(real, fake, given=given, wants=wants, mix=mix)
        self.notes |= notes
        return terms

    def _given(self, outputs: Outputs) -> Tensor | None:
        """What the discriminator sees beside a target or a result."""
        return outputs["source"] if self.conditional else None

    def strips(self, batch: Batch, *, seed: int) -> dict[str, Tensor]:
        """Input, result and target."""
        source, target = sides(batch, self.directions[0])
        return {"input_result_target": torch.cat((source, self.translate(source, seed=seed), target), -1)}
