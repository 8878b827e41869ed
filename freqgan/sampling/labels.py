"""What a model makes of given label maps, once or with several looks."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from freqgan import config
from freqgan.callbacks import save_grid
from freqgan.data import DataModule, ImageDataset
from freqgan.data.given_labels import GivenLabels, GivenMap, MapReading
from freqgan.data.layouts import AnyFit
from freqgan.errors import UserError
from freqgan.ops.palette import label_pictures
from freqgan.runs.files import storage
from freqgan.systems import LabelToImage
from freqgan.systems.looks import Looks
from freqgan.terminal import table_console

SHOWN = 16  # label maps on the sheet
_log = logging.getLogger(__name__)


def draw_labels(system: LabelToImage, settings: dict[str, Any], folder: Path) -> None:
    """Writes a picture of each label map with each seed, and a sheet of the first ones beside their labels.

    Raises:
        UserError: the model was trained without labels or has no looks to choose among, or a map cannot be drawn.
    """
    _refuse(system, settings)
    given, reading = given_labels(settings, system.inputs.things)
    chosen = _by_class(settings["looks"], reading)
    seeds = range(settings["seed"], settings["seed"] + settings["seeds"])
    shown: list[Tensor] = []
    for number, one in enumerate(given):
        looks = looks_of(one, chosen)
        how: dict[str, Any] = {"looks": looks, "weights": settings["weights"]}
        results = [system.synthesize_labels(one.label_map, one.instance_map, seed=s, **how).cpu() for s in seeds]
        for seed, picture in zip(seeds, results, strict=True):
            suffix = f"_seed{seed}" if system.generator.varied else ""
            file = folder / f"{one.name}{suffix}.png"
            with storage(file):
                file.parent.mkdir(parents=True, exist_ok=True)
                save_grid(picture, file, gap=0, enlarge=False)
        if number < SHOWN:
            shown += [label_pictures(one.label_map), *results]
    sheet = folder.parent / f"{folder.name}.png"
    save_grid(_of_one_size(shown), sheet, columns=1 + len(seeds))
    told = f"label maps: {len(given)}, seeds: {len(seeds)}, in {folder}, the first together in {sheet}"
    table_console().print(told)


def map_reading(settings: Mapping[str, Any], fit: AnyFit | None) -> tuple[MapReading, ImageDataset]:
    """How label maps are read, as in the run's training, and what it has learnt from."""
    stored = config.load_run(settings["run"], settings["allow_targets"], groups=["data"])
    data: DataModule = config.build(stored["data"], cache_dir=settings["paths"]["cache_dir"])
    dataset = data.unprepared("val")
    return MapReading.of(dataset, fit), dataset


def given_labels(settings: Mapping[str, Any], things: Sequence[int]) -> tuple[GivenLabels, MapReading]:
    """The checked label maps, and how they are read; classes are countable by the data, or else by the model."""
    reading, dataset = map_reading(settings, settings["fit"])
    reading = replace(reading, things=reading.things or tuple(things))
    labels, instances = (settings[name] and Path(settings[name]).expanduser() for name in ("labels", "instances"))
    given = GivenLabels(labels, instances, reading)
    given.check()
    if instances is None and dataset.own_instances:
        _log.warning("the run has learnt instances, and without instances=<folder> all of a class is one")
    return given, reading


def looks_of(one: GivenMap, chosen: Mapping[int, int]) -> Looks:
    """The chosen looks of all instances of these classes."""
    pairs = torch.stack((one.label_map.flatten(), one.instance_map.flatten()), 1).unique(dim=0)
    return {(label, instance): chosen[label] for label, instance in pairs.tolist() if label in chosen}


def _refuse(system: LabelToImage, settings: Mapping[str, Any]) -> None:
    """Raises a UserError for what the model cannot do."""
    run, encoder = settings["run"], system.generator.encoder
    if system.inputs.num_classes is None:
        raise UserError(f"run={run} was trained without labels: name one of model=label_to_image with data.num_classes")
    if (encoder is None and settings["looks"]) or (not system.generator.varied and settings["seeds"] > 1):
        fix = "set seeds=1 and looks={}, or train with model.features=3"
        raise UserError(f"run={run} makes one picture of a label map, it has learnt no looks: {fix}")
    if encoder is not None and not encoder.counts.any():
        _log.warning("checkpoint=%s has no looks yet, training finds them at its end", settings["checkpoint"])


def _by_class(looks: Mapping[str, int], reading: MapReading) -> dict[int, int]:
    """Numbers of looks by the number of the class."""
    return dict(zip(reading.classes.numbers([*looks], "looks"), looks.values(), strict=True))


def _of_one_size(pictures: Iterable[Tensor]) -> Tensor:
    """Pictures (1, c, h, w) in one batch, white where they are smaller than the largest."""
    rgb = [picture.expand(-1, 3, -1, -1) for picture in pictures]
    height, width = (max(picture.shape[axis] for picture in rgb) for axis in (-2, -1))
    sides = ((0, width - x.shape[-1], 0, height - x.shape[-2]) for x in rgb)
    return torch.cat([F.pad(x, side, value=1.0) for x, side in zip(rgb, sides, strict=True)])
