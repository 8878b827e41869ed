"""Frequency GAN: one GAN per band of an invertible transform, cascaded from coarse to fine.

Reference: patent CN112529975A, claims 1 and 4–10; nearest published ancestors are LAPGAN (Denton et al. 2015) and DCGAN
(Radford et al. 2015), which this is with `transform=identity`. Departure: bands are divided by a stored scale. What the
source leaves open is a setting each, see `freqgan.systems.band_design.Design`.
"""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Unpack, final

from torch import Tensor, nn

from freqgan.losses import AdversarialLoss
from freqgan.networks import BandDiscriminators, BandGenerators, Bands
from freqgan.ops.noise import uniform_rows
from freqgan.systems.band_context import BandSchedule, shown
from freqgan.systems.band_design import DEFAULTS, Design, rules_of
from freqgan.systems.band_game import BandGame
from freqgan.systems.band_ledger import BandLedger
from freqgan.systems.band_networks import band_networks, described
from freqgan.systems.base import System
from freqgan.systems.feature_reading import FeatureReading
from freqgan.systems.measuring import measure_samples
from freqgan.systems.players import Players
from freqgan.systems.rules import Batch, Known, Outputs, Scores, Terms, Weights
from freqgan.systems.target_vectors import TargetVectors
from freqgan.transforms import Transform

CALIBRATION_IMAGES = 4096


