"""Maps of ids out of files: grey levels, palette indices, or colours that stand for ids.

A label map says what each pixel is, an instance map which thing it belongs to. Files hold them in every mode that
there is, and a resized or JPEG-compressed one is no map of ids any more.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from freqgan.data.decode import MAX_PIXELS, UnreadableImageError, decode_stored
from freqgan.errors import UserError
from freqgan.opening import open_file
from freqgan.ops.palette import label_colors

VOC = "voc"
Color = tuple[int, int, int]

_OF_GREY = ("1", "L", "P", "I;16", "I;16B", "I")
_MOST_COLORS = 256
_LISTED = 6


@dataclass(frozen=True)
class IdMaps:
    """How ids are read: grey levels and palette indices are ids, and so are colours by their place in a palette.

    Args:
        colors: of ids 0, 1, …; None where colours mean no ids. With them, a file's own palette is looked up too.
        instances: every colour is an instance, and ids are not counted.
    """

    colors: tuple[Color, ...] | None = None
    instances: bool = False

    def decode(self, file: str | Path | BinaryIO, *, name: str, max_pixels: int) -> Image.Image:
        """A map in mode I;16.

        Raises:
            UnreadableImageError: as for `freqgan.data.decode`, or colours or numbers that are no ids.
        """
        return self.of_stored(decode_stored(file, name=name, max_pixels=max_pixels), name=name)

    def of_stored(self, stored: Image.Image, *, name: str) -> Image.Image:
        """A map in mode I;16 of one in the mode of its file.

        Raises:
            UnreadableImageError: colours or numbers that are no ids.
        """
        own = palette_of(stored)
        try:
            ids = self._ids(stored)
            if ids.min(initial=0) < 0 or ids.max(initial=0) > 65535:
                raise ValueError("its ids are not within 0 and 65535")
        except ValueError as error:
            raise UnreadableImageError(name, str(error)) from error
        decoded = Image.fromarray(ids.astype(np.uint16))
        decoded.info = {"palette": own}
        return decoded

    def facts(self, decoded: Image.Image, pixels: np.ndarray) -> dict[str, Any]:
        """What is kept of a decoded map of labels: its palette, and how many pixels each id has."""
        if self.instances:
            return {}
        numbers = np.bincount(pixels.ravel())
        counts = {int(label): int(numbers[label]) for label in np.flatnonzero(numbers)}
        return {"counts": counts, "palette": decoded.info["palette"]}

    def _ids(self, stored: Image.Image) -> np.ndarray:
        if stored.mode in _OF_GREY and not (stored.mode == "P" and self.colors):
            return np.asarray(stored)
        if stored.mode not in ("P", "RGB", "RGBA"):
            raise ValueError(f"mode {stored.mode}, wanted grey levels, a palette or colours")
        colors = np.asarray(stored.convert("RGB"))
        if self.colors:
            return self._looked_up(colors)
        if np.array_equal(colors, np.broadcast_to(colors[..., :1], colors.shape)):
            return np.asarray(colors[..., 0])
        if not self.instances:
            raise ValueError("it is in colour, wanted ids: set data.source.palette")
        _, numbers = np.unique(packed(colors), return_inverse=True)
        return numbers.reshape(colors.shape[:2])

    def _looked_up(self, colors: np.ndarray) -> np.ndarray:
        known = packed(np.array(self.colors))
        order = known.argsort()
        values = packed(colors)
        ids = order[known[order].searchsorted(values).clip(max=len(known) - 1)]
        if (strange := known[ids] != values).any():
            found = Counter(map(tuple, colors[strange].tolist()))
            listed = ", ".join(f"{spelled(color)} ({count} pixels)" for color, count in found.most_common(_LISTED))
            raise ValueError(f"{len(found)} of its colours are not in data.source.palette: {listed}")
        return np.asarray(ids)


def packed(colors: np.ndarray) -> np.ndarray:
    """One number for each colour (…, 3)."""
    return np.asarray(colors.astype(np.int64) @ np.array((65536, 256, 1)))


def spelled(color: Iterable[int]) -> str:
    """A colour as palette files have it.

    >>> spelled((128, 64, 0))
    '128 64 0'
    """
    return " ".join(map(str, color))


def palette_of(stored: Image.Image) -> str:
    """A name for the palette of a file's own; empty if it has none."""
    palette = stored.getpalette("RGB") if stored.mode == "P" else None
    return hashlib.blake2b(bytes(palette), digest_size=8).hexdigest() if palette else ""


def read_palette(palette: str, root: Path) -> tuple[Color, ...]:
    """Colours of ids 0, 1, ….

    Args:
        palette: "voc", the colours of PASCAL VOC; or a text file with a line for each id that has three numbers from 0
            to 255 and perhaps a name, as CamVid's `label_colors.txt`.
        root: folder that the file's path may begin at.

    Raises:
        UserError: no such file, or a line says something else.
    """
    if palette == VOC:
        return tuple((r, g, b) for r, g, b in label_colors(256).tolist())
    file = root / Path(palette).expanduser()
    try:
        with open_file(file) as opened:
            lines = opened.read().decode().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = (error.strerror or error) if isinstance(error, OSError) else "it is no text"
        raise UserError(f"data.source.palette={palette}: {file} cannot be read: {reason}") from error
    colors: dict[Color, int] = {}
    for number, line in enumerate(lines, 1):
        words = line.partition("#")[0].replace(",", " ").split()
        if not words or (number == 1 and not any(map(str.isdecimal, words))):  # the head of a table
            continue
        numbers = words[:3] if words[0].isdecimal() else words[-3:]
        if len(numbers) < 3 or not all(word.isdecimal() and int(word) < 256 for word in numbers):
            raise UserError(f"{file}:{number}: {line.strip()!r}, wanted three numbers from 0 to 255 and a name")
        r, g, b = map(int, numbers)
        if (r, g, b) in colors:
            raise UserError(f"{file}:{number}: colour {spelled((r, g, b))} is in line {colors[r, g, b]} already")
        colors[r, g, b] = number
    if not colors or len(colors) > _MOST_COLORS:
        raise UserError(f"data.source.palette={palette}: {file} has {len(colors)} colours, wanted 1 to {_MOST_COLORS}")
    return tuple(colors)


def colors_of(files: Iterable[Path], *, max_pixels: int = MAX_PIXELS) -> Counter[Color] | None:
    """Pixels of each colour in those of some files that are in colour; None if there are more than a palette has."""
    found: Counter[int] = Counter()
    for file in files:
        try:
            stored = decode_stored(file, max_pixels=max_pixels)
        except UnreadableImageError:
            continue
        if stored.mode in ("RGB", "RGBA"):
            values, counts = np.unique(packed(np.asarray(stored.convert("RGB"))), return_counts=True)
            found.update(dict(zip(values[: _MOST_COLORS + 1].tolist(), counts.tolist(), strict=False)))
        if len(found) > _MOST_COLORS:
            return None
    return Counter({(value >> 16, value >> 8 & 255, value & 255): count for value, count in found.items()})
