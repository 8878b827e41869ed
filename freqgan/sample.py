"""`freqgan sample`: pictures from a run's generator, the same ones for the same seed.

Of a model that makes images of images: its results for the validation examples that the run has kept.
"""

from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig
from rich.console import Console

from freqgan import config
from freqgan.callbacks import save_grid
from freqgan.errors import UserError
from freqgan.hardware import Hardware
from freqgan.runs.stored import load_system
from freqgan.systems import System

WISHES = ("target", "reference")  # each method says which of them it can fulfil
BATCH = 64  # rounding may differ between batch sizes, so it is not a setting


def main(cfg: DictConfig) -> None:
    """Writes `n` pictures one by one, and a grid of the first 64."""
    settings = config.resolve(cfg)
    hardware: Hardware = config.build(settings["hardware"])
    hardware.apply()
    system, content = load_system(settings["run"], checkpoint=settings["checkpoint"], allow=settings["allow"])
    wishes = {name: settings[name] for name in WISHES if settings[name] is not None}
    system.aim(wishes)
    system.to("cuda" if hardware.on_gpu else "cpu", memory_format=hardware.layout)
    n, what = how_many(system, settings)
    seed, weights, images = settings["seed"], settings["weights"], content["clock"]["images_seen"]
    name = "_".join([f"seed{seed}_{weights}_images{images}", *(f"{w}_{Path(v).stem}" for w, v in wishes.items())])
    folder = Path(settings["output"] or Path(settings["run"]) / "samples" / name)
    folder.mkdir(parents=True, exist_ok=True)
    shown: list[torch.Tensor] = []
    for first in range(0, n, BATCH):
        batch = system.sample(first, BATCH, seed=seed, weights=weights).cpu()[: n - first]
        for number, picture in enumerate(batch, first):
            save_grid(picture[None], folder / f"{number:06d}.png", gap=0, enlarge=False)
        shown = shown or [batch]
    grid = folder.parent / f"{folder.name}.png"  # beside the folder, which can then be judged with `evaluate images=`
    save_grid(torch.cat(shown), grid)
    Console().print(f"{n} {what} in {folder}, the first together in {grid}", soft_wrap=True)


def how_many(system: System, settings: dict[str, Any]) -> tuple[int, str]:
    """Pictures to write, and what they are.

    Raises:
        UserError: the run has kept no example to make them of.
    """
    if system.examples is None:
        return settings["n"], "samples"
    if not len(system.examples):
        raise UserError(f"run={settings['run']} keeps no examples, as an export does not: name the run it comes from")
    return min(settings["n"], len(system.examples)), "results for examples of the validation images"
