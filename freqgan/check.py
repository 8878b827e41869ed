"""`freqgan check`: what a training config would build and cost, without building anything big."""

import math
from typing import Any

import torch
from omegaconf import DictConfig
from rich.table import Table

from freqgan import config
from freqgan.data.base import height_and_width
from freqgan.data.stream import refuse_draws
from freqgan.errors import UserError
from freqgan.hardware import Hardware
from freqgan.runs.prerequisites import missing_runs, no_judge
from freqgan.runs.provenance import machine
from freqgan.systems import System
from freqgan.systems.estimate import speed, step_cost
from freqgan.terminal import table_console

BASE_GIB = 0.7  # of a process that has imported PyTorch
SHARE = 0.4  # of a large convolution's speed that small networks reach in a step; measured 0.1 to 0.7
EVALUATION_NOTE = "training alone; each evaluation adds its own time"


def main(cfg: DictConfig) -> None:
    """Prints the networks, the budget, an estimate of memory and time, and which other run has to be made first."""
    settings = config.resolve(cfg)
    hardware: Hardware = config.build(settings["hardware"])
    hardware.apply()
    refuse_data(settings)
    with torch.device("meta"):
        system: System = config.build_model(settings, seed=settings["seed"])
    console = table_console()
    console.print(networks(system))
    console.print(budget(settings, system, hardware))
    for line in (*missing_runs(settings), *no_judge(settings["metrics"] or {}, settings["model"])):
        console.print(f"note: {line}", soft_wrap=True, markup=False)
    console.print("nothing was trained: `freqgan train` with the same arguments does")


def refuse_data(settings: dict[str, Any]) -> None:
    """Looks whether the data are of the kind that the model learns from; nothing of them is read.

    Raises:
        UserError: their settings do not go together, or they have one domain or no pairs, and the model wants more.
    """
    data = config.build_data(settings)
    try:
        dataset = data.unprepared("train")
    except UserError:
        if settings["data"].get("root", "") is None:  # the folder is still to be named
            return
        raise
    refuse_draws(dataset, data.draws)


def networks(system: System) -> Table:
    """A row for every game, and their sum."""
    rows = system.describe()
    table = Table(*rows[0].keys(), title=type(system).__name__)
    for row in rows:
        table.add_row(*(f"{value:,}" if isinstance(value, int) else value for value in row.values()))
    if len(rows) > 1:
        sums = [sum(r[key] for r in rows) if isinstance(rows[0][key], int) else "" for key in rows[0]]  # type: ignore[misc]
        table.add_section()
        table.add_row("all", *(f"{value:,}" if isinstance(value, int) else value for value in sums[1:]))
    return table


def budget(settings: dict[str, Any], system: System, hardware: Hardware) -> Table:
    """Images, steps, memory and time.

    Raises:
        UserError: layers of the model do not fit each other or the data.
    """
    data, limits = settings["data"], settings["budget"]
    shape = (data["batch_size"], data["channels"], *height_and_width(data["image_size"]))
    try:
        cost = step_cost(system, sample_batch(shape))
    except (RuntimeError, ValueError) as error:  # of PyTorch's: ours are UserErrors
        raise UserError(
            f"a batch of {' × '.join(map(str, shape))} (images × channels × height × width) does not pass through the "
            f"model: {error}: compare its numbers of channels and its sizes with each other and with those in data"
        ) from error
    activations = cost.activation_bytes * (0.6 if hardware.bf16 else 1.0)
    memory = BASE_GIB + (activations + cost.state_bytes) / 2**30
    device = torch.device("cuda" if hardware.on_gpu else "cpu")
    seconds = cost.flops / (SHARE * speed(bf16=hardware.bf16, layout=hardware.layout, device=device))
    images = limits["images"]
    if limits["minutes"] is not None:
        possible = int(limits["minutes"] * 60 / seconds) * shape[0]
        images = min(images, possible) if images else possible
    table = Table("quantity", "value", title="budget and estimates")
    table.add_row("images", f"{images:,}" + ("" if limits["minutes"] is None else " (estimated from minutes)"))
    table.add_row("steps", f"{images // shape[0]:,} of {shape[0]} images")
    table.add_row("operations per step", f"{cost.flops / 1e9:.2f} GFLOP")
    here = memory_here(hardware)
    table.add_row("memory, about", f"{memory:.2f} GiB" + (f", more than the {here:.0f} here" if memory > here else ""))
    table.add_row("time, about", f"{seconds * images / shape[0] / 60:.1f} minutes ({EVALUATION_NOTE})")
    return table


def memory_here(hardware: Hardware) -> float:
    """GiB that a device has in all, others' share too; infinite where the system does not tell."""
    if hardware.on_gpu:
        return torch.cuda.get_device_properties(0).total_memory / 2**30
    return machine()["memory_gib"] or math.inf


def sample_batch(shape: tuple[int, ...]) -> dict[str, Any]:
    """All that a batch of images (b, c, h, w) can have, on the meta device; every model takes what it learns from."""
    images = {name: torch.empty(shape, device="meta") for name in ("image", "image_b")}
    maps = {
        name: torch.empty((shape[0], *shape[2:]), dtype=torch.int64, device="meta")
        for name in ("label_map", "instance_map")
    }
    return {**images, **maps, "caption": [""] * shape[0]}
