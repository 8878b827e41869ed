"""Small canvases and models to edit."""

from functools import partial
from typing import Any

import numpy as np
import torch

from freqgan.data.given_labels import MapReading
from freqgan.data.label_classes import LabelClasses
from freqgan.data.layouts import layout_of
from freqgan.editing import Canvas, Editor, LabelFiles, Materials, Renderer
from freqgan.networks import CoarseToFine, GlobalGenerator
from freqgan.systems import LabelToImage
from tests.systems import labels

SKY, ROAD, CAR, TREE = range(4)
THINGS = frozenset({CAR, TREE})
NAMES = ("sky", "road", "car", "tree")
MAX_PIXELS = 4096


def street(height: int = 12, width: int = 16) -> Canvas:
    """Sky above a road, with two cars that touch."""
    plane = np.full((height, width), SKY, np.uint8)
    plane[height // 2 :] = ROAD
    instances = plane.astype(np.int32)
    plane[height // 2 : height // 2 + 3, 4:10] = CAR
    instances[height // 2 : height // 2 + 3, 4:7], instances[height // 2 : height // 2 + 3, 7:10] = 1000, 1001
    return Canvas(plane, instances, THINGS)


def model(norm: str = "batch", **given: Any) -> LabelToImage:
    """A global generator and an enhancer around it, as it is at use."""
    coarse = partial(GlobalGenerator, channels=8, halvings=1, blocks=1, norm=norm)
    generator = partial(CoarseToFine, coarse=coarse, enhancers=(1,), norm=norm)
    built = labels.system(generator=generator, **given)
    return built.eval().to(memory_format=torch.channels_last)


def files(max_pixels: int = MAX_PIXELS, **given: Any) -> LabelFiles:
    """Label maps whose ids are the classes, or others."""
    classes = LabelClasses(len(NAMES), NAMES, **given)
    return LabelFiles(MapReading(classes, layout_of("whole", (12, 16), 1, labels=True)), max_pixels)


def editor(canvas: Canvas | None = None, *, norm: str = "batch", **given: Any) -> Editor:
    """An editor of a street."""
    materials = Materials(
        renderer=Renderer(model(norm, **given)),
        files=files(),
        things=THINGS,
        examples=[street(), street(24, 32)],
        size=(12, 16),
        step=8,
        max_pixels=MAX_PIXELS,
    )
    return Editor(materials, canvas or street())
