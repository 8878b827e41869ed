"""Label maps as files that a browser sends and takes: PNG, with ids as in the files that a run has learnt from.

What is sent is decoded in a process of its own, which may take only so much memory and time.
"""

import io
import struct
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np
from PIL import Image

from freqgan.data.given_labels import MapReading
from freqgan.data.label_classes import DONT_CARE
from freqgan.editing import png_process
from freqgan.editing.canvas import Canvas, Instances, Labels
from freqgan.errors import UserError
from freqgan.ops.components import components
from freqgan.ops.palette import label_colors

SECONDS = 10
_HEAD = struct.Struct(">8s4x4sII")
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_NAME = "the label map"


@final
@dataclass(frozen=True)
class LabelFiles:
    """How classes and ids of files belong together.

    Args:
        reading: of the run's data.
        max_pixels: larger maps are refused.
    """

    reading: MapReading
    max_pixels: int

    def read(self, content: bytes, things: frozenset[int]) -> Canvas:
        """A label map as a canvas; connected parts of countable classes are instances.

        Raises:
            UserError: it is no PNG, too large, broken, or has ids that are no classes.
        """
        stored = decode_apart(content, max_pixels=self.max_pixels)
        ids = np.asarray(self.reading.label_ids.of_stored(stored, name=_NAME))
        classes = self.reading.classes
        strange = sorted({*np.unique(ids).tolist()} - {*classes.of} - {*classes.dont_care})
        if strange:
            wanted = f"{min(classes.of)} to {max(classes.of)}"
            raise UserError(f"{_NAME} has the ids {str(strange[:6])[1:-1]}, which are no classes: wanted of {wanted}")
        labels = classes.map(ids)
        return Canvas(labels, components(labels, sorted(things)), things)

    def written(self, labels: Labels) -> bytes:
        """A label map that `read` reads, and so does `freqgan sample`."""
        classes = self.reading.classes
        table = np.full(256, next((n for n in classes.dont_care if n not in classes.of), DONT_CARE), np.uint16)
        table[[*classes.of.values()]] = [*classes.of.keys()]
        ids = table[labels]
        if ids.max() > 255:
            return png(Image.fromarray(ids))
        colors = np.asarray(self.reading.label_ids.colors or label_colors(256).numpy(), np.uint8)
        indexed = Image.fromarray(ids.astype(np.uint8), "L")
        indexed.putpalette(colors.tobytes())
        return png(indexed)


def written_instances(instances: Instances) -> bytes:
    """An instance map, 16-bit grey; ids are told apart, and have no other meaning."""
    ids = instances
    if instances.min() < 0 or instances.max() >= 1 << 16:
        ids = np.unique(instances, return_inverse=True)[1].reshape(instances.shape).astype(np.int32)
    return png(Image.fromarray(ids.astype(np.uint16)))


def png(image: Image.Image) -> bytes:
    """A file that opens fast rather than a small one."""
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=1)
    return file.getvalue()


def decode_apart(content: bytes, *, max_pixels: int) -> Image.Image:
    """A PNG file, decoded by a process that ends with it.

    Args:
        content: of the file.
        max_pixels: larger pictures are refused by what their header says, and by what they are.

    Raises:
        UserError: it is no PNG, too large, or broken; or takes more memory or time than such a picture does.
    """
    if len(content) < _HEAD.size or (head := _HEAD.unpack_from(content))[:2] != (_SIGNATURE, b"IHDR"):
        raise UserError(f"{_NAME} is no PNG file: save it as one")
    width, height = head[2:]
    if not 0 < width * height <= max_pixels:
        raise UserError(f"{_NAME} has {width}x{height} pixels, wanted 1 to max_pixels={max_pixels}")
    command = [sys.executable, "-I", str(Path(png_process.__file__)), str(max_pixels)]
    try:
        done = subprocess.run(command, input=content, capture_output=True, timeout=SECONDS, check=False, env={})
    except subprocess.TimeoutExpired as error:
        raise UserError(f"{_NAME} takes more than {SECONDS} seconds to decode") from error
    if done.returncode:
        raise UserError(f"{_NAME} cannot be read: it is broken, or takes more memory than its size allows")
    return png_process.received(done.stdout)
