"""The choices that the source of the frequency GAN leaves open."""

from collections.abc import Callable
from typing import Any, Literal, cast

from torch import nn

from freqgan.limits import Count, NonNegative
from freqgan.losses import FocalFrequencyLoss
from freqgan.networks.band_gans import Cascade, Grouping, Scope
from freqgan.networks.band_generators import Bounded
from freqgan.networks.dcgan import Combine
from freqgan.systems.band_context import Order, RealContext
from freqgan.systems.blend import Blend
from freqgan.systems.feature_reading import FeatureReading
from freqgan.systems.rules import Rules
from freqgan.transforms.unit_scale import Statistic

Networks = Callable[..., nn.Module]


class Design(Rules, total=False):
    """Keyword arguments of the frequency GAN beside those of every system.

    Keys:
        latent_dim: length of each generator's noise; at least the number of generators where it is orthogonal.
        noise: the vectors of one sample are pairwise orthogonal (claim 6), or independent.
        gans: which GAN makes which bands, see `freqgan.networks.group_bands` (claim 4, [0088]–[0091]).
        low_bands: of several resolutions, a GAN for `every` low band, averaged with what the coarser levels make by a
            learned weight (claims 4 and 7), or for the `coarsest` alone, which departs from them.
        low_generator: what the generators of low bands have otherwise, as {channels: 64}.
        low_discriminator: the same for their discriminators.
        cascade: which bands of others a GAN sees, see `freqgan.networks.connect` (claim 5).
        cascade_scope: those of its own level and the low image of that level, or of all levels.
        cascade_iteration: what others made in the pass before is that of the same step, or of the step before.
        cascade_combine: how it joins the generator's features, see `freqgan.networks.DCGANGenerator`.
        cascade_gradient: whether a band's loss trains the generators of the bands that it is made from.
        cascade_discriminator: whether a discriminator sees the bands that its generator saw.
        cascade_real: share of samples that see real bands in training.
        passes: how often the generators are run through ([0093]).
        training_order: of the GANs of low and of high bands ([0098]).
        training_switch: progress of the budget at which the second kind takes its turn.
        band_scale: what each band is divided by: the greatest magnitude, the 99.9th percentile of magnitudes, or the
            root mean square on the training split.
        companding: μ of the μ-law that networks see high bands through, 0 for none, see
            `freqgan.transforms.unit_scale.UnitScale`.
        bounded: where values are bounded by tanh: each band's by its generator's head, or the image's, whose bands the
            discriminators then see; exact white is out of reach of heads that sum.
        r1_scaling: R1 as weighted, or times `freqgan.losses.r1_gamma` of each band's size and the batch.
        features: what a pre-trained network's features do ([0132]).
        blend: another generator whose image is superposed (claim 10).
        image_discriminator: makes a discriminator of the synthesised image, beside those of the bands if there are any.
        focal_frequency: the loss that `terms.generator.focal_frequency` weights.
    """

    latent_dim: Count
    noise: Literal["orthogonal", "independent"]
    gans: Grouping
    low_bands: Literal["every", "coarsest"]
    low_generator: dict[str, Any] | None
    low_discriminator: dict[str, Any] | None
    cascade: Cascade
    cascade_scope: Scope
    cascade_iteration: Literal["pass", "step"]
    cascade_combine: Combine
    cascade_gradient: bool
    cascade_discriminator: bool
    cascade_real: RealContext
    passes: Count
    training_order: Order
    training_switch: float
    band_scale: Statistic
    companding: NonNegative
    bounded: Bounded
    r1_scaling: Literal["none", "size"]
    features: FeatureReading | None
    blend: Blend | None
    image_discriminator: Networks | None
    focal_frequency: FocalFrequencyLoss | None


DEFAULTS = {
    "latent_dim": 100,
    "noise": "orthogonal",
    "gans": "band",
    "low_bands": "every",
    "low_generator": None,
    "low_discriminator": None,
    "cascade": "all",
    "cascade_scope": "level",
    "cascade_iteration": "pass",
    "cascade_combine": "concat",
    "cascade_gradient": True,
    "cascade_discriminator": True,
    "cascade_real": {},
    "passes": 1,
    "training_order": "together",
    "training_switch": 0.5,
    "band_scale": "max",
    "companding": 0.0,
    "bounded": "bands",
    "r1_scaling": "none",
    "features": None,
    "blend": None,
    "image_discriminator": None,
    "focal_frequency": None,
}


def rules_of(design: Design) -> Rules:
    """Those of the settings that every system has."""
    return cast(Rules, {name: value for name, value in design.items() if name in Rules.__annotations__})
