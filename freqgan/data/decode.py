"""The one place that opens image files: named formats, a pixel limit read from the header, one kind of error.

Pillow decodes, never torchvision.io, which crashes the process on damaged files. What comes out is what the
file says: EXIF rotation is applied, transparency is composited on white unless it is asked for, 16-bit greyscale
keeps its depth. Colour profiles are not applied, and 16-bit colour is read at 8 bits because Pillow knows no deeper
colour (`Header.loses_depth` tells).
"""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, ClassVar

import numpy as np
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError
from PIL.TiffImagePlugin import TiffImageFile

from freqgan.errors import UserError
from freqgan.opening import most_bytes_of, open_file

FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF")
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".gif")
MAX_PIXELS = 2**26

_PHOTOMETRIC = 262
# Pillow's limit is one for all threads, and folders are read by several.
_opening = threading.Lock()


class UnusableImageError(UserError):
    """A file that a data set can make nothing of, by name and reason.

    Args:
        name: the file as the user knows it.
        reason: what is wrong with it, in a few words.
    """

    about: ClassVar[str] = ""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{printable(name)}{self.about}: {reason}")
        self.name, self.reason = name, reason

    def __reduce__(self) -> tuple[type, tuple[str, str]]:
        return type(self), (self.name, self.reason)


class UnreadableImageError(UnusableImageError):
    """A file that should be an image and is not."""

    about = " cannot be read as an image"


@dataclass(frozen=True)
class Header:
    """What an image file says of itself before its pixels are read.

    Args:
        width: in pixels, before EXIF rotation.
        height: in pixels, before EXIF rotation.
        depth: bits per sample that `decode` returns.
        loses_depth: whether the file holds 16-bit colour, read at 8 bits.
        more_frames: whether it holds several pages or frames, of which the first is read.
    """

    width: int
    height: int
    depth: int
    loses_depth: bool
    more_frames: bool


def printable(name: str) -> str:
    r"""A file name on one line, whatever bytes are in it.

    >>> printable("a\nb é \udcff.png")
    'a\\nb é \\udcff.png'
    """
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in name)


def read_header(file: str | Path | BinaryIO, *, name: str = "", max_pixels: int = MAX_PIXELS) -> Header:
    """The header of an image file, a few dozen microseconds.

    Args:
        file: a path, or a file opened in binary mode.
        name: how errors call the file; its path by default.
        max_pixels: larger images are refused.

    Raises:
        UnreadableImageError: not one of `FORMATS`, too large, or broken.
    """
    with _opened(file, name, max_pixels) as image:
        deep_grey = image.mode.startswith("I;16")
        deep_colour = not deep_grey and ";16" in str(image.tile)
        depth, more = 16 if deep_grey else 8, getattr(image, "is_animated", False)
        return Header(image.width, image.height, depth=depth, loses_depth=deep_colour, more_frames=more)


def decode(
    file: str | Path | BinaryIO, *, name: str = "", max_pixels: int = MAX_PIXELS, alpha: bool = False
) -> Image.Image:
    """The first frame of an image file, upright and opaque, in mode L, RGB or (16-bit greyscale) I;16.

    Args:
        file: a path, or a file opened in binary mode.
        name: how errors call the file; its path by default.
        max_pixels: larger images are refused before their pixels are read.
        alpha: keep transparency, as mode LA or RGBA; of 16-bit greyscale it is white all the same.

    Returns:
        The image; its file's colour profile is `info["icc_profile"]`, where there is one.

    Raises:
        UnreadableImageError: not one of `FORMATS`, too large, truncated, broken, or of a mode without a
            range.
    """
    with _opened(file, name, max_pixels) as image:
        deep = image.mode.startswith("I;16")
        convert = _full_range_grey(image) if deep else _transparent if alpha else _eight_bit
        image.load()
        decoded = convert(ImageOps.exif_transpose(image))
        decoded.info = {name: value for name, value in image.info.items() if name == "icc_profile"}
        return decoded


