"""The training step: against a bare loop, against plain float32, and as a share of what convolutions can do here.

The framework's step is timed inside Lightning's loop, with loader, hooks and callbacks; after each one, the other
candidates run one step of theirs, so that all of them see the same neighbours on the cores.
"""

import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from freqgan.callbacks import Interruption, Journal, ProgressBar
from freqgan.data import DataModule, OpenMoji
from freqgan.hardware import Hardware
from freqgan.losses import NonSaturating
from freqgan.networks import DCGANDiscriminator, DCGANGenerator
from freqgan.runs import RunDirectory
from freqgan.systems import Adam, Clock, FrequencyGAN
from freqgan.systems.estimate import step_cost
from freqgan.systems.trainer import make_trainer
from freqgan.transforms import Identity, Transform, WaveletTransform

Row = tuple[str, float, str]
BATCH = 64


def rows(rounds: int = 12) -> list[Row]:
    """Name, ratio and goal."""
    hardware = Hardware(accelerator="cpu", threads=1)
    hardware.apply()
    dcgan = partial(build, Identity(), image_size=64, channels=64)
    shipped = partial(build, WaveletTransform("haar"), image_size=32, channels=48)
    return [
        *measure("DCGAN 64 px", dcgan, hardware, rounds, 0.55),
        *measure("openmoji", shipped, hardware, rounds, None),
    ]


def build(transform: Transform, *, image_size: int, channels: int, images: int = 10**9) -> FrequencyGAN:
    """A frequency GAN of one level."""
    torch.manual_seed(0)
    return FrequencyGAN(
        transform=transform,
        loss=NonSaturating(),
        generator=partial(DCGANGenerator, channels=channels),
        discriminator=partial(DCGANDiscriminator, channels=channels),
        image_size=image_size,
        optim=Adam(),
        terms={"generator": {"adversarial": 1.0}, "discriminator": {"adversarial": 1.0}},
        clock=Clock(images=images),
    )


def measure(
    name: str, make: Callable[..., FrequencyGAN], hardware: Hardware, rounds: int, share: float | None
) -> list[Row]:
    """All figures of one model."""
    system = make(images=BATCH * (rounds + 3))
    system.to(memory_format=hardware.layout)
    size = system.sample(0, 1, seed=0).shape[-1]
    data = DataModule(source=OpenMoji, image_size=size, batch_size=BATCH)
    images = next(data.evaluation_images("train", limit=BATCH, batch_size=BATCH))
    with torch.device("meta"):
        flops = step_cost(make(), {"image": torch.empty(BATCH, 3, size, size)}).flops
    convolution, convolution_flops = ceiling(hardware)
    frames = system.vectors.draw(torch.Generator().manual_seed(0), BATCH)
    split = system.generators.bands
    bands = {key: value.detach().requires_grad_() for key, value in system.generator(frames).items()}

    def transforms() -> None:
        split(images)
        split.image(bands).sum().backward()

    loaded = iter(DataModule(source=OpenMoji, image_size=size, batch_size=BATCH).train_dataloader())
    others: dict[str, Callable[[], object]] = {
        "loader": lambda: next(loaded),
        "bare": bare_loop(make(), images, hardware),
        "float32": bare_loop(make(), images, Hardware(accelerator="cpu", precision="float32"), fused=False),
        "convolution": convolution,
        "transforms": transforms,
    }
    seconds = race(system, data, hardware, others)

    def ratio(a: str, b: str) -> float:
        return statistics.median(x / y for x, y in zip(seconds[a], seconds[b], strict=True))

    reached = flops / convolution_flops * ratio("convolution", "framework")
    return [
        (f"{name}: step / bare loop over the same networks", ratio("framework", "bare"), "<= 1.05"),
        (f"{name}: default CPU setting / plain float32", ratio("framework", "float32"), "<= 0.65"),
        (f"{name}: share of the convolution ceiling", reached, f">= {share}" if share else ""),
        (f"{name}: transform and its inverse / step", ratio("transforms", "framework"), "<= 0.03"),
        (f"{name}: step / loading its batch", ratio("framework", "loader"), ">= 3"),
        (f"{name}: CPU seconds a step (information)", statistics.median(seconds["framework"]), ""),
    ]


def bare_loop(system: FrequencyGAN, images: Tensor, hardware: Hardware, *, fused: bool = True) -> Callable[[], None]:
    """One step of the same game as anyone would write it: no base class, no checks, no average, no log."""
    generator, discriminator = system.generators, system.game.judges
    for network in (generator, discriminator):
        network.to(memory_format=hardware.layout)
    g, d = (torch.optim.Adam(n.parameters(), 2e-4, (0.5, 0.999), fused=fused) for n in (generator, discriminator))
    loss = nn.functional.softplus

    def judge(bands: dict[str, Tensor]) -> dict[str, Tensor]:
        logits: dict[str, Tensor] = discriminator(discriminator.inputs_of(bands), discriminator.contexts_of(bands))
        return logits

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=hardware.bf16):
            real = generator.bands(images)
            fake = generator(torch.randn(len(images), system.vectors.count, system.vectors.dim))
            on_real, on_fake = judge(real), judge({name: band.detach() for name, band in fake.items()})
            d_loss = sum(loss(-on_real[name]).mean() + loss(on_fake[name]).mean() for name in real)
        d.zero_grad()
        d_loss.backward()
        d.step()
        discriminator.requires_grad_(False)
        with torch.autocast("cpu", torch.bfloat16, enabled=hardware.bf16):
            g_loss = sum(loss(-logits).mean() for logits in judge(fake).values())
        g.zero_grad()
        g_loss.backward()
        g.step()
        discriminator.requires_grad_(True)

    return step


def ceiling(hardware: Hardware) -> tuple[Callable[[], None], int]:
    """A large 3×3 convolution forward and backward in the same precision and layout, and its operations."""
    x = torch.randn(64, 128, 16, 16).to(memory_format=hardware.layout).requires_grad_()
    layer = nn.Conv2d(128, 128, 3, 1, 1, bias=False).to(memory_format=hardware.layout)
    gradient = torch.randn(64, 128, 16, 16).to(memory_format=hardware.layout)

    def run() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=hardware.bf16):
            y = layer(x)
        y.backward(gradient.to(y.dtype))

    return run, 3 * 2 * x.numel() * 128 * 9


def race(
    system: FrequencyGAN, data: DataModule, hardware: Hardware, others: dict[str, Callable[[], object]]
) -> dict[str, list[float]]:
    """CPU seconds of every candidate, a round per step; the first three are warm-up."""
    seconds: dict[str, list[float]] = {"framework": [], **{name: [] for name in others}}

    class Stopwatch(pl.Callback):
        """The last callback of a step: everything between two of its calls is the framework's."""

        begun: float | None = None

        def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
            if self.begun is not None:
                seconds["framework"].append(time.thread_time() - self.begun)
                for name, run in others.items():
                    begun = time.thread_time()
                    run()
                    seconds[name].append(time.thread_time() - begun)
            self.begun = time.thread_time()

    with TemporaryDirectory() as folder:
        journal = Journal(RunDirectory(Path(folder)), [], every_steps=50)
        around = [journal, Interruption(), ProgressBar(), Stopwatch()]
        make_trainer(hardware.trainer_arguments(), around).fit(system, datamodule=data)
    return {name: values[2:] for name, values in seconds.items()}
