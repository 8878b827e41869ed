"""The networks that follow from a design of the frequency GAN."""

from functools import partial

from freqgan.errors import UserError
from freqgan.networks import BandDiscriminators, BandGAN, BandGenerators, connect, group_bands
from freqgan.networks.halving import refuse_size
from freqgan.systems.band_design import Design, Networks
from freqgan.systems.feature_reading import FeatureReading
from freqgan.transforms import Transform
from freqgan.transforms.unit_scale import UnitScale


def band_networks(
    transform: Transform, generator: Networks, discriminator: Networks | None, size: int, channels: int, design: Design
) -> tuple[BandGenerators, BandDiscriminators]:
    """The generators and the discriminators of a design.

    Args:
        transform: splits images into bands.
        generator: makes generators side by side, see `freqgan.networks.BandGenerators`.
        discriminator: makes discriminators side by side, see `freqgan.networks.BandDiscriminators`; None for none.
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
    if discriminator is None:
        refuse_without_judges(design)
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
        bounded=design["bounded"],
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
    if design["companding"] and design["bounded"] == "image":
        raise UserError(
            f"model.companding={design['companding']} would blow up high bands that model.bounded=image leaves "
            "unbounded: set one of them back, to 0 or to bands"
        )
    if stale and design.get("accumulate", 1) > 1:
        raise UserError("model.cascade_iteration=step needs whole batches: set model.accumulate=1")
    made = [band for band in bands.bands if design["low_bands"] == "every" or band.name in transform.names]
    gans = group_bands(made, design["gans"])
    loop = design["passes"] > 1 or stale
    return connect(gans, bands.bands, design["cascade"], scope=design["cascade_scope"], loop=loop)


def refuse_without_judges(design: Design) -> None:
    """Raises a `UserError` for what needs discriminators of the bands."""
    if design["image_discriminator"] is None:
        raise UserError("model.discriminator is null, so that nobody judges: set model.image_discriminator")
    if design["training_order"] != "together":
        raise UserError(f"model.training_order={design['training_order']} needs model.discriminator, which is null")
    if design["features"] is not None and design["features"].discriminator_dim:
        raise UserError(f"model.features.use={design['features'].use} needs model.discriminator, which is null")


def described(generators: BandGenerators, judges: BandDiscriminators) -> list[dict[str, str | int]]:
    """A row per GAN: its bands, their shape, what it sees, and its share of the networks' weights."""
    rows: list[dict[str, str | int]] = [
        {
            "band": gan.name,
            "shape": "x".join(map(str, gan.shape)),
            "sees": " ".join(gan.sees) or "noise alone",
            "generator": generators.parameters_of(i),
            "discriminator": judges.parameters_of(gan.name),
        }
        for i, gan in enumerate(generators.gans)
    ]
    if judges.of_image is not None:
        weights = sum(p.numel() for p in judges.of_image.parameters())
        rows.append({"band": judges.WHOLE, "shape": "the image", "sees": "", "generator": 0, "discriminator": weights})
    return rows
