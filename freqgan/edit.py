"""`freqgan edit`: a page on which a label map is painted, and what a run makes of it at once."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from omegaconf import DictConfig

from freqgan import config
from freqgan.data.given_labels import GivenLabels, MapReading
from freqgan.editing import Canvas, Editor, LabelFiles, Materials, Renderer
from freqgan.errors import UserError
from freqgan.hardware import Hardware
from freqgan.ops.instances import labels_of
from freqgan.runs.stored import load_system
from freqgan.sampling import map_reading
from freqgan.systems import LabelToImage
from freqgan.terminal import table_console

MIB = 2**20


def main(cfg: DictConfig) -> None:
    """Shows the page until it is interrupted.

    Raises:
        UserError: the page's package is missing, the run cannot be edited with, or the address is taken.
    """
    settings = config.resolve(cfg)
    try:
        from freqgan.editing.server import PageServer
    except ImportError as error:
        if (error.name or "").startswith("freqgan"):
            raise
        raise UserError(f"the page needs {error.name}: pip install 'freqgan[edit]'") from error
    editor = load_editor(settings)
    title = f"freqgan: {Path(settings['run']).resolve().name}"
    where = {"host": settings["host"], "port": settings["port"]}
    server = PageServer(editor, **where, max_bytes=settings["max_mib"] * MIB, title=title)
    table_console().print(f"open {server.url} in a browser; Ctrl-C ends")
    server.run()


def load_editor(settings: dict[str, Any]) -> Editor:
    """The run's model with a canvas before it.

    Raises:
        UserError: no such run, one of another model, or one that makes images of images.
    """
    hardware: Hardware = config.build(settings["hardware"])
    hardware.apply()
    trusted = settings["allow_targets"]
    system, _ = load_system(settings["run"], checkpoint=settings["checkpoint"], allow_targets=trusted)
    if not isinstance(system, LabelToImage) or system.inputs.num_classes is None:
        raise UserError(
            f"run={settings['run']} makes no pictures of label maps: name one of model=label_to_image with labels"
        )
    system.to("cuda" if hardware.on_gpu else "cpu", memory_format=torch.channels_last)
    reading, _ = map_reading(settings, "whole")
    plain = [Canvas(*planes) for planes in _examples(system)]
    things = things_of(system, reading, plain, settings["things"])
    examples = [replace(canvas, things=things, seed=settings["seed"]) for canvas in plain]
    height, width = system.examples.shapes["label_map"]
    renderer = Renderer(system, weights=settings["weights"])
    blocks = -(-(settings["step"] or width // 2) // renderer.stride)
    materials = Materials(
        renderer=renderer,
        files=LabelFiles(reading, settings["max_pixels"]),
        things=things,
        examples=examples,
        size=(height, width),
        step=max(blocks, 1) * renderer.stride,
        max_pixels=settings["max_pixels"],
    )
    blank = Canvas.blank(height, width, 0, things=things)
    first = _given(settings, reading, things) or next(iter(examples), blank)
    return Editor(materials, replace(first, seed=settings["seed"]))


def things_of(
    system: LabelToImage, reading: MapReading, examples: list[Canvas], chosen: list[str | int] | None
) -> frozenset[int]:
    """Classes of which each stroke is an instance: as chosen, as configured, or those with several ids in examples."""
    if chosen is not None:
        return frozenset(reading.classes.numbers(chosen, "things"))
    if configured := {*reading.things, *system.inputs.things}:
        return frozenset(configured)
    instances = {one for canvas in examples for one in np.unique(canvas.regions).tolist()}
    labels = [int(label) for label in labels_of(torch.tensor(sorted(instances)))]
    return frozenset(label for label in labels if labels.count(label) > 1)


def _examples(system: LabelToImage) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Label and instance maps of the run's examples."""
    batch = system.examples.batch(0, len(system.examples))
    for labels, instances in zip(batch["label_map"], batch["instance_map"], strict=True):
        yield labels.cpu().numpy().astype(np.uint8), instances.cpu().numpy().astype(np.int32)


def _given(settings: dict[str, Any], reading: MapReading, things: frozenset[int]) -> Canvas | None:
    """The label map that the user begins with."""
    if settings["labels"] is None:
        if settings["instances"] is not None:
            raise UserError("instances are of a label map: give one with labels=<file>")
        return None
    labels, instances = (settings[name] and Path(settings[name]).expanduser() for name in ("labels", "instances"))
    one = next(iter(GivenLabels(labels, instances, replace(reading, things=tuple(sorted(things))))))
    return Canvas(one.label_map[0].numpy().astype(np.uint8), one.instance_map[0].numpy().astype(np.int32), things)
