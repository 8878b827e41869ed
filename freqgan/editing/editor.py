"""One canvas that everybody edits who has the page open: requests in, what has changed out."""

import base64
import binascii
import logging
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, assert_never, final

import numpy as np
from PIL import Image

from freqgan.editing import requests as asked
from freqgan.editing.canvas import Canvas
from freqgan.editing.history import History
from freqgan.editing.label_files import LabelFiles, png, written_instances
from freqgan.editing.rendering import NOTHING, Box, Picture, Renderer
from freqgan.errors import FreqganError, UserError
from freqgan.ops.palette import label_colors
from freqgan.pages import data_uri
from freqgan.systems.looks import look_of

Reply = dict[str, Any]
_log = logging.getLogger(__name__)


@final
@dataclass(frozen=True, kw_only=True)
class Materials:
    """What there is to edit with.

    Args:
        renderer: makes the pictures.
        files: reads and writes label maps.
        things: countable classes.
        examples: label maps that may be begun with, (h, w) each with its instances.
        size: height and width of a blank canvas.
        step: columns that a canvas grows by.
        max_pixels: that it may have.
    """

    renderer: Renderer
    files: LabelFiles
    things: frozenset[int]
    examples: Sequence[Canvas]
    size: tuple[int, int]
    step: int
    max_pixels: int


