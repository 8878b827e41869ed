"""A step of CycleGAN and of pix2pix at the size of their papers, against a plain loop over the same networks.

The loop runs every forward pass that the papers' code runs, in float32 and the contiguous layout, with PyTorch's
default Adam, and spares discriminators their gradients in the generators' turn as the papers' code does. The
framework's step has besides a moving average, a check of all gradients, and the pool; it is in channels-last layout,
which was the faster one in both precisions. `python -m tests.bench.translation 128` measures at another size.
"""

import os
import statistics
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from freqgan import config
from freqgan.config.application import compose
from freqgan.hardware import Hardware
from freqgan.systems import Clock
from tests.bench.timing import median_ratio, times
from tests.systems.stepping import without_trainer

Row = tuple[str, float, str]
Step = Callable[[], None]
GOALS = {"float32": "<= 1.0", "bf16": "<= 0.65"}


def rows(size: int = 256, rounds: int = 2) -> list[Row]:
    """Name, ratio and goal."""
    Hardware(accelerator="cpu", threads=1).apply()
    return [
        *measure("CycleGAN", cyclegan_loop, size, rounds),
        *measure("pix2pix", pix2pix_loop, size, 3 * rounds),
    ]


def measure(name: str, loop: Callable[[Any, Tensor, Tensor], Step], size: int, rounds: int) -> list[Row]:
    """The framework in both precisions over the loop, step by step in turns."""
    a, b = (torch.rand(1, 3, size, size) * 2 - 1 for _ in range(2))
    model = name.lower()
    candidates: dict[str, Step] = {
        "loop": loop(build(model, size), a, b),
        "float32": partial(step, build(model, size, torch.channels_last), a, b, bf16=False),
        "bf16": partial(step, build(model, size, torch.channels_last), a, b, bf16=True),
    }
    seconds = times(candidates, rounds)
    over = f"{name} {size} px: step in {{}} / plain loop in float32"
    return [
        *((over.format(key), median_ratio(seconds[key], seconds["loop"]), goal) for key, goal in GOALS.items()),
        (f"{name} {size} px: CPU seconds of the plain loop's step", statistics.median(seconds["loop"]), ""),
    ]


def build(model: str, size: int, layout: torch.memory_format = torch.contiguous_format) -> Any:
    """The published model, which takes steps without a Trainer."""
    torch.manual_seed(0)
    pairs = ["data=scenes", "data.source.domain=pair", f"data.image_size={size}", "data.batch_size=1"]
    system = config.build_model(config.resolve(compose("train", [*pairs, f"model={model}"])), seed=1)
    system.to(memory_format=layout)
    system.clock = Clock(images=10**9)
    return without_trainer(system)


def step(system: Any, a: Tensor, b: Tensor, *, bf16: bool) -> None:
    """A whole step, as Lightning runs it."""
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        system.training_step({"image": a, "image_b": b}, 0)


def players(system: Any) -> tuple[nn.Module, nn.Module, torch.optim.Optimizer, torch.optim.Optimizer]:
    """Networks of a system, each with the optimiser that anyone would take."""
    g, d = system.generator, system.discriminator
    adams = [torch.optim.Adam(network.parameters(), 2e-4, (0.5, 0.999)) for network in (g, d)]
    return g, d, adams[0], adams[1]


def cyclegan_loop(system: Any, a: Tensor, b: Tensor) -> Step:
    """CycleGAN's step: six passes through generators, six through discriminators."""
    g, d, g_adam, d_adam = players(system)
    there, back, judge_a, judge_b = g["ab"], g["ba"], d["a"], d["b"]  # type: ignore[index]

    def run() -> None:
        fake_b, fake_a = there(a), back(b)
        d.requires_grad_(False)
        g_adam.zero_grad()
        same = F.l1_loss(there(b), b) + F.l1_loss(back(a), a)
        cycles = F.l1_loss(back(fake_b), a) + F.l1_loss(there(fake_a), b)
        fooled = (judge_b(fake_b) - 1).square().mean() + (judge_a(fake_a) - 1).square().mean()
        (fooled + 10 * cycles + 5 * same).backward()
        g_adam.step()
        d.requires_grad_(True)
        d_adam.zero_grad()
        for judge, real, fake in ((judge_a, a, fake_a), (judge_b, b, fake_b)):
            (((judge(real) - 1).square().mean() + judge(fake.detach()).square().mean()) / 2).backward()
        d_adam.step()

    return run


def pix2pix_loop(system: Any, a: Tensor, b: Tensor) -> Step:
    """pix2pix's step: one pass through the generator, three through the discriminator."""
    g, d, g_adam, d_adam = players(system)

    def loss(logits: Tensor, real: bool) -> Tensor:
        return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, float(real)))

    def run() -> None:
        fake = g(a)
        d_adam.zero_grad()
        on_fake, on_real = d(torch.cat((a, fake.detach()), 1)), d(torch.cat((a, b), 1))
        ((loss(on_fake, False) + loss(on_real, True)) / 2).backward()
        d_adam.step()
        d.requires_grad_(False)
        g_adam.zero_grad()
        (loss(d(torch.cat((a, fake), 1)), True) + 100 * F.l1_loss(fake, b)).backward()
        g_adam.step()
        d.requires_grad_(True)

    return run


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    for label, value, goal in rows(*map(int, sys.argv[1:])):
        print(f"{label:62} {value:8.3f} {goal}")
