"""What a model draws of given captions, every stage of it, and where its words look."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from freqgan.inference import SHOWN, CaptionDrawing, CaptionFolder
from freqgan.runs.files import write_below
from freqgan.systems import StagedTextGAN
from freqgan.terminal import table_console

CAPTIONS = 8  # drawn at once; rounding may differ between batch sizes, so it is not a setting
NAMED = 20  # unknown words


def draw_captions(system: StagedTextGAN, captions: list[str], settings: dict[str, Any], folder: Path) -> None:
    """Writes what every stage makes of each caption with each seed, and says which words are unknown."""
    files, console = CaptionFolder(folder, write_below), table_console()
    unknown: dict[str, int] = {}
    for drawing in drawings(system, len(captions), settings):
        files.add(drawing)
        unknown = dict.fromkeys(drawing.unknown, drawing.number + 1) | unknown
    files.finish()
    shown = f"the first {SHOWN} captions" if len(captions) > SHOWN else "all captions"
    console.print(f"captions: {len(captions)}, seeds: {settings['seeds']}, in {folder}")
    console.print(f"earlier stages and attention are beside it, {shown} together in {files.sheet}")
    if unknown:
        words = [f"{word} (caption {number})" for word, number in unknown.items()]
        more = f" and {len(words) - NAMED} more, see captions.jsonl" if len(words) > NAMED else ""
        console.print(f"unknown words, left out: {', '.join(words[:NAMED])}{more}", markup=False)


def drawings(system: StagedTextGAN, count: int, settings: dict[str, Any]) -> Iterator[CaptionDrawing]:
    """Each of the captions with each seed."""
    for seed in range(settings["seed"], settings["seed"] + settings["seeds"]):
        for first in range(0, count, CAPTIONS):
            made = system.imagine(first, CAPTIONS, seed=seed, weights=settings["weights"])
            for row in range(min(CAPTIONS, count - first)):
                yield CaptionDrawing(number=first + row, seed=seed, **made.of_row(row))
