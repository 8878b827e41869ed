"""Editing: how long a picture takes after a stroke, at 256×192 on one core, and on a canvas many times as wide.

The networks are those of `experiment=label_to_image/camvid`: a global generator and an enhancer around it. Seconds of
the thread's processor time, from the request to the answer, PNG files included.
"""

import statistics
from collections.abc import Callable
from itertools import cycle

import numpy as np
import torch

from freqgan import config
from freqgan.config.application import compose
from freqgan.data.given_labels import MapReading
from freqgan.data.label_classes import LabelClasses
from freqgan.data.layouts import layout_of
from freqgan.editing import Canvas, Editor, LabelFiles, Materials, Renderer
from freqgan.hardware import Hardware
from tests.bench.timing import times

Row = tuple[str, float, str]
HEIGHT, WIDTH, WIDER = 192, 256, 2048
BATCH = ["model.generator.norm=batch", "model.generator.coarse.norm=batch"]


def rows(rounds: int = 8) -> list[Row]:
    """Name, seconds and goal."""
    Hardware(accelerator="cpu", threads=1).apply()
    candidates = {
        f"edit: {WIDTH}x{HEIGHT}, instance norm, all made again, s": stroke(editor(WIDTH)),
        f"edit: {WIDTH}x{HEIGHT}, batch norm, what a stroke reaches, s": stroke(editor(WIDTH, *BATCH)),
        f"edit: {WIDER}x{HEIGHT}, instance norm, all made again, s": stroke(editor(WIDER)),
        f"edit: {WIDER}x{HEIGHT}, batch norm, what a stroke reaches, s": stroke(editor(WIDER, *BATCH)),
    }
    seconds = {name: statistics.median(values) for name, values in times(candidates, rounds).items()}
    return [(name, value, "<= 0.5" if f" {WIDTH}x" in name else "") for name, value in seconds.items()]


def stroke(some: Editor) -> Callable[[], None]:
    """A stroke in the middle of the canvas, of one class and of another in turns."""
    labels, x, shown = cycle((1, 2)), some.canvas.width / 2, some.answer({"do": "show"})

    def painted() -> None:
        points = [[x, 90.0], [x + 20, 100.0]]
        given = {"do": "paint", "points": points, "radius": 6.0, "label": next(labels)}
        reply = some.answer(given | {"revision": shown["revision"]})
        if "error" in reply or reply["picture"] is None:
            raise RuntimeError(f"nothing was made: {reply}")
        shown.update(reply)

    return painted


def editor(width: int, *settings: str) -> Editor:
    """Of the networks, untrained, with blocks of labels before it."""
    torch.manual_seed(0)
    chosen = ["experiment=label_to_image/camvid", "data.root=nowhere", "model.examples=1", *settings]
    system = config.build_model(config.resolve(compose("train", chosen)), seed=1)
    count = system.inputs.num_classes
    blocks = np.random.default_rng(0).integers(0, count, (HEIGHT // 16, width // 16)).astype(np.uint8)
    plane = blocks.repeat(16, 0).repeat(16, 1)
    canvas = Canvas(plane, plane.astype(np.int32))
    materials = Materials(
        renderer=Renderer(system.eval().to(memory_format=torch.channels_last)),
        files=LabelFiles(MapReading(LabelClasses(count), layout_of("whole", (HEIGHT, width), 1, labels=True)), 2**20),
        things=frozenset(),
        examples=[],
        size=(HEIGHT, width),
        step=64,
        max_pixels=2**20,
    )
    return Editor(materials, canvas)
