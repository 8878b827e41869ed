"""Networks that map images to images, at use: tiles, pictures in and out, whole folders."""

from freqgan.inference.folders import Advance, Job, Outcome, plan, work_through
from freqgan.inference.pictures import encode, restore_picture
from freqgan.inference.restorer import Restorer
from freqgan.inference.tiles import Span, Tile, tiles_of_side, tiles_within

__all__ = [
    "Advance",
    "Job",
    "Outcome",
    "Restorer",
    "Span",
    "Tile",
    "encode",
    "plan",
    "restore_picture",
    "tiles_of_side",
    "tiles_within",
    "work_through",
]
