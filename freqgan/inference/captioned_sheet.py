"""Pictures in rows, with what is said of them in words above each row and below each picture."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import final

import numpy as np
import torch.nn.functional as F
from jaxtyping import Float
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from freqgan.data.ranges import to_bytes

_CELL, _MOST = 96, 256  # pixels that the longer side of pictures has at least and at most
_GAP, _FONT, _LINE = 8, 13, 17
_LEAST_WIDTH = 480  # that captions need
_DIM = 0.2  # of the light where no attention is
_INK, _FAINT = (20, 20, 20), (110, 110, 110)


@final
@dataclass(frozen=True)
class Row:
    """Pictures of one height.

    Args:
        text: stands above them.
        pictures: (c, h, w) in [-1, 1], 1 or 3 channels, of any sizes and shapes.
        notes: one below each.
    """

    text: str
    pictures: Sequence[Float[Tensor, "c h w"]]
    notes: Sequence[str]


def captioned_sheet(rows: Sequence[Row]) -> Image.Image:
    """All rows, one below the other; small pictures are enlarged to the largest, by whole pixels where that fits."""
    cell = cell_of([picture for row in rows for picture in row.pictures])
    width = max(_LEAST_WIDTH, max(len(row.pictures) for row in rows) * (cell[0] + _GAP) + _GAP)
    font = _font()
    texts = [[*_wrapped(row.text, font, width - 2 * _GAP)] for row in rows]
    heights = [len(text) * _LINE + cell[1] + _LINE + 2 * _GAP for text in texts]
    sheet = Image.new("RGB", (width, sum(heights) + _GAP), "white")
    draw, top = ImageDraw.Draw(sheet), _GAP
    for row, text, height in zip(rows, texts, heights, strict=True):
        draw.multiline_text((_GAP, top), "\n".join(text), _INK, font, spacing=_LINE - _FONT)
        below = top + len(text) * _LINE + _GAP // 2
        for number, (picture, note) in enumerate(zip(row.pictures, row.notes, strict=True)):
            left = _GAP + number * (cell[0] + _GAP)
            sheet.paste(fitted(picture, cell), (left, below))
            draw.text((left, below + cell[1] + 2), _cut(note, font, cell[0]), _FAINT, font)
        top += height
    return sheet


def cell_of(pictures: Sequence[Float[Tensor, "c h w"]]) -> tuple[int, int]:
    """Width and height in which the largest of some pictures is shown.

    >>> from torch import empty
    >>> cell_of([empty(3, 8, 40), empty(3, 30, 20)]), cell_of([empty(3, 256, 1024)])
    ((120, 90), (256, 64))
    """
    width, height = (max(picture.shape[axis] for picture in pictures) for axis in (-1, -2))
    longer = max(width, height)
    factor = ceil(_CELL / longer) if longer <= _MOST else _MOST / longer
    return max(1, round(width * factor)), max(1, round(height * factor))


def fitted(picture: Float[Tensor, "c h w"], cell: tuple[int, int]) -> Image.Image:
    """A picture as large as fits into a width and a height; its pixels are to be seen where it is enlarged."""
    image = picture_of(picture)
    factor = min(cell[0] / image.width, cell[1] / image.height)
    size = max(1, round(image.width * factor)), max(1, round(image.height * factor))
    return image.resize(size, Image.Resampling.NEAREST if factor >= 1 else Image.Resampling.LANCZOS)


def lit(image: Float[Tensor, "c h w"], attention: Float[Tensor, "t s r"]) -> list[Float[Tensor, "c h w"]]:
    """An image once for each word, bright where the word's attention is, by its own greatest one.

    Args:
        image: in [-1, 1].
        attention: not negative, of any size.
    """
    maps = F.interpolate(attention[None].float(), image.shape[-2:], mode="bilinear", align_corners=False)[0]
    light = maps / maps.amax((1, 2), keepdim=True).clamp(min=1e-12)
    return [*((image + 1) * (_DIM + (1 - _DIM) * light[:, None]) - 1)]


def picture_of(image: Float[Tensor, "c h w"]) -> Image.Image:
    """An image in [-1, 1] as a picture of three channels."""
    pixels: np.ndarray = to_bytes(image.detach().float().cpu()).expand(3, -1, -1).permute(1, 2, 0).contiguous().numpy()
    return Image.fromarray(pixels)


def _font() -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which Matplotlib carries: Pillow's own font has English letters alone."""
    import matplotlib

    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf", _FONT)


def _wrapped(text: str, font: ImageFont.FreeTypeFont, width: int) -> Iterator[str]:
    """Lines that fit the width; a word that does not is cut."""
    line = ""
    for word in text.split():
        longer = f"{line} {word}" if line else word
        if font.getlength(longer) <= width:
            line = longer
            continue
        if line:
            yield line
        line = _cut(word, font, width)
    if line:
        yield line


def _cut(text: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(f"{text}…") > width:
        text = text[:-1]
    return f"{text}…"
