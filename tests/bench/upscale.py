"""What enlarging pictures costs, and learning to: memory of a 4K picture in tiles, seconds of one thread.

`python -m tests.bench.upscale srcnn` measures another option of `model/generator`. Weights are as they were born: no
figure depends on them.
"""

import multiprocessing
import os
import resource
import statistics
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from PIL import Image
from torch import Tensor

from freqgan import config
from freqgan.config.application import compose
from freqgan.hardware import Hardware
from freqgan.inference import Restorer, encode, restore_picture
from freqgan.networks import SuperResolver
from freqgan.systems import Clock
from freqgan.vocabulary import shipped_conf
from tests.bench.timing import times
from tests.systems.stepping import without_trainer

Row = tuple[str, float, str]
MIB = 2**20
NAMES = ("branch_sr_small", "branch_sr_large", "edsr")
IN_FULL = ("branch_sr_small",)  # 4K takes the others minutes
SIDE = 128  # of the picture that is timed
WIDTH, HEIGHT = 3840, 2160


def rows(names: Sequence[str] = NAMES, rounds: int = 3) -> list[Row]:
    """Name, figure and goal."""
    Hardware(accelerator="cpu", threads=1).apply()
    of_networks = [
        row for name in names for row in (*costs(name, rounds), *([memory(name)] if name in IN_FULL else []))
    ]
    return [*of_networks, *training(rounds)]


def costs(name: str, rounds: int) -> list[Row]:
    """Seconds of the network in both precisions, and how much more of it tiles need."""
    network = build(name)
    low = torch.rand(1, 3, SIDE, SIDE)
    precisions = {"float32": partial(run, network, low), "bf16": partial(run, network, low, bf16=True)}
    seconds = {key: statistics.median(values) for key, values in times(precisions, rounds).items()}
    megapixels = (SIDE * network.scale) ** 2 / 1e6
    height, width = HEIGHT // network.scale, WIDTH // network.scale
    read = sum(tile.read_pixels for tile in restorer(network).tiles(height, width)) / (height * width)
    return [
        (f"{name}: CPU seconds per megapixel of output, float32", seconds["float32"] / megapixels, ""),
        (f"{name}: the same in bf16", seconds["bf16"] / megapixels, ""),
        (f"{name}: pixels that the tiles of a 4K picture read / its pixels", read, ""),
    ]


def training(rounds: int) -> list[Row]:
    """Steps of experiment=branch_sr/x4_small in a CPU second, in each precision and layout."""
    settings = config.resolve(compose("train", ["experiment=branch_sr/x4_small", "data.root=unread"]))
    data = settings["data"]
    high = torch.rand(data["batch_size"], 3, data["image_size"], data["image_size"]) * 2 - 1
    chosen = {
        "float32": (torch.contiguous_format, False),
        "float32, channels last": (torch.channels_last, False),
        "bf16, channels last": (torch.channels_last, True),
    }
    steps = {
        name: partial(step, trained(settings, layout), high, layout, bf16) for name, (layout, bf16) in chosen.items()
    }
    seconds = {name: statistics.median(values) for name, values in times(steps, 3 * rounds, repeats=2).items()}
    return [(f"branch_sr/x4_small: training steps per CPU second, {name}", 1 / s, "") for name, s in seconds.items()]


def trained(settings: dict[str, Any], layout: torch.memory_format) -> Any:
    """The experiment's system, which takes steps without a Trainer."""
    system = config.build_model(settings, seed=1)
    system.to(memory_format=layout)
    system.clock = Clock(images=10**9)
    return without_trainer(system)


def step(system: Any, high: Tensor, layout: torch.memory_format, bf16: bool) -> None:
    """A whole step, as Lightning runs it."""
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        system.training_step({"image": high.contiguous(memory_format=layout)}, 0)


def memory(name: str) -> Row:
    """Growth of the resident memory from a first small picture to a 4K one, in a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        growth = pool.apply(growth_of, (name,))
    return (f"{name}: growth of memory for a 4K picture, MiB", growth, "<= 400")


def growth_of(name: str) -> float:
    """MiB between what is resident before a 4K picture and the most that ever is."""
    Hardware(accelerator="cpu", threads=1).apply(keep_memory=False)
    network = build(name)
    in_tiles = restorer(network)
    enlarge(noise(16, 16), in_tiles)
    before = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    enlarge(noise(WIDTH // network.scale, HEIGHT // network.scale), in_tiles)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - before / MIB


def enlarge(low: Image.Image, in_tiles: Restorer) -> None:
    """All that a picture goes through but the disk."""
    encode(restore_picture(low, in_tiles), ".png", quality=95)


def build(name: str) -> SuperResolver:
    """A network of conf/model/generator."""
    torch.manual_seed(0)
    node = yaml.safe_load((shipped_conf() / "model" / "generator" / f"{name}.yaml").read_text(encoding="utf-8"))
    network: SuperResolver = config.build(node | {"in_channels": 3})
    return network.eval().to(memory_format=torch.channels_last)


def restorer(network: SuperResolver) -> Restorer:
    """The network in tiles."""
    return Restorer(restore=partial(run, network), scale=network.scale, halo=network.halo)


@torch.no_grad()
def run(network: SuperResolver, low: Tensor, *, bf16: bool = False) -> Tensor:
    """As `freqgan upscale` does."""
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        return network.upscale(low.contiguous(memory_format=torch.channels_last)).float().clamp(-1, 1)


def noise(width: int, height: int) -> Image.Image:
    """A picture that no format compresses."""
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3)).astype(np.uint8))


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    for label, value, goal in rows(sys.argv[1:] or NAMES):
        print(f"{label:62} {value:8.3f} {goal}")