def decode_labels(file: str | Path | BinaryIO, *, name: str = "", max_pixels: int = MAX_PIXELS) -> Image.Image:
    """A label map in mode L: grey levels or palette indices as they are, for colours of a palette mean nothing.

    Args:
        file: a path, or a file opened in binary mode.
        name: how errors call the file; its path by default.
        max_pixels: larger images are refused before their pixels are read.

    Raises:
        UnreadableImageError: as for `decode`, or neither 8-bit grey nor a palette.
    """
    stored = decode_stored(file, name=name, max_pixels=max_pixels)
    if stored.mode not in ("L", "P"):
        name = name or (os.fspath(file) if isinstance(file, str | Path) else "<file>")
        raise UnreadableImageError(name, f"mode {stored.mode} of a label map, wanted 8-bit grey or a palette")
    return Image.fromarray(np.asarray(stored))


def decode_stored(file: str | Path | BinaryIO, *, name: str = "", max_pixels: int = MAX_PIXELS) -> Image.Image:
    """The first frame of an image file in the mode of the file: palette indices with their palette, nothing turned.

    Args:
        file: a path, or a file opened in binary mode.
        name: how errors call the file; its path by default.
        max_pixels: larger images are refused before their pixels are read.

    Raises:
        UnreadableImageError: not one of `FORMATS`, too large, truncated or broken.
    """
    with _opened(file, name, max_pixels) as image:
        return image.copy()


@contextmanager
def _opened(file: str | Path | BinaryIO, name: str, max_pixels: int) -> Iterator[ImageFile.ImageFile]:
    name = name or (os.fspath(file) if isinstance(file, str | Path) else "<file>")
    try:
        with ExitStack() as stack:
            if isinstance(file, str | Path):
                file = stack.enter_context(open_file(file, most_bytes=most_bytes_of(max_pixels)))
            with _opening, _no_other_limit():
                image = stack.enter_context(Image.open(file, formats=FORMATS))
            if image.width * image.height > max_pixels:
                size = f"{image.width}x{image.height}"
                raise UnreadableImageError(name, f"{size} pixels, more than max_pixels={max_pixels}")
            yield image
    except UnreadableImageError:
        raise
    except Exception as error:
        # Damaged files raise SyntaxError, IndexError, struct.error and more, depending on the byte.
        raise UnreadableImageError(name, _reason(error)) from error


@contextmanager
def _no_other_limit() -> Iterator[None]:
    """Pillow's own limit on pixels, which no setting could raise, gives way to `max_pixels`."""
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def _reason(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return f"not one of {', '.join(FORMATS)}, or its header is broken"
    said = error.strerror if isinstance(error, OSError) else None
    return " ".join((said or str(error)).split()) or type(error).__name__


def _eight_bit(image: Image.Image) -> Image.Image:
    if image.mode in ("I", "F"):
        raise ValueError(f"mode {image.mode} (32 bits) has no defined range")
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        opaque = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
        return opaque.convert("L" if image.mode in ("1", "L", "LA", "La") else "RGB")
    return image.convert("L" if image.mode in ("1", "L") else "RGB")


def _transparent(image: Image.Image) -> Image.Image:
    if not image.has_transparency_data:
        return _eight_bit(image)
    return image.convert("LA" if image.mode in ("1", "L", "LA", "La") else "RGBA")


def _full_range_grey(image: ImageFile.ImageFile) -> Callable[[Image.Image], Image.Image]:
    """A function to I;16 with black at 0 and white at 65535, by what the header says before loading."""
    transparent = image.info.get("transparency")
    twelve_bit = "I;12" in str(image.tile)
    white_is_zero = isinstance(image, TiffImageFile) and image.tag_v2.get(_PHOTOMETRIC) == 0

    def convert(loaded: Image.Image) -> Image.Image:
        grey = np.asarray(loaded).astype(np.uint32)
        if isinstance(transparent, int):
            grey[grey == transparent] = 65535
        if twelve_bit:
            grey = grey * 65535 // 4095
        if white_is_zero:
            grey = 65535 - grey
        return Image.fromarray(grey.astype(np.uint16))

    return convert