@final
class Editor:
    """A canvas, its picture and what was before.

    Args:
        materials: to edit with.
        canvas: the first one.

    Raises:
        UserError: the canvas is larger than it may be.
    """

    def __init__(self, materials: Materials, canvas: Canvas) -> None:
        self.materials = materials
        self._refuse_size(canvas.height, canvas.width)
        self.history = History(canvas)
        self.picture: Picture = materials.renderer.render(canvas)[0]
        self._revision = time.time_ns() // 1_000_000  # none that a page can have from an editor before this one
        self._lock = threading.Lock()  # the network's weights are exchanged while it is used

    @property
    def canvas(self) -> Canvas:
        """As it is now."""
        return self.history.canvas

    def answer(self, sent: Any) -> Reply:
        """Does what a page asks, see `freqgan.editing.requests`.

        Returns:
            What has changed, as PNG pictures of boxes: everything, unless the page shows what was there before. Or
            `error`, a line, and nothing has changed.
        """
        try:
            request = asked.request_of(sent)
            with self._lock:
                return self._answered(request)
        except FreqganError as error:
            return {"error": str(error)}
        except Exception:
            _log.exception("an edit has failed")
            return {"error": "this edit has failed, see the terminal"}

    def _answered(self, request: asked.Request) -> Reply:
        match request:
            case asked.Show():
                if request.revision == self._revision:
                    return self._shown(NOTHING, NOTHING, 0.0)
                return self._shown(None, None, 0.0) | {"about": self.about()}
            case asked.Download():
                return {"png": data_uri(self._file(request), "image/png")}
            case _:
                return self._edited(request)

    def _edited(self, request: asked.Change | asked.Step) -> Reply:
        current, before, start = request.revision == self._revision, self.canvas, time.perf_counter()
        history = self._after(request)
        picture, made = self.materials.renderer.render(history.canvas)
        self.history, self.picture = history, picture
        self._revision += 1
        seconds, canvas = time.perf_counter() - start, self.canvas
        if not current or before.labels.shape != canvas.labels.shape or before.origin != canvas.origin:
            return self._shown(None, None, seconds, made=made)
        return self._shown(Box.of(before.labels != canvas.labels) or NOTHING, made or NOTHING, seconds, made=made)

    def _after(self, request: asked.Change | asked.Step) -> History:
        """The history after a request."""
        match request:
            case asked.Step(do="undo"):
                return self.history.undone()
            case asked.Step():
                return self.history.redone()
            case _:
                return self.history.added(self._next(request))

    def _next(self, request: asked.Change) -> Canvas:
        """The canvas after a request."""
        canvas, materials = self.canvas, self.materials
        match request:
            case asked.Paint():
                return canvas.painted(request.points, self._class(request.label), request.radius)
            case asked.Move():
                return canvas.moved(request.at, *request.by)
            case asked.Remove():
                return canvas.removed(request.at)
            case asked.Look():
                return canvas.looking(request.at, self._next_look(request.at))
            case asked.Seed():
                return canvas.seeded(request.seed)
            case asked.Extend():
                self._refuse_size(canvas.height, canvas.width + materials.step)
                return canvas.extended(request.side, materials.step)
            case asked.Example():
                if request.number >= len(materials.examples):
                    raise UserError(f"there are {len(materials.examples)} examples, counted from 0")
                return replace(materials.examples[request.number], seed=canvas.seed)
            case asked.Blank():
                blank = Canvas.blank(*materials.size, self._class(request.label), things=materials.things)
                return replace(blank, seed=canvas.seed)
            case asked.Upload():
                return replace(materials.files.read(_bytes(request.png), materials.things), seed=canvas.seed)
        assert_never(request)

    def _next_look(self, place: asked.Place) -> int:
        label, instance = self.canvas.at(place)
        count = self.looks.get(label, 0)
        if count < 2:
            name = self.materials.files.reading.classes.called(label)
            raise UserError(f"the run keeps {count or 'no'} look{'' if count == 1 else 's'} of {name}")
        return (look_of(label, instance, self.canvas.looks, seed=self.canvas.seed) + 1) % count

    def _class(self, label: int) -> int:
        count = self.materials.renderer.system.inputs.num_classes or 0
        if label >= count:
            raise UserError(f"label {label} is no class, wanted 0 to {count - 1}")
        return label

    def _refuse_size(self, height: int, width: int) -> None:
        most = self.materials.max_pixels
        if height * width > most:
            raise UserError(f"the canvas would have {width}x{height} pixels, more than max_pixels={most}")

    @property
    def looks(self) -> Mapping[int, int]:
        """How many there are, by class."""
        encoder = self.materials.renderer.system.generator.encoder
        return {} if encoder is None else dict(enumerate(encoder.counts.tolist()))

    def about(self) -> Reply:
        """What a page has to know to ask."""
        materials, renderer = self.materials, self.materials.renderer
        names = materials.files.reading.classes.names
        count = renderer.system.inputs.num_classes or 0
        colors = ["#" + bytes(color).hex() for color in self._palette[:count].tolist()]
        classes = [
            {
                "name": names[label] if names else str(label),
                "color": colors[label],
                "thing": label in materials.things,
                "looks": self.looks.get(label, 0),
            }
            for label in range(count)
        ]
        varied = renderer.system.generator.varied
        return {"classes": classes, "examples": len(materials.examples), "varied": varied, "step": materials.step}

    def _shown(self, labels: Box | None, picture: Box | None, seconds: float, *, made: Box | None = None) -> Reply:
        """What has changed; None for all of it."""
        canvas = self.canvas
        whole = Box(0, 0, canvas.width, canvas.height)
        return {
            "revision": self._revision,
            "width": canvas.width,
            "height": canvas.height,
            "origin": canvas.origin,
            "seed": canvas.seed,
            "undo": len(self.history.before),
            "redo": len(self.history.after),
            "labels": _patch(self._palette[canvas.labels], labels or whole),
            "picture": _patch(self.picture, picture or whole),
            "whole": labels is None,
            "made": [made.width, made.height] if made else [0, 0],
            "seconds": round(seconds, 3),
        }

    @property
    def _palette(self) -> np.ndarray:
        """A colour for each label (256, 3), those of the run's files if they have some."""
        colors = label_colors(256).numpy().copy()
        reading = self.materials.files.reading
        if reading.label_ids.colors:
            for label, number in reading.classes.of.items():
                if label < len(reading.label_ids.colors):
                    colors[number] = reading.label_ids.colors[label]
        return colors

    def _file(self, request: asked.Download) -> bytes:
        match request.what:
            case "picture":
                return png(_image(self.picture))
            case "labels":
                return self.materials.files.written(self.canvas.labels)
            case "instances":
                return written_instances(self.canvas.instances)


def _patch(plane: np.ndarray, box: Box) -> Reply | None:
    """A part of a picture (h, w, channels) and where it is; None if it is empty."""
    if not box.width or not box.height:
        return None
    return {"box": [*box], "png": data_uri(png(_image(box.of_plane(plane))), "image/png")}


def _image(pixels: np.ndarray) -> Image.Image:
    return Image.fromarray(np.ascontiguousarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels))


def _bytes(text: str) -> bytes:
    """What is in base64."""
    try:
        return base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error) as error:
        raise UserError("the file did not arrive whole: send it again") from error
