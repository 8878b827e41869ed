"""Networks at use: pictures in tiles, whole folders in and out, captions in and pictures out, galleries."""

from freqgan.inference.captioned_sheet import Row, captioned_sheet, lit
from freqgan.inference.drawn_captions import SHOWN, CaptionDrawing, CaptionFolder
from freqgan.inference.folders import Advance, Job, Outcome, plan, work_through
from freqgan.inference.gallery import gallery_page, gallery_sheet
from freqgan.inference.given_captions import read_captions
from freqgan.inference.pictures import encode, restore_picture
from freqgan.inference.restorer import Restorer
from freqgan.inference.tiles import Span, Tile, span, tiles_of_side, tiles_within

__all__ = [
    "SHOWN",
    "Advance",
    "CaptionDrawing",
    "CaptionFolder",
    "Job",
    "Outcome",
    "Restorer",
    "Row",
    "Span",
    "Tile",
    "captioned_sheet",
    "encode",
    "gallery_page",
    "gallery_sheet",
    "lit",
    "plan",
    "read_captions",
    "restore_picture",
    "span",
    "tiles_of_side",
    "tiles_within",
    "work_through",
]
