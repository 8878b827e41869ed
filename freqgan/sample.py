"""`freqgan sample`: pictures from a run's generator, the same ones for the same seed.

Of a model that makes images of images: its results for the validation examples that the run has kept. Of one that reads
captions or label maps: what it makes of given ones.
"""

from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig

from freqgan import config
from freqgan.callbacks import save_grid
from freqgan.data.cache import digest
from freqgan.errors import UserError
from freqgan.hardware import Hardware
from freqgan.inference import read_captions
from freqgan.runs.files import storage
from freqgan.runs.stored import load_system
from freqgan.sampling import draw_captions, draw_labels
from freqgan.systems import LabelToImage, StagedTextGAN, System
from freqgan.terminal import table_console

WISHES = ("target", "reference")  # each method says which of them it can fulfil; files whose names say enough
BATCH = 64  # rounding may differ between batch sizes, so it is not a setting
OF_LABELS: dict[str, Any] = {"instances": None, "looks": {}, "fit": None}  # what is said of label maps alone


def main(cfg: DictConfig) -> None:
    """Writes pictures one by one, and a grid of the first ones."""
    settings = config.resolve(cfg)
    hardware: Hardware = config.build(settings["hardware"])
    hardware.apply()
    trusted = settings["allow_targets"]
    system, content = load_system(settings["run"], checkpoint=settings["checkpoint"], allow_targets=trusted)
    wishes = wishes_of(system, settings)
    system.aim(wishes)
    system.to("cuda" if hardware.on_gpu else "cpu", memory_format=hardware.layout)
    seed, weights, images = settings["seed"], settings["weights"], content["clock"]["images_seen"]
    given = wishes if settings["labels"] is None else {"labels": settings["labels"]} | of_labels(settings)
    said = {wish: Path(value).stem if wish in WISHES else digest(value) for wish, value in given.items()}
    name = "_".join([f"seed{seed}_{weights}_images{images}", *(f"{wish}_{value}" for wish, value in said.items())])
    folder = Path(settings["output"] or Path(settings["run"]) / "samples" / name)
    if isinstance(system, LabelToImage) and settings["labels"] is not None:
        draw_labels(system, settings, folder)
    elif isinstance(system, StagedTextGAN) and "captions" in wishes:
        draw_captions(system, wishes["captions"].splitlines(), settings, folder)
    else:
        draw(system, settings, folder)


def wishes_of(system: System, settings: dict[str, Any]) -> dict[str, str]:
    """What samples are to be made from instead of chance, but for label maps.

    Raises:
        UserError: captions or label maps for a model that reads none, or what belongs to them without them.
    """
    wishes = {name: settings[name] for name in WISHES if settings[name] is not None}
    labels, captions = settings["labels"], settings["captions"]
    if labels is None and (alone := of_labels(settings)):
        raise UserError(f"{next(iter(alone))} is of label maps: give some with labels=<file or folder>")
    if labels is not None and not isinstance(system, LabelToImage):
        raise UserError(f"labels are for models that draw them: run={settings['run']} is of {type(system).__name__}")
    if captions is None:
        if labels is None and settings["seeds"] > 1:
            fix = "give some, or set n to draw more samples"
            raise UserError(f"seeds={settings['seeds']} are for captions and label maps: {fix}")
        return wishes
    if not isinstance(system, StagedTextGAN):
        raise UserError(f"captions are for models that read them: run={settings['run']} is of {type(system).__name__}")
    return wishes | {"captions": "\n".join(read_captions(captions))}


def of_labels(settings: dict[str, Any]) -> dict[str, Any]:
    """What is said of label maps beside where they are."""
    return {name: settings[name] for name, default in OF_LABELS.items() if settings[name] != default}


def draw(system: System, settings: dict[str, Any], folder: Path) -> None:
    """Writes `n` pictures, and a grid of the first 64."""
    n, what = how_many(system, settings)
    with storage(folder):
        folder.mkdir(parents=True, exist_ok=True)
    shown: list[torch.Tensor] = []
    for first in range(0, n, BATCH):
        batch = system.sample(first, BATCH, seed=settings["seed"], weights=settings["weights"]).cpu()[: n - first]
        for number, picture in enumerate(batch, first):
            save_grid(picture[None], folder / f"{number:06d}.png", gap=0, enlarge=False)
        shown = shown or [batch]
    grid = folder.parent / f"{folder.name}.png"  # beside the folder, which can then be judged with `evaluate images=`
    save_grid(torch.cat(shown), grid)
    table_console().print(f"{n} {what} in {folder}, the first together in {grid}")


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
