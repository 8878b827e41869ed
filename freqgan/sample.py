"""`freqgan sample`: pictures from a run's generator, the same for the same seed."""

from pathlib import Path
from typing import Any

from omegaconf import DictConfig
from rich.console import Console

from freqgan import config
from freqgan.callbacks import save_grid
from freqgan.errors import UserError
from freqgan.hardware import Hardware
from freqgan.runs.stored import load_weights
from freqgan.systems import System

BATCH = 64


def main(cfg: DictConfig) -> None:
    """Writes `n` pictures one by one and a grid of them."""
    settings = config.resolve(cfg)
    if settings["run"] is None:
        raise UserError("run is not set: name a run directory with run=<dir>; `freqgan runs` lists them")
    run = Path(settings["run"])
    hardware: Hardware = config.build(settings["hardware"])
    hardware.apply()
    system, content = rebuild(settings)
    images = content["clock"]["images_seen"]
    name = f"seed{settings['seed']}_{settings['weights']}_images{images}"
    folder = Path(settings["output"]) if settings["output"] else run / "samples" / name
    folder.mkdir(parents=True, exist_ok=True)
    pictures = []
    for first in range(0, settings["n"], BATCH):
        count = min(BATCH, settings["n"] - first)
        batch = system.sample(first, count, seed=settings["seed"], weights=settings["weights"]).cpu()
        for i, picture in enumerate(batch):
            save_grid(picture[None], folder / f"{first + i:06d}.png", gap=0, enlarge=False)
        pictures.append(batch[: max(0, 64 - first)])
    import torch

    save_grid(torch.cat(pictures), folder / "grid.png")
    Console().print(f"{settings['n']} samples in {folder}, together in {folder / 'grid.png'}", soft_wrap=True)


def rebuild(settings: dict[str, Any]) -> tuple[System, dict[str, Any]]:
    """The system of a run with the weights that `checkpoint` names, on the machine's device."""
    stored = config.load_run(settings["run"], settings["allow"])
    hardware: Hardware = config.build(settings["hardware"])
    system: System = config.build_model(stored, seed=stored["seed"])
    content = load_weights(system, Path(settings["run"]), settings["checkpoint"])
    return system.to("cuda" if hardware.on_gpu else "cpu").eval(), content
