"""What became of pictures: each beside what it was made of and should be, and a part of all of them magnified.

As a sheet for those who look at files, and as a page that needs nothing else.
"""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

from jaxtyping import Float
from PIL import Image
from torch import Tensor

from freqgan.inference.captioned_sheet import Row, captioned_sheet, cell_of, fitted, picture_of
from freqgan.ops.detail import most_detailed
from freqgan.pages import data_uri, render

MAGNIFIED = 4  # times that the part is as large as in the whole
TARGET = "target"

Exhibit = tuple[str, Mapping[str, Float[Tensor, "c h w"]]]  # a name, and pictures of one size by what they are


@final
@dataclass(frozen=True)
class Shown:
    """A picture as it stands in the page.

    Args:
        uri: of the pixels that it has, unless they are too many.
        size: width and height that it is shown with.
        alt: what it is, in words.
    """

    uri: str
    size: tuple[int, int]
    alt: str


def gallery_sheet(exhibits: Sequence[Exhibit]) -> Image.Image:
    """A row for each."""
    rows = [(name, with_parts(pictures)) for name, pictures in exhibits]
    return captioned_sheet([Row(name, [*pictures.values()], [*pictures]) for name, pictures in rows])


def gallery_page(title: str, facts: Mapping[str, object], galleries: Mapping[str, Sequence[Exhibit]]) -> str:
    """A section for each gallery under its name, with a row for each of its exhibits.

    Args:
        title: of the page.
        facts: what to know of all, in a few words each.
        galleries: at least an exhibit in each.
    """
    sections = []
    for gallery, exhibits in galleries.items():
        cell = cell_of([picture for _, pictures in exhibits for picture in pictures.values()])
        rows = [
            (name, [_shown(picture, cell, f"{kind} of {name}") for kind, picture in with_parts(pictures).items()])
            for name, pictures in exhibits
        ]
        sections.append((gallery.replace("_", " "), [*with_parts(exhibits[0][1])], rows))
    return render(Path(__file__).with_name("gallery.html"), title=title, facts=facts, sections=sections)


def with_parts(pictures: Mapping[str, Float[Tensor, "c h w"]]) -> dict[str, Float[Tensor, "c h w"]]:
    """Pictures, and of each the part that has the most detail in the target, or else in the first of them."""
    decides = pictures.get(TARGET, next(iter(pictures.values())))
    height, width = (max(1, side // MAGNIFIED) for side in decides.shape[-2:])
    top, left = most_detailed(decides, height, width)
    parts = {kind: picture[:, top : top + height, left : left + width] for kind, picture in pictures.items()}
    return {**pictures, **{f"{kind}, {MAGNIFIED}×": part for kind, part in parts.items()}}


def _shown(picture: Tensor, cell: tuple[int, int], alt: str) -> Shown:
    whole, fits = picture_of(picture), fitted(picture, cell)
    content = io.BytesIO()
    (whole if whole.width < fits.width else fits).save(content, "PNG")
    return Shown(data_uri(content.getvalue(), "image/png"), fits.size, alt)
