"""Frequency GAN: one GAN per band of an invertible transform, cascaded from coarse to fine.

Reference: patent CN112529975A, claims 1, 4, 5, 7–9; nearest published ancestors are LAPGAN (Denton et al. 2015) and
DCGAN (Radford et al. 2015), which this is with `transform=identity`. Departure: bands are divided by a stored scale,
measured on the training split, because the low band grows with every level and the high bands peak at zero.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, Unpack, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from freqgan.errors import UserError
from freqgan.losses import AdversarialLoss, interpolation_penalty, r1_penalty
from freqgan.networks import BandDiscriminators, BandGenerators, cascade_sources
from freqgan.ops.keyed_random import torch_generator
from freqgan.ops.noise import orthogonal_frame
from freqgan.systems.base import Batch, Outputs, Rules, System, Terms
from freqgan.transforms import Transform

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
        **rules: see `freqgan.systems.base.Rules`.

    Raises:
        UserError: the image size does not fit the transform's levels or a band's network; too small a `latent_dim`.
    """

    TERMS = {"generator": ("adversarial",), "discriminator": ("adversarial", "r1", "gradient_penalty")}

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
        cascade: Literal["none", "previous", "all"] | Mapping[str, list[str]] = "all",
        band_scale: Literal["max", "percentile", "rms"] = "max",
        **rules: Unpack[Rules],
    ) -> None:
        bands = transform.bands((image_size, image_size), channels)
        if latent_dim < len(bands):
            raise UserError(
                f"model.latent_dim={latent_dim} is too small for {len(bands)} orthogonal noise vectors, one per band: "
                f"set it to at least {len(bands)}"
            )
        shapes = {band.name: band.shape for band in bands}
        sources = (
            cascade_sources(list(shapes), cascade)
            if isinstance(cascade, str)
            else {name: tuple(cascade.get(name, ())) for name in shapes}
        )
        super().__init__(
            generator=BandGenerators(shapes, sources=sources, latent_dim=latent_dim, generator=generator),
            discriminator=BandDiscriminators(shapes, sources=sources, discriminator=discriminator),
            **rules,
        )
        self.transform = transform
        self.loss = loss
        self.latent_dim = latent_dim
        self.band_scale = band_scale
        self.names = list(shapes)
        self.register_buffer("scales", torch.ones(len(shapes)))
        self.scales: Tensor

    def analyze(self, images: Float[Tensor, "b c h w"]) -> dict[str, Tensor]:
        """Bands at unit scale."""
        bands = self.transform(images)
        return {name: bands[name] / scale for name, scale in zip(self.names, self.scales, strict=True)}

    def join(self, bands: Mapping[str, Tensor]) -> Float[Tensor, "b c h w"]:
        """The image of bands at unit scale."""
        scaled = {name: bands[name].float() * scale for name, scale in zip(self.names, self.scales, strict=True)}
        return self.transform.inverse(scaled)

    def frame(self, generator: torch.Generator, count: int) -> Float[Tensor, "b n d"]:
        """`count` noise frames, a row for every band."""
        normal = torch.randn(2, count, self.latent_dim, len(self.names), generator=generator)
        return orthogonal_frame(normal[0], normal[1])

    def synthesize(self, batch: Batch) -> Outputs:
        """Generated and real bands at unit scale."""
        return {"fake": self.generator(self.draw("noise", self.frame)), "real": self.analyze(batch["image"])}

    def generator_terms(self, batch: Batch, outputs: Outputs) -> Terms:
        """The adversarial loss of every band."""
        assert self.discriminator is not None
        logits = self.discriminator(outputs["fake"])
        return {f"{name}/adversarial": self.loss.generator(value) for name, value in logits.items()}

    def discriminator_terms(self, batch: Batch, outputs: Outputs) -> Terms:
        """The adversarial loss of every band, and the penalties that are due."""
        assert self.discriminator is not None
        real, fake = outputs["real"], outputs["fake"]
        real_logits, fake_logits = self.discriminator(real), self.discriminator(fake)
        terms: Terms = {}
        for name in self.names:
            terms[f"{name}/adversarial"] = self.loss.discriminator(real_logits[name], fake_logits[name])
            terms |= self._penalties(name, real, fake)
        return terms

    def _penalties(self, name: str, real: Mapping[str, Tensor], fake: Mapping[str, Tensor]) -> Terms:
        discriminator = self.discriminator
        assert isinstance(discriminator, BandDiscriminators)
        terms: Terms = {}
        context = discriminator.context(name, real)

        def critic(band: Tensor) -> Tensor:
            return discriminator.judge(name, band, context)

        if self.wants("discriminator", "r1"):
            terms[f"{name}/r1"] = r1_penalty(critic, real[name])
        if self.loss.gradient_penalty and self.wants("discriminator", "gradient_penalty"):
            mix = self.draw(f"mix {name}", lambda generator, n: torch.rand(n, generator=generator))
            penalty = interpolation_penalty(critic, real[name], fake[name], mix)
            terms[f"{name}/gradient_penalty"] = penalty * self.loss.gradient_penalty
        return terms

    def sample_bands(
        self, first: int, count: int, *, seed: int, weights: Literal["ema", "raw"] = "ema"
    ) -> dict[str, Tensor]:
        """Bands at unit scale of samples first … first + count."""
        frames = [self.frame(torch_generator(seed, "sample", number), 1) for number in range(first, first + count)]
        with self.kept_generator(weights) as generator:
            bands: dict[str, Tensor] = generator(torch.cat(frames).to(self.device))
        return bands

    def sample(self, first: int, count: int, *, seed: int, weights: Literal["ema", "raw"] = "ema") -> Tensor:
        """Images in [-1, 1] of samples first … first + count."""
        return self.join(self.sample_bands(first, count, seed=seed, weights=weights)).clamp(-1, 1)

    def pictures(self, count: int, *, seed: int) -> dict[str, Tensor]:
        """Images, and every band at unit scale."""
        bands = self.sample_bands(0, count, seed=seed)
        images = self.join(bands).clamp(-1, 1)
        return {"images": images} | (bands if len(bands) > 1 else {})

    def measure(
        self, protocol: Any, data: Any, *, split: str, seed: int, weights: Literal["ema", "raw"], cache_dir: Path
    ) -> dict[str, float]:
        """Runs a protocol of `freqgan.metrics` on samples 0 … n, band by band where it asks for bands."""
        values: dict[str, float] = protocol.evaluate(
            lambda first, count: self.sample(first, count, seed=seed, weights=weights),
            lambda: data.evaluation_images(split),
            fingerprint=f"{data.fingerprint()}_{split}",
            cache_dir=cache_dir,
            bands=self.transform,
        )
        return values

    def calibrate(self, images: Iterable[Float[Tensor, "b c h w"]]) -> None:
        """Measures the scale of every band."""
        parts: dict[str, list[Tensor]] = {name: [] for name in self.names}
        for batch in images:
            for name, band in self.transform(batch.to(self.device)).items():
                parts[name].append(_magnitudes(band, self.band_scale))
        for i, name in enumerate(self.names):
            values = torch.stack(parts[name])
            scale = values.square().mean().sqrt() if self.band_scale == "rms" else values.max()
            self.scales[i] = scale.clamp_min(1e-6)

    def on_fit_start(self) -> None:
        """A fresh run measures its bands; a resumed one has them in its checkpoint."""
        if self.clock.images_seen == 0:
            datamodule: Any = self.trainer.datamodule  # type: ignore[attr-defined]
            self.calibrate(datamodule.evaluation_images("train", limit=CALIBRATION_IMAGES))


def _magnitudes(band: Tensor, statistic: Literal["max", "percentile", "rms"]) -> Tensor:
    """One number for a batch of a band."""
    size = band.abs().flatten()
    match statistic:
        case "max":
            return size.max()
        case "percentile":
            return size.kthvalue(max(1, int(0.999 * size.numel()))).values
        case "rms":
            return size.square().mean().sqrt()
