"""The game of discriminators at several scales, each by itself, and what their layers make of real images."""

from collections.abc import Callable
from functools import partial
from typing import Literal, final

import torch
from torch import Tensor, nn

from freqgan.losses import AdversarialLoss, feature_matching
from freqgan.networks import MultiScaleDiscriminator
from freqgan.systems.image_game import ImageGame, beside
from freqgan.systems.rules import Terms

Layers = Literal["but_last", "all"]


@final
class MultiScaleGame:
    """What discriminators at several scales make of generated and of real images (b, c, h, w).

    Terms and accuracies are named by the scale: `scale1`, `scale2` for half of height and width, `scale4`. Penalties
    are on gradients with respect to the image of each scale alone, not to what it is made of.

    Args:
        judges: images, behind the channels of what they are made of, if that is given, to the outputs of all layers.
        loss: the adversarial pair, of each scale.
        layers: that features are matched in.
    """

    def __init__(self, judges: MultiScaleDiscriminator, loss: AdversarialLoss, *, layers: Layers) -> None:
        self.judges, self.loss, self.layers = judges, loss, layers
        self.games = {f"scale{2**n}": ImageGame(partial(_logits, judge), loss) for n, judge in enumerate(judges.scales)}

    def generator_terms(
        self, real: Tensor, fake: Tensor, *, given: Tensor | None = None, wants: Callable[[str], bool]
    ) -> Terms:
        """The adversarial loss at each scale, and the distance of the features, from one pass of the fake images."""
        plays, matches = wants("adversarial"), wants("feature_matching")
        if not plays and not matches:
            return {}
        terms, of_fake = Terms(), self.judges(beside(given, fake))
        with torch.no_grad():
            of_real = self.judges(beside(given, real)) if matches or self.loss.relative else []
        for number, name in enumerate(self.games if plays else ()):
            logits = of_real[number][-1] if self.loss.relative else None
            terms[f"{name}/adversarial"] = self.loss.generator(of_fake[number][-1], logits)
        if matches:
            terms["feature_matching"] = feature_matching(of_fake, of_real, layers=self.layers)
        return terms

    def discriminator_terms(
        self,
        real: Tensor,
        fake: Tensor,
        *,
        given: Tensor | None = None,
        wants: Callable[[str], bool],
        mix: Callable[[], Tensor],
    ) -> tuple[Terms, Terms]:
        """The terms of each scale, and its accuracy to be noted; arguments as those of `ImageGame`."""
        found, noted = Terms(), Terms()
        conditions = [None] * len(self.games) if given is None else self.judges.inputs(given)
        scales = zip(self.judges.inputs(real), self.judges.inputs(fake), conditions, strict=True)
        for (name, game), (of_real, of_fake, condition) in zip(self.games.items(), scales, strict=True):
            terms, notes = game.discriminator_terms(of_real, of_fake, given=condition, wants=wants, mix=mix)
            found |= {f"{name}/{term}": value for term, value in terms.items()}
            noted |= {note.replace("/", f"/{name}/"): value for note, value in notes.items()}
        return found, noted


def _logits(judge: nn.Module, image: Tensor) -> Tensor:
    logits: Tensor = judge(image)[-1]
    return logits
