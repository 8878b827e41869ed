"""The choices that the source of the frequency GAN leaves open, and the networks that follow from them."""

from collections.abc import Callable
from functools import partial
from typing import Any, Literal, cast

from torch import nn

from freqgan.errors import UserError
from freqgan.losses import FocalFrequencyLoss
from freqgan.networks import BandDiscriminators, BandGAN, BandGenerators, connect, group_bands
from freqgan.networks.band_gans import Cascade, Grouping, Scope
from freqgan.networks.dcgan import Combine
from freqgan.networks.halving import refuse_size
from freqgan.systems.band_context import Order, RealContext
from freqgan.systems.blend import Blend
from freqgan.systems.feature_reading import FeatureReading
from freqgan.systems.rules import Rules
from freqgan.transforms import Transform
from freqgan.transforms.unit_scale import Statistic, UnitScale

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
        r1_scaling: R1 as weighted, or times `freqgan.losses.r1_gamma` of each band's size and the batch.
        features: what a pre-trained network's features do ([0132]).
        blend: another generator whose image is superposed (claim 10).
        image_discriminator: makes a discriminator of the synthesised image, beside those of the bands.
        focal_frequency: the loss that `terms.generator.focal_frequency` weights.
    """

    latent_dim: int
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
    passes: int
    training_order: Order
    training_switch: float
    band_scale: Statistic
    companding: float
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
    "r1_scaling": "none",
    "features": None,
    "blend": None,
    "image_discriminator": None,
    "focal_frequency": None,
}


def rules_of(design: Design) -> Rules:
    """Those of the settings that every system has."""
    return cast(Rules, {name: value for name, value in design.items() if name in Rules.__annotations__})


def band_networks(
    transform: Transform, generator: Networks, discriminator: Networks, size: int, channels: int, design: Design
) -> tuple[BandGenerators, BandDiscriminators]:
    """The generators and the discriminators of a design.

    Args:
        transform: splits images into bands.
        generator: makes generators side by side, see `freqgan.networks.BandGenerators`.
        discriminator: makes discriminators side by side, see `freqgan.networks.BandDiscriminators`.
        size: height and width of the images.
        channels: channels of the images.
        design: see there.
    """
    refuse_size(size, lambda side: [band.shape[1:] for band in transform.bands((side, side))])
    bands = UnitScale(
        transform, image_size=size, channels=channels, statistic=design["band_scale"], companding=design["companding"]
    )
    gans = connected_gans(transform, bands, design)
    if design["noise"] == "orthogonal" and design["latent_dim"] < len(gans):
        raise UserError(
            f"model.latent_dim={design['latent_dim']} is too small for {len(gans)} orthogonal noise vectors, one per "
            f"GAN: set it to at least {len(gans)}, or model.noise=independent"
        )
    apart = bool(design["training_order"] != "together" or design["low_generator"] or design["low_discriminator"])
    features = design["features"] or FeatureReading()
    generators = BandGenerators(
        bands,
        gans,
        generator=partial(generator, combine=design["cascade_combine"]),
        latent_dim=design["latent_dim"],
        low=design["low_generator"],
        apart=apart,
        passes=design["passes"],
        cascade_gradient=design["cascade_gradient"],
        feature_dim=features.generator_dim,
        condition_dim=features.condition_dim,
    )
    discriminators = BandDiscriminators(
        gans,
        generators.shapes,
        discriminator=discriminator,
        low=design["low_discriminator"],
        apart=apart,
        sees_context=design["cascade_discriminator"],
        image=design["image_discriminator"],
        image_shape=(channels, size, size),
        feature_dim=features.discriminator_dim,
        condition_dim=features.condition_dim,
    )
    return generators, discriminators


def connected_gans(transform: Transform, bands: UnitScale, design: Design) -> list[BandGAN]:
    """Which GANs there are and what they see.

    Raises:
        UserError: settings that contradict each other.
    """
    stale = design["cascade_iteration"] == "step"
    if design["passes"] < 1:
        raise UserError(f"model.passes={design['passes']} must be at least 1")
    if stale and design.get("accumulate", 1) > 1:
        raise UserError("model.cascade_iteration=step needs whole batches: set model.accumulate=1")
    made = [band for band in bands.bands if design["low_bands"] == "every" or band.name in transform.names]
    gans = group_bands(made, design["gans"])
    loop = design["passes"] > 1 or stale
    return connect(gans, bands.bands, design["cascade"], scope=design["cascade_scope"], loop=loop)


def described(generators: BandGenerators, judges: BandDiscriminators) -> list[dict[str, str | int]]:
    """A row per GAN: its bands, their shape, what it sees, and its share of the networks' weights."""
    return [
        {
            "band": gan.name,
            "shape": "x".join(map(str, gan.shape)),
            "sees": " ".join(gan.sees) or "noise alone",
            "generator": generators.parameters_of(i),
            "discriminator": judges.parameters_of(gan.name),
        }
        for i, gan in enumerate(generators.gans)
    ]
