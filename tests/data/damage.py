"""Ways in which a picture's file can be damaged, strange or no file at all, and what then becomes of it.

`bad`: it cannot be used, is named and counted, and the next good one takes its place. `read`: it is read like any
other. `gone`: it is no file of a picture, and the set has one less.
"""

import io
import os
import socket
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal
from unittest import mock

import numpy as np
from PIL import Image

Outcome = Literal["bad", "read", "gone"]
Damage = Callable[[Path, Image.Image], Any]


@dataclass(frozen=True)
class Kind:
    """One way.

    Args:
        name: of it.
        outcome: of a picture.
        damage: does it to a file, of which the picture is known; returns a context that lasts while it is read, or
            nothing of interest.
        of_map: outcome of a label map, of which every pixel is then read as it was; None if the kind is not for maps.
        keeps: whether every pixel of a picture is read as it was.
        on_disk: whether it is a matter of files, and not of bytes.
        scanned: whether it shows only where folders are read once, as a whole.
    """

    name: str
    outcome: Outcome
    damage: Damage
    of_map: Outcome | None
    keeps: bool = False
    on_disk: bool = False
    scanned: bool = False

    @contextmanager
    def done(self, path: Path, picture: Image.Image) -> Iterator[None]:
        """The file is damaged for the time of a block."""
        with ExitStack() as stack:
            lasting = self.damage(path, picture)
            if hasattr(lasting, "__exit__"):
                stack.enter_context(lasting)
            yield


def encoded(image: Image.Image, form: str = "PNG", **options: Any) -> bytes:
    """The bytes of a file."""
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def chunk(kind: bytes, content: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png_with(kind: bytes, content: bytes, picture: Image.Image) -> bytes:
    """A PNG with one more chunk behind its header."""
    whole = encoded(picture)
    return whole[:33] + chunk(kind, content) + whole[33:]


@cache
def squeezed(zeros: int) -> bytes:
    """So many zeros, compressed."""
    return zlib.compress(bytes(zeros), 1)


def png_of(width: int, height: int, zeros: int = 0) -> bytes:
    """A PNG of one bit per pixel that claims a size, and perhaps has it."""
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", squeezed(zeros)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def _flipped(image: Image.Image) -> bytes:
    whole = bytearray(encoded(image))
    whole[whole.index(b"IDAT") + 6] ^= 0xFF
    return bytes(whole)


def _text_bomb(image: Image.Image) -> bytes:
    return png_with(b"zTXt", b"Comment\0\0" + squeezed(2**26), image)


def _float(image: Image.Image) -> bytes:
    return encoded(Image.fromarray(np.asarray(image.convert("L"), np.float32)), "TIFF")


_BAD_BYTES: dict[str, Callable[[Image.Image], bytes]] = {
    "no bytes": lambda image: b"",
    "one byte": lambda image: b"\x89",
    "zeros": lambda image: bytes(len(encoded(image))),
    "noise": lambda image: np.random.default_rng(0).bytes(500),
    "half a PNG": lambda image: encoded(image)[: len(encoded(image)) // 2],
    "PNG without its end": lambda image: encoded(image)[:-40],
    "half a JPEG": lambda image: encoded(image, "JPEG")[:-150],
    "half a WebP": lambda image: encoded(image, "WEBP", lossless=True)[:-100],
    "half a GIF": lambda image: encoded(image.convert("L"), "GIF")[:-120],
    "head of a PNG alone": lambda image: encoded(image)[:33],
    "flipped byte of the pixels": _flipped,
    "text": lambda image: b"no picture\n",
    "page of an error": lambda image: b"<!DOCTYPE html><html><body>404 Not Found</body></html>",
    "PostScript": lambda image: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 16 16\nshowpage\n",
    "SVG": lambda image: b'<svg xmlns="http://www.w3.org/2000/svg" width="16" height="16"/>',
    "archive": lambda image: b"PK\x05\x06" + bytes(18),
    "size of nothing": lambda image: png_of(0, 16),
    "size that lies": lambda image: png_of(60000, 60000),
    "bomb": lambda image: png_of(12000, 12000, 1501 * 12000),
    "bomb in a text": _text_bomb,
    "numbers without a range": _float,
}


def _frames(image: Image.Image) -> list[Image.Image]:
    return [Image.fromarray(255 - np.asarray(image)), image.rotate(90)]


def _sixteen_bit_colour(image: Image.Image) -> bytes:
    rows = np.asarray(image.convert("RGB")).astype(">u2") * 257
    header = struct.pack(">IIBBBBB", image.width, image.height, 16, 2, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def _palette(image: Image.Image) -> Image.Image:
    if image.mode == "L":
        image.putpalette(np.random.default_rng(0).bytes(768))
        return image
    return image.quantize(200)


def _turned(image: Image.Image) -> bytes:
    exif = Image.Exif()
    exif[274] = 6
    return encoded(image, exif=exif)


# With whether every pixel is read as it was.
_READ_BYTES: dict[str, tuple[Callable[[Image.Image], bytes], bool]] = {
    "BMP by another name": (lambda image: encoded(image, "BMP"), True),
    "TIFF by another name": (lambda image: encoded(image, "TIFF"), True),
    "WebP by another name": (lambda image: encoded(image, "WEBP", lossless=True), True),
    "JPEG by another name": (lambda image: encoded(image, "JPEG", quality=95), False),
    "animated PNG": (lambda image: encoded(image, save_all=True, append_images=_frames(image)), True),
    "animated GIF": (lambda image: encoded(image, "GIF", save_all=True, append_images=_frames(image)), False),
    "animated WebP": (
        lambda image: encoded(image, "WEBP", lossless=True, save_all=True, append_images=_frames(image)),
        True,
    ),
    "CMYK": (lambda image: encoded(image.convert("CMYK"), "JPEG"), False),
    "16-bit grey": (lambda image: encoded(Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16))), False),
    "16-bit colour": (_sixteen_bit_colour, False),
    "palette": (lambda image: encoded(_palette(image.copy())), False),
    "transparency": (lambda image: encoded(image.convert("RGBA")), True),
    "grey with transparency": (lambda image: encoded(image.convert("LA")), False),
    "one bit": (lambda image: encoded(image.convert("1")), False),
    "turned by EXIF": (_turned, False),
    "bytes behind the end": (lambda image: encoded(image) + bytes(1000), True),
    "progressive": (lambda image: encoded(image, "JPEG", progressive=True), False),
}


_OF_MAP: dict[str, Outcome | None] = {
    "JPEG by another name": None,  # which changes numbers
    "progressive": None,
    "animated GIF": None,
    "one bit": None,
    "CMYK": "bad",
    "grey with transparency": "bad",
}


def _made(make: Callable[[Path], Any]) -> Damage:
    def damage(path: Path, picture: Image.Image) -> Any:
        path.unlink()
        return make(path)

    return damage


def _written(content: Callable[[Image.Image], bytes]) -> Damage:
    return lambda path, picture: path.write_bytes(content(picture))


def _socket(path: Path) -> None:
    here = os.getcwd()
    os.chdir(path.parent)  # the path of a socket may have 108 characters
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path.name)
    finally:
        os.chdir(here)


