"""Label maps to images by pix2pixHD: coarse to fine, judged at several scales, with features that are matched.

Reference: Wang et al., "High-Resolution Image Synthesis and Semantic Manipulation with Conditional GANs", 2018. The
source article holds that no perceptual loss is needed; it is not computed unless it has a weight. L1 is pix2pix's, for
the baseline. Departures: both players learn from one pass of the generator; the discriminators look at real images
again in the generator's turn, behind their own update; the learning rate falls once over the whole budget, where the
published code lets it fall in each phase of training (a phase's own `optim.schedule` does).
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, ClassVar, Unpack, final

import torch
import torch.nn.functional as F
from torch import nn

from freqgan.errors import UserError
from freqgan.limits import Count, Natural
from freqgan.losses import AdversarialLoss, PerceptualLoss
from freqgan.networks import CoarseToFine, InstanceEncoder, MultiScaleDiscriminator
from freqgan.ops.noise import uniform_rows
from freqgan.ops.pyramid import pyramid
from freqgan.systems.label_inputs import Kind, LabelInputs
from freqgan.systems.label_synthesis import LabelSynthesis
from freqgan.systems.multi_scale_game import Layers, MultiScaleGame
from freqgan.systems.rules import Batch, Known, Outputs, Rules, Terms, ever_wanted

OF_DISCRIMINATORS = ("adversarial", "feature_matching")


@final
class LabelToImage(LabelSynthesis):
    """A generator of images, and discriminators that see what an image is made of.

    A phase in which outer enhancers rest (`frozen: [generator.enhancers]`, or `generator.enhancers.1`) is about the net
    inside them: that alone is computed, at its own size. Results are enlarged until the enhancers have been trained.

    Args:
        generator: makes the network, given `in_channels`, `out_channels` and `encoder`.
        loss: the adversarial pair, of each scale.
        discriminator: makes the networks that judge, given `in_channels`; called where a term or a phase wants them.
        perceptual: the perceptual loss, for `terms.generator.perceptual`.
        encoder: makes the network that reads off an image how its instances look, given `in_channels`, `num_classes`,
            `features` and `clusters`; called where there are features.
        features: numbers for each instance, so that a label map has several results; 0 for one result.
        clusters: looks that are kept of each class, at most.
        feature_matching: in all layers, or in all but the logits.
        inputs: what stands beside the classes, see `LabelInputs`.
        max_instances: see `LabelInputs`.
        things: see `LabelInputs`.
        num_classes: of the label maps; None for images in place of labels: pairs of two domains, A to B.
        image_size: side of the training images, or height and width, and so of the examples.
        channels: of the images.
        examples: validation samples that are kept to be looked at.
        **rules: see `freqgan.systems.rules.Rules`.

    Raises:
        UserError: a term is wanted whose network or loss is missing, or settings that do not go together.
    """

    TERMS: ClassVar[Known] = {
        "generator": (*OF_DISCRIMINATORS, "perceptual", "l1"),
        "discriminator": ("adversarial", "r1", "gradient_penalty"),
    }

    def __init__(
        self,
        *,
        generator: Callable[..., CoarseToFine],
        loss: AdversarialLoss,
        discriminator: Callable[..., MultiScaleDiscriminator] | None = None,
        perceptual: PerceptualLoss | None = None,
        encoder: Callable[..., InstanceEncoder] | None = None,
        features: Natural = 0,
        clusters: Count = 10,
        feature_matching: Layers = "but_last",
        inputs: Kind = "boundary",
        max_instances: Count = 32,
        things: Sequence[int] = (),
        num_classes: int | None,
        image_size: int | Sequence[int],
        channels: int = 3,
        examples: Count = 16,
        **rules: Unpack[Rules],
    ) -> None:
        parts = {**dict.fromkeys(OF_DISCRIMINATORS, discriminator), "perceptual": perceptual}
        wanted = {term for term in parts if ever_wanted(rules, "generator", term)}
        if missing := [term for term in parts if term in wanted and parts[term] is None]:
            raise UserError(f"model.terms.generator.{missing[0]} needs a network: set it to 0 or choose one")
        if features and (num_classes is None or encoder is None):
            fix = "set data.num_classes for data with labels, or model.features=0"
            raise UserError(f"model.features={features} are of instances of classes, and there are none: {fix}")
        of_pixels = LabelInputs(
            num_classes=num_classes, kind=inputs, channels=channels, max_instances=max_instances, things=things
        )
        of_instances: dict[str, Any] = {"num_classes": num_classes, "features": features, "clusters": clusters}
        reader = partial(encoder, in_channels=channels, **of_instances) if encoder is not None and features else None
        judges = None
        if discriminator is not None and wanted & {*OF_DISCRIMINATORS}:
            judges = discriminator(in_channels=of_pixels.width + channels)
        super().__init__(
            generator=generator(in_channels=of_pixels.width, out_channels=channels, encoder=reader),
            discriminator=judges,
            inputs=of_pixels,
            image_size=image_size,
            examples=examples,
            **rules,
        )
        self.game = MultiScaleGame(judges, loss, layers=feature_matching) if judges is not None else None
        self.perceptual = perceptual
        if not self.generator.enhancers and any("generator.coarse" in p.get("frozen", []) for p in self.phases.all):
            raise UserError("model.phases: generator.coarse rests, and there are no enhancers: set model.phases=[]")

    @property
    def depth(self) -> int:
        """Enhancers that take part in this phase: outer ones that rest do not."""
        resting, depth = self.phases.now.get("frozen", []), len(self.generator.enhancers)
        if "generator.enhancers" in resting:
            return 0
        while depth and f"generator.enhancers.{depth - 1}" in resting:
            depth -= 1
        return depth

    def synthesize(self, batch: Batch) -> Outputs:
        """The image, what it is made of, and what it should be, of the size that the phase trains at."""
        depth = self.depth
        self.generator.trained.fill_(depth)
        batch = self.inputs.completed(batch)
        condition, real = self.inputs.condition(batch), self.inputs.target(batch)
        given = condition
        if self.generator.encoder is not None:
            given = torch.cat((condition, self.generator.encoder(real, self.inputs.regions(batch))), 1)
        halvings = len(self.generator.enhancers) - depth
        given, condition, real = (pyramid(whole, halvings + 1)[-1] for whole in (given, condition, real))
        return {"image": self.generator(given, depth=depth), "condition": condition, "real": real}

    def generator_terms(self, batch: Batch, outputs: Outputs) -> Terms:
        """The adversarial loss of each scale, and distances: of the discriminators' features, of others, of pixels."""
        wants, image, real = partial(self.wants, "generator"), outputs["image"], outputs["real"]
        terms = Terms()
        if self.game is not None:
            terms = self.game.generator_terms(real, image, given=outputs["condition"], wants=wants)
        if self.perceptual is not None and wants("perceptual"):
            terms["perceptual"] = self.perceptual(image, real)
        if wants("l1"):
            terms["l1"] = F.l1_loss(image, real)
        return terms

    def discriminator_terms(self, batch: Batch, outputs: Outputs) -> Terms:
        """The adversarial loss of each scale, and the penalties that are due."""
        assert self.game is not None
        wants, mix = partial(self.wants, "discriminator"), partial(self.draw, "mix", uniform_rows)
        real, fake, given = (outputs[name] for name in ("real", "image", "condition"))
        terms, notes = self.game.discriminator_terms(real, fake, given=given, wants=wants, mix=mix)
        self.notes |= notes
        return terms

    def describe(self) -> list[dict[str, str | int]]:
        """A row per network."""
        generator, count = self.generator, len(self.generator.enhancers)
        parts: dict[str, tuple[str, nn.Module | None]] = {
            "coarse": (f"1/{2**count} of the size" if count else "full size", generator.coarse),
            **{f"enhancer {n}": ("twice the size", enhancer) for n, enhancer in enumerate(generator.enhancers)},
            "encoder": ("looks", generator.encoder),
            "discriminators": ("logits", self.discriminator),
        }
        return [
            {"network": name, "makes": makes, "parameters": sum(w.numel() for w in network.parameters())}
            for name, (makes, network) in parts.items()
            if network is not None
        ]