@final
class FrequencyGAN(System):
    """A GAN per frequency band; the generators' bands are synthesised by the inverse transform.

    Args:
        transform: splits images into bands and joins them.
        loss: the adversarial pair, the same for every band.
        generator: makes generators side by side (`freqgan.networks.DCGANGenerator`).
        discriminator: makes those side by side that bands have, if any (`freqgan.networks.DCGANDiscriminator`).
        image_size: height and width of the images.
        channels: channels of the images.
        **design: see `freqgan.systems.band_design.Design` and `freqgan.systems.rules.Rules`.

    Raises:
        UserError: the image size does not fit a band's network; too small a `latent_dim`; contradictory settings.
    """

    TERMS: ClassVar[Known] = {
        "generator": ("adversarial", "feature_statistics", "focal_frequency", "blend"),
        "discriminator": ("adversarial", "r1", "gradient_penalty", "blend"),
    }
    FOR_USE = ("blended",)

    def __init__(
        self,
        *,
        transform: Transform,
        loss: AdversarialLoss,
        generator: Callable[..., nn.Module],
        discriminator: Callable[..., nn.Module] | None,
        image_size: int,
        channels: int = 3,
        **design: Unpack[Design],
    ) -> None:
        chosen: Any = DEFAULTS | design
        own, judges = band_networks(transform, generator, discriminator, image_size, channels, chosen)
        given = {"loss": loss, "generator": generator, "discriminator": discriminator}
        given |= {"image_size": image_size, "channels": channels, **rules_of(design)}
        players = Players(chosen["blend"], own, judges, **given)
        super().__init__(generator=players.generator, discriminator=players.discriminator, **rules_of(design))
        self.inner, self.blended = players.others, players.kept
        self.schedule = BandSchedule(
            own.gans, chosen["cascade_real"], chosen["training_order"], chosen["training_switch"]
        )
        self.game = BandGame(judges, loss, scaled_r1=chosen["r1_scaling"] == "size")
        self.ledger = BandLedger(players, self.game, gap=self.schedule.teaches)
        self.vectors = TargetVectors(len(own.gans), chosen["latent_dim"], noise=chosen["noise"])
        self.features = chosen["features"] or FeatureReading()
        self.image_losses = {"feature_statistics": self.features.loss, "focal_frequency": chosen["focal_frequency"]}
        self.stale = chosen["cascade_iteration"] == "step"
        self._players = players
        self.image_shape = (channels, image_size, image_size)

    @property
    def generators(self) -> BandGenerators:
        """Those of the bands."""
        return self._players.generators

    def calibrate(self, data: Any) -> None:
        """Measures the bands' scales, keeps features of some images, and does what the other system needs."""
        self.generators.bands.calibrate(data.evaluation_images("train", limit=CALIBRATION_IMAGES))
        if self.generators.condition is not None:
            self.generators.references.copy_(self.features.references(data))
        self._players.calibrate(data)

    def synthesize(self, batch: Batch) -> Outputs:
        """Generated and real bands at unit scale, what discriminators see of them, and the images."""
        networks, progress, images = self.generators, self.clock.progress, batch["image"]
        real = networks.bands(images)
        teacher = self.schedule.teacher(real, lambda: self.draw("real context", uniform_rows), networks.lows, progress)
        features, noise = self.features.of_real(images), self.draw("noise", self.vectors.draw)
        before, resting = self.carried(len(images)), self.schedule.resting(progress)
        made = networks(noise, features=features, before=before, teacher=teacher, frozen=resting)
        if self.stale:
            self.carry(made)
        fake, image, other = self._players.superposed(made, batch, self.rows)
        return {
            "noise": noise,
            "real": real,
            "real_image": images,
            "real_features": features,
            "fake": fake,
            "image": image,
            "fake_features": self.features.of_generated(image, features),
            "seen": shown(fake, teacher, gradient=networks.cascade_gradient),
            "other": other,
        }

    def generator_terms(self, batch: Batch, outputs: Outputs) -> Terms:
        """The adversarial loss of every GAN that trains now, and what is asked of the whole image."""
        resting = self.schedule.resting(self.clock.progress)
        terms = self.game.generator_terms(outputs, resting) if self.wants("generator", "adversarial") else {}
        for name, loss in self.image_losses.items():
            if loss is not None and BandDiscriminators.WHOLE not in resting and self.wants("generator", name):
                terms[name] = loss(outputs["image"], batch["image"])
        return terms | self._players.terms("generator", batch, outputs["other"], self.wants)

    def discriminator_terms(self, batch: Batch, outputs: Outputs) -> Terms:
        """The adversarial loss of every GAN that trains now, and the penalties that are due."""
        terms, resting = Terms(), self.schedule.resting(self.clock.progress)
        if self.wants("discriminator", "adversarial"):
            real, fake = (self.game.logits(outputs, side, resting) for side in ("real", "fake"))
            terms |= self.game.discriminator_terms(real, fake)
            self.notes |= dict(self.ledger.entries(outputs, real, fake, resting, step=self.clock.steps))
        if self.wants("discriminator", "r1"):
            terms |= self.game.r1_terms(outputs, resting, self.rows.total)
        if self.game.loss.gradient_penalty and self.wants("discriminator", "gradient_penalty"):
            terms |= self.game.gradient_penalty_terms(outputs, resting, partial(self.draw, make=uniform_rows))
        return terms | self._players.terms("discriminator", batch, outputs["other"], self.wants)

    def aim(self, wishes: Mapping[str, str]) -> None:
        """`target`, of the bands alone: see `TargetVectors.aim`; `reference`: an image file of the wanted features."""
        self.vectors.aim(wishes.get("target", "frame"))
        if "reference" in wishes:
            self.features.aim(wishes["reference"], self.image_shape)

    def sample_bands(self, first: int, count: int, *, seed: int, weights: Weights = "ema") -> tuple[Bands, Tensor]:
        """Bands at unit scale and images in [-1, 1] of samples first … first + count."""
        frame = self.vectors.of_samples(first, count, seed=seed).to(self.device)
        with self.kept_generator(weights):
            features = self.generators.features_of(first, count, seed=seed, wanted=self.features.wanted)
            made = self.generators(frame, features=features)
            bands, image = self._players.superposed_samples(made, first, seed=seed)
        return bands, image.clamp(-1, 1)

    def sample(self, first: int, count: int, *, seed: int, weights: Weights = "ema") -> Tensor:
        """Images in [-1, 1] of samples first … first + count."""
        return self.sample_bands(first, count, seed=seed, weights=weights)[1]

    def pictures(self, count: int, *, seed: int) -> dict[str, Tensor]:
        """Images, and every band at unit scale."""
        bands, image = self.sample_bands(0, count, seed=seed)
        return {"images": image} | (bands if len(bands) > 1 else {})

    def sample_ids(self, count: int, *, seed: int) -> list[str]:
        """The seed and number of each sample's noise."""
        return [f"noise {seed}/{number}" for number in range(count)]

    def measure(self, protocol: Any, data: Any, *, split: str, seed: int, weights: Weights, cache_dir: Path) -> Scores:
        """Runs a protocol of `freqgan.metrics` on samples 0 … n, band by band where it asks for bands."""
        samples = partial(self.sample, seed=seed, weights=weights)
        return measure_samples(samples, protocol, data, split, cache_dir, bands=self.generators.bands.transform)

    def describe(self) -> list[dict[str, str | int]]:
        """A row per GAN, those of another system among them."""
        others = [row | {"band": f"blend {row['band']}"} for other in self.inner for row in other.describe()]
        return described(self.generators, self.game.judges) + others