def _endless(path: Path) -> None:
    with open(path, "wb") as file:
        file.truncate(2**40)


def _linked(path: Path, link: Callable[[Path, Path], None]) -> None:
    elsewhere = path.with_name(".elsewhere")  # hidden files are no pictures
    path.rename(elsewhere)
    link(elsewhere, path)


def failing(path: Path, error: OSError) -> Any:
    """Opening one file fails, as it does for whom it is not meant, or on a failing disk."""
    from freqgan import opening

    whole = opening._at_once

    def opened(given: str, flags: int) -> int:
        if os.fspath(given) == str(path):
            raise error
        return whole(given, flags)

    return mock.patch.object(opening, "_at_once", opened)


def _changing(path: Path, picture: Image.Image) -> Any:
    """Somebody writes to a file between two looks at it."""
    from freqgan.data import folder_scan

    whole = folder_scan.content_of

    def hashed(file: Any) -> str:
        content = whole(file)
        if os.fspath(file.name) == str(path):
            with open(path, "ab") as other:
                other.write(b"more")
        return content

    return mock.patch.object(folder_scan, "content_of", hashed)


_FILES: dict[str, tuple[Outcome, Damage]] = {
    "pipe": ("bad", _made(os.mkfifo)),
    "socket": ("bad", _made(_socket)),
    "device": ("bad", _made(lambda path: path.symlink_to("/dev/zero"))),
    "link to nothing": ("bad", _made(lambda path: path.symlink_to("nowhere.png"))),
    "link to itself": ("bad", _made(lambda path: path.symlink_to(path.name))),
    "file without an end": ("bad", _made(_endless)),
    "no rights": ("bad", lambda path, _: failing(path, PermissionError(13, "Permission denied"))),
    "failing disk": ("bad", lambda path, _: failing(path, OSError(5, "Input/output error"))),
    "removed": ("gone", _made(lambda path: None)),
    "folder": ("gone", _made(Path.mkdir)),
    "link to its own folder": ("gone", _made(lambda path: path.symlink_to("."))),
    "link to a picture": ("read", lambda path, _: _linked(path, lambda old, new: new.symlink_to(old))),
    "second name of a picture": ("read", lambda path, _: _linked(path, lambda old, new: new.hardlink_to(old))),
}

KINDS = [
    *(Kind(name, "bad", _written(content), "bad") for name, content in _BAD_BYTES.items()),
    *(
        Kind(name, "read", _written(content), _OF_MAP.get(name, "read"), keeps)
        for name, (content, keeps) in _READ_BYTES.items()
    ),
    *(Kind(name, what, damage, what, what == "read", on_disk=True) for name, (what, damage) in _FILES.items()),
    Kind("changed while it is read", "bad", _changing, "bad", on_disk=True, scanned=True),
]

NAMES = {
    "spaces": " two  words ",
    "quotes": """it's "so" `here`""",
    "line break": "two\nlines",
    "tab and bell": "a\tb\a",
    "no UTF-8": os.fsdecode(b"caf\xe9 \xff"),
    "accents apart": "cafe\u0301",
    "another script": "\u6f22\u5b57 \U0001f600",
    "right to left": "\u202egnp",
    "dash": "-rf",
    "pattern": "*?[a-z]",
    "braces": "{name} {0} ${HOME} %s",
    "command": "$(reboot);&|>x",
    "long": "long" * 50,
    "number sign": "#1 = 2, 50%",
}
