"""The adversarial terms of all bands, and the penalties of their discriminators."""

from collections.abc import Callable, Collection, Mapping
from typing import final

import torch
from torch import Tensor

from freqgan.losses import AdversarialLoss, interpolation_penalties, r1_gamma, r1_penalties
from freqgan.networks import BandDiscriminators
from freqgan.systems.rules import Outputs, Terms


@final
class BandGame:
    """What the discriminators make of generated and of real bands.

    Args:
        judges: the discriminators.
        loss: the adversarial pair, the same for every band.
        scaled_r1: whether R1 is multiplied by `freqgan.losses.r1_gamma`.
    """

    def __init__(self, judges: BandDiscriminators, loss: AdversarialLoss, *, scaled_r1: bool) -> None:
        self.judges = judges
        self.loss = loss
        self.scaled_r1 = scaled_r1

    def inputs(self, outputs: Outputs, side: str, resting: Collection[str]) -> dict[str, Tensor]:
        """What is judged of the `real` or the `fake` side, by GAN."""
        inputs = self.judges.inputs_of(outputs[side])
        if self.judges.of_image is not None:
            inputs[self.judges.WHOLE] = outputs["real_image" if side == "real" else "image"]
        return {name: image for name, image in inputs.items() if name not in resting}

    def logits(self, outputs: Outputs, side: str, resting: Collection[str]) -> dict[str, Tensor]:
        """Logits of the `real` or the `fake` side, by GAN that does not rest."""
        contexts = self.judges.contexts_of(outputs["seen" if side == "fake" else "real"])
        inputs = self.inputs(outputs, side, resting)
        logits: dict[str, Tensor] = self.judges(inputs, contexts, features=outputs[f"{side}_features"])
        return logits

    def generator_terms(self, outputs: Outputs, resting: Collection[str]) -> Terms:
        """The adversarial loss of every GAN that does not rest."""
        logits = self.logits(outputs, "fake", resting)
        with torch.no_grad():  # constants of the loss
            real = self.logits(outputs, "real", resting) if self.loss.relative else {}
        return {f"{name}/adversarial": self.loss.generator(value, real.get(name)) for name, value in logits.items()}

    def discriminator_terms(self, real: Mapping[str, Tensor], fake: Mapping[str, Tensor]) -> Terms:
        """The adversarial loss of every GAN whose logits are given."""
        return {f"{name}/adversarial": self.loss.discriminator(real[name], fake[name]) for name in real}

    def r1_terms(self, outputs: Outputs, resting: Collection[str], batch: int) -> Terms:
        """R1 of every GAN that does not rest.

        Args:
            outputs: of the step.
            resting: GANs that do not train now.
            batch: size of the global batch.
        """
        contexts = self.judges.contexts_of(outputs["real"])
        inputs = self.inputs(outputs, "real", resting)
        features = outputs["real_features"]
        penalties = r1_penalties(lambda x: self.judges(x, contexts, features=features), inputs)
        scales = {name: r1_gamma(*x.shape[-2:], batch=batch) if self.scaled_r1 else 1.0 for name, x in inputs.items()}
        return {f"{name}/r1": value * scales[name] for name, value in penalties.items()}

    def gradient_penalty_terms(self, outputs: Outputs, resting: Collection[str], mix: Callable[[str], Tensor]) -> Terms:
        """The penalty between real and generated bands of every GAN that does not rest, in the real bands' context.

        Args:
            outputs: of the step.
            resting: GANs that do not train now.
            mix: draws numbers in [0, 1), (b,), for a purpose.
        """
        contexts = self.judges.contexts_of(outputs["real"])
        real, fake = (self.inputs(outputs, side, resting) for side in ("real", "fake"))
        features = outputs["real_features"]
        places = {name: mix(f"mix {name}") for name in real}
        penalties = interpolation_penalties(lambda x: self.judges(x, contexts, features=features), real, fake, places)
        return {f"{name}/gradient_penalty": self.loss.gradient_penalty * value for name, value in penalties.items()}
