"""Band GANs: against one GAN of as many parameters, and evaluated together against one after the other."""

import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from freqgan.hardware import Hardware
from freqgan.losses import NonSaturating
from freqgan.networks import DCGANDiscriminator, DCGANGenerator
from freqgan.systems import Adam, Clock, FrequencyGAN
from freqgan.transforms import Identity, Transform, WaveletTransform
from tests.systems.stepping import without_trainer

Row = tuple[str, float, str]
TERMS: Any = {"generator": {"adversarial": 1.0}, "discriminator": {"adversarial": 1.0}}
# Channels and their cap, of the generators and of the discriminators, that make as many parameters as plain DCGAN of 32
# channels has.
PLAIN = ((32, 512), (32, 512))
WIDTHS = {64: ((24, 88), (32, 126)), 128: ((24, 182), (32, 253))}
OF_ALL_BANDS = {64: ((65, 259), (66, 255)), 128: ((64, 512), (64, 512))}


def rows(rounds: int = 8) -> list[Row]:
    """Name, ratio and goal."""
    hardware = Hardware(accelerator="cpu", threads=1)
    hardware.apply()
    return [
        *against_dcgan(64, 16, hardware, rounds),
        *against_dcgan(128, 16, hardware, rounds),
        together("four band GANs of 16 px, batch 16", 4, 16, 24, 16, hardware, rounds),
        together("three band GANs of 32 px, batch 16", 3, 32, 32, 16, hardware, rounds),
        together("three band GANs of 32 px, batch 64", 3, 32, 32, 64, hardware, rounds),
        inference(hardware),
    ]


def against_dcgan(size: int, batch: int, hardware: Hardware, rounds: int) -> list[Row]:
    """A step of the frequency GAN over one of plain DCGAN, with a GAN for each band and with one of all bands."""
    haar = partial(build, WaveletTransform("haar"), size)
    systems = {
        "plain": build(Identity(), size, *PLAIN),
        "cascade": haar(*WIDTHS[size]),
        "low": haar(*WIDTHS[size], cascade={name: ["LL1"] for name in ("HL1", "LH1", "HH1")}),
        "one": haar(*OF_ALL_BANDS[size], gans="all"),
        "narrow": haar(*PLAIN, gans="all"),
    }
    for system in systems.values():
        system.to(memory_format=hardware.layout)
    image = torch.rand(batch, 3, size, size) * 2 - 1
    seconds = race({name: stepper(system, image, hardware) for name, system in systems.items()}, rounds)
    share = {name: system.trained_parameters / systems["plain"].trained_parameters for name, system in systems.items()}
    name = f"Haar GAN / DCGAN of equal parameters, {size} px, batch {batch}"
    widths = f"Haar GAN of all bands / DCGAN of equal widths, {size} px"
    return [
        (f"{name}: step, every band sees all before it", ratio(seconds, "cascade", "plain"), "<= 0.7"),
        (f"{name}: step, high bands see the low one", ratio(seconds, "low", "plain"), "<= 0.7"),
        (f"{name}: parameters (information)", share["cascade"], ""),
        (f"{name}: step, one GAN of all bands", ratio(seconds, "one", "plain"), "<= 0.7"),
        (f"{name}: parameters of one GAN (information)", share["one"], ""),
        (
            f"{widths}: step",
            ratio(seconds, "narrow", "plain"),
            "<= 0.56",
        ),
        (f"{widths}: parameters (information)", share["narrow"], ""),
    ]


def build(
    transform: Transform, size: int, generator: tuple[int, int], discriminator: tuple[int, int], **design: Any
) -> FrequencyGAN:
    """A frequency GAN with given channels and most channels."""
    torch.manual_seed(0)
    return FrequencyGAN(
        transform=transform,
        loss=NonSaturating(),
        generator=partial(DCGANGenerator, channels=generator[0], max_channels=generator[1]),
        discriminator=partial(DCGANDiscriminator, channels=discriminator[0], max_channels=discriminator[1]),
        image_size=size,
        optim=Adam(),
        terms=TERMS,
        clock=Clock(images=10**9),
        **design,
    )


def stepper(system: FrequencyGAN, image: Tensor, hardware: Hardware) -> Callable[[], None]:
    """One training step without Lightning's loop."""
    without_trainer(system)

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=hardware.bf16):
            system.training_step({"image": image}, 0)

    return step


def together(name: str, count: int, size: int, channels: int, batch: int, hardware: Hardware, rounds: int) -> Row:
    """Both turns of a game of several small GANs: one after the other, over all at once."""
    settings: Any = {"image_size": (size, size), "channels": channels}
    single = [networks(1, settings, hardware) for _ in range(count)]
    stacked = [networks(count, settings, hardware)]
    real = torch.rand(batch, 3, size, size).to(memory_format=hardware.layout)
    noise = torch.randn(batch, 100)
    games = {
        "one by one": partial(play, single, 1, real, noise, hardware),
        "together": partial(play, stacked, count, real, noise, hardware),
    }
    return (f"{name}: one by one / together", ratio(race(games, rounds), "one by one", "together"), ">= 1.5")


def networks(count: int, settings: Any, hardware: Hardware) -> tuple[nn.Module, nn.Module]:
    """As many generators and discriminators side by side."""
    generator = DCGANGenerator(latent_dim=100, out_channels=3, count=count, **settings)
    discriminator = DCGANDiscriminator(in_channels=[3] * count, **settings)
    return generator.to(memory_format=hardware.layout), discriminator.to(memory_format=hardware.layout)


def play(
    games: Sequence[tuple[nn.Module, nn.Module]], count: int, real: Tensor, noise: Tensor, hardware: Hardware
) -> None:
    """Forward and backward of both turns."""
    with torch.autocast("cpu", torch.bfloat16, enabled=hardware.bf16):
        fakes = [generator(noise.repeat(1, count)).unflatten(1, (count, 3)).unbind(1) for generator, _ in games]
        losses = [
            F.softplus(d(*[f.detach() for f in fake])).mean() + F.softplus(-d(*[real] * count)).mean()
            for (_, d), fake in zip(games, fakes, strict=True)
        ]
        torch.stack(losses).sum().backward()
        for _, discriminator in games:
            discriminator.requires_grad_(False)
        losses = [F.softplus(-d(*fake)).mean() for (_, d), fake in zip(games, fakes, strict=True)]
        torch.stack(losses).sum().backward()
        for _, discriminator in games:
            discriminator.requires_grad_(True)


def inference(hardware: Hardware) -> Row:
    """CPU seconds of 64 images at 128 px."""
    system = build(WaveletTransform("haar"), 128, *WIDTHS[128]).to(memory_format=hardware.layout)
    seconds = race({"sample": lambda: system.sample(0, 64, seed=0)}, 3)
    return ("64 images at 128 px, CPU seconds (information)", statistics.median(seconds["sample"]), "")


def race(candidates: dict[str, Callable[[], Any]], rounds: int) -> dict[str, list[float]]:
    """CPU seconds of every candidate, a round after the other; two before them are warm-up."""
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    for _ in range(rounds + 2):
        for name, run in candidates.items():
            begun = time.thread_time()
            run()
            seconds[name].append(time.thread_time() - begun)
    return {name: values[2:] for name, values in seconds.items()}


def ratio(seconds: dict[str, list[float]], a: str, b: str) -> float:
    """Median over rounds of one candidate's time over another's."""
    return statistics.median(x / y for x, y in zip(seconds[a], seconds[b], strict=True))
