"""Frequency GAN: one GAN per band of an invertible transform, cascaded from coarse to fine.

Reference: patent CN112529975A, claims 1, 4, 5, 7–9; nearest published ancestors are LAPGAN (Denton et al. 2015) and
DCGAN (Radford et al. 2015), which this is with `transform=identity`. Departure: bands are divided by a stored scale.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal, Unpack, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from freqgan.errors import UserError
from freqgan.losses import AdversarialLoss, interpolation_penalty, r1_penalty
from freqgan.networks import BandDiscriminators, BandGenerators, cascade_sources
from freqgan.networks.dcgan import refuse_size
from freqgan.ops.keyed_random import torch_generator
from freqgan.ops.noise import orthogonal_frame
from freqgan.systems.base import System
from freqgan.systems.rules import Batch, Known, Outputs, Rules, Terms, Weights
from freqgan.transforms import Transform
from freqgan.transforms.unit_scale import UnitScale

CALIBRATION_IMAGES = 4096


@final
class FrequencyGAN(System):
    """A GAN per frequency band; the generators' bands are synthesised by the inverse transform.

    Args:
        transform: splits images into bands and joins them.
        loss: the adversarial pair, the same for every band.
        generator: makes one band's generator (`freqgan.networks.DCGANGenerator`).
        discriminator: makes one band's discriminator (`freqgan.networks.DCGANDiscriminator`).
        image_size: height and width of the images.
        channels: channels of the images.
        latent_dim: length of each generator's noise, at least the number of bands.
        cascade: which coarser bands a band's generator and discriminator see.
        band_scale: what each band is divided by: the greatest magnitude, the 99.9th percentile of magnitudes, or the
            root mean square on the training split.
        **rules: see `freqgan.systems.rules.Rules`.

    Raises:
        UserError: the image size does not fit the transform's levels or a band's network; too small a `latent_dim`.
    """

    TERMS: ClassVar[Known] = {"generator": ("adversarial",), "discriminator": ("adversarial", "r1", "gradient_penalty")}
    generator: BandGenerators
    discriminator: BandDiscriminators

    def __init__(
        self,
        *,
        transform: Transform,
        loss: AdversarialLoss,
        generator: Callable[..., nn.Module],
        discriminator: Callable[..., nn.Module],
        image_size: int,
        channels: int = 3,
        latent_dim: int = 100,
        cascade: Literal["none", "previous", "all"] | dict[str, list[str]] = "all",
        band_scale: Literal["max", "percentile", "rms"] = "max",
        **rules: Unpack[Rules],
    ) -> None:
        bands = UnitScale(transform, image_size=image_size, channels=channels)
        shapes = {band.name: band.shape for band in bands.bands}
        if latent_dim < len(shapes):
            raise UserError(
                f"model.latent_dim={latent_dim} is too small for {len(shapes)} orthogonal noise vectors, one per band: "
                f"set it to at least {len(shapes)}"
            )
        refuse_size(image_size, lambda size: [band.shape[1:] for band in transform.bands((size, size))])
        sources = cascade_sources(list(shapes), cascade)
        super().__init__(
            generator=BandGenerators(shapes, sources=sources, latent_dim=latent_dim, generator=generator),
            discriminator=BandDiscriminators(shapes, sources=sources, discriminator=discriminator),
            **rules,
        )
        self.bands = bands
        self.names = list(shapes)
        self.loss = loss
        self.latent_dim = latent_dim
        self.band_scale = band_scale

    def on_fit_start(self) -> None:
        """A fresh run measures its bands; a resumed one has their scales in its checkpoint."""
        if self.clock.images_seen == 0:
            data: Any = self.trainer.datamodule  # type: ignore[attr-defined]
            self.bands.calibrate(data.evaluation_images("train", limit=CALIBRATION_IMAGES), self.band_scale)

    def frame(self, generator: torch.Generator, count: int) -> Float[Tensor, "b n d"]:
        """`count` noise frames, a row for every band."""
        directions, lengths = torch.randn(2, count, self.latent_dim, len(self.names), generator=generator)
        return orthogonal_frame(directions, lengths)

    def synthesize(self, batch: Batch) -> Outputs:
        """Generated and real bands at unit scale."""
        return {"fake": self.generator(self.draw("noise", self.frame)), "real": self.bands(batch["image"])}

    def generator_terms(self, batch: Batch, outputs: Outputs) -> Terms:
        """The adversarial loss of every band."""
        logits = self.discriminator(outputs["fake"])
        return {f"{name}/adversarial": self.loss.generator(logits[name]) for name in self.names}

    def discriminator_terms(self, batch: Batch, outputs: Outputs) -> Terms:
        """The adversarial loss of every band, and the penalties that are due."""
        real, fake = self.discriminator(outputs["real"]), self.discriminator(outputs["fake"])
        terms: Terms = {}
        for name in self.names:
            terms[f"{name}/adversarial"] = self.loss.discriminator(real[name], fake[name])
            terms |= self._penalties(name, outputs["real"], outputs["fake"])
        return terms

    def _penalties(self, name: str, real: Mapping[str, Tensor], fake: Mapping[str, Tensor]) -> Terms:
        context = self.discriminator.context(name, real)

        def critic(band: Tensor) -> Tensor:
            return self.discriminator.judge(name, band, context)

        terms: Terms = {}
        if self.wants("discriminator", "r1"):
            terms[f"{name}/r1"] = r1_penalty(critic, real[name])
        if self.loss.gradient_penalty and self.wants("discriminator", "gradient_penalty"):
            mix = self.draw(f"mix {name}", lambda generator, n: torch.rand(n, generator=generator))
            penalty = interpolation_penalty(critic, real[name], fake[name], mix)
            terms[f"{name}/gradient_penalty"] = self.loss.gradient_penalty * penalty
        return terms

    def sample_bands(self, first: int, count: int, *, seed: int, weights: Weights = "ema") -> dict[str, Tensor]:
        """Bands at unit scale of samples first … first + count."""
        frames = [self.frame(torch_generator(seed, "sample", number), 1) for number in range(first, first + count)]
        with self.kept_generator(weights) as generator:
            bands: dict[str, Tensor] = generator(torch.cat(frames).to(self.device))
        return bands

    def sample(self, first: int, count: int, *, seed: int, weights: Weights = "ema") -> Tensor:
        """Images in [-1, 1] of samples first … first + count."""
        return self.bands.inverse(self.sample_bands(first, count, seed=seed, weights=weights)).clamp(-1, 1)

    def pictures(self, count: int, *, seed: int) -> dict[str, Tensor]:
        """Images, and every band at unit scale."""
        bands = self.sample_bands(0, count, seed=seed)
        return {"images": self.bands.inverse(bands).clamp(-1, 1)} | (bands if len(bands) > 1 else {})

    def sample_ids(self, count: int, *, seed: int) -> list[str]:
        """The seed and number of each sample's noise."""
        return [f"noise {seed}/{number}" for number in range(count)]

    def measure(
        self, protocol: Any, data: Any, *, split: str, seed: int, weights: Weights, cache_dir: Path
    ) -> dict[str, float]:
        """Runs a protocol of `freqgan.metrics` on samples 0 … n, band by band where it asks for bands."""
        values: dict[str, float] = protocol.evaluate(
            lambda first, count: self.sample(first, count, seed=seed, weights=weights),
            lambda: data.evaluation_images(split),
            fingerprint=f"{data.fingerprint()}_{split}",
            cache_dir=cache_dir,
            bands=self.bands.transform,
        )
        return values

    def describe(self) -> list[dict[str, str | int]]:
        """A row per band."""
        return [
            {
                "band": name,
                "shape": "x".join(map(str, shape)),
                "sees": " ".join(self.generator.sources[name]) or "noise alone",
                "generator": sum(p.numel() for p in self.generator.of[name].parameters()),
                "discriminator": sum(p.numel() for p in self.discriminator.of[name].parameters()),
            }
            for name, shape in self.generator.shapes.items()
        ]
