"""What a model draws of captions as files: results, earlier stages, attention, and a sheet with the captions."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

from jaxtyping import Float
from PIL import Image
from torch import Tensor

from freqgan.inference.captioned_sheet import Row, captioned_sheet, lit, picture_of
from freqgan.inference.pictures import encode

SHOWN = 32  # captions on the sheet
_IN_A_ROW = 9  # an image and eight words

Write = Callable[[Path, bytes], object]


@final
@dataclass(frozen=True)
class CaptionDrawing:
    """One caption, drawn once.

    Args:
        caption: as it was given.
        number: of the caption.
        seed: of the noise.
        stages: images in [-1, 1] by stage, the result last.
        attention: of each word, by the stages that read words.
        words: that were read.
        unknown: words that mean nothing to the model.
    """

    caption: str
    number: int
    seed: int
    stages: Mapping[str, Float[Tensor, "c h w"]]
    attention: Mapping[str, Float[Tensor, "t s r"]]
    words: Sequence[str]
    unknown: Sequence[str]

    @property
    def name(self) -> str:
        """Of its files."""
        return f"{self.number:06d}_seed{self.seed}"


@final
class CaptionFolder:
    """A folder of results with `captions.jsonl`, which `data=captioned_folder` reads; beside it, by its name,
    `<folder>_stages`, `<folder>_attention` and the sheet `<folder>.png`.

    Args:
        folder: of the results.
        write: writes a file whole, and its folder if that is missing.
    """

    def __init__(self, folder: Path, write: Write) -> None:
        self.folder, self.write = folder, write
        self._lines: list[str] = []
        self._shown: dict[int, list[CaptionDrawing]] = {}

    @property
    def sheet(self) -> Path:
        """The file with all captions and pictures, or the first ones."""
        return self._beside(".png")

    def add(self, drawing: CaptionDrawing) -> None:
        """Writes the files of a drawing."""
        *earlier, result = drawing.stages
        file = self.folder / f"{drawing.name}.png"
        self._save(file, picture_of(drawing.stages[result]))
        for stage in earlier:
            self._save(self._beside("_stages") / f"{drawing.name}_{stage}.png", picture_of(drawing.stages[stage]))
        for stage, attention in drawing.attention.items():
            rows = attention_rows(drawing, stage, attention)
            self._save(self._beside("_attention") / f"{drawing.name}_{stage}.png", captioned_sheet(rows))
        facts = {"image": file.name, "caption": drawing.caption, "seed": drawing.seed}
        facts |= {"words": [*drawing.words], "unknown": [*drawing.unknown]}
        self._lines.append(json.dumps(facts, ensure_ascii=False))
        if drawing.number < SHOWN:
            self._shown.setdefault(drawing.number, []).append(drawing)

    def finish(self) -> None:
        """Writes what is said of all."""
        self.write(self.folder / "captions.jsonl", ("\n".join(self._lines) + "\n").encode())
        self._save(self.sheet, captioned_sheet([row_of(drawings) for _, drawings in sorted(self._shown.items())]))

    def _beside(self, suffix: str) -> Path:
        return self.folder.parent / f"{self.folder.name}{suffix}"

    def _save(self, path: Path, picture: Image.Image) -> None:
        self.write(path, encode(picture, ".png", quality=100))


def row_of(drawings: Sequence[CaptionDrawing]) -> Row:
    """One caption, drawn with several seeds: all stages of the first, then those of the second, …"""
    first = drawings[0]
    lost = f" (unknown: {', '.join(first.unknown)})" if first.unknown else ""
    pictures = [image for drawing in drawings for image in drawing.stages.values()]
    notes = [
        f"{stage}, seed {drawing.seed}" if number == 0 else stage
        for drawing in drawings
        for number, stage in enumerate(drawing.stages)
    ]
    return Row(f"{first.caption}{lost}", pictures, notes)


def attention_rows(drawing: CaptionDrawing, stage: str, attention: Float[Tensor, "t s r"]) -> list[Row]:
    """A stage's image, and where each word is attended to, with its share of all attention."""
    image, maps = drawing.stages[stage], attention[: len(drawing.words)]
    pictures = [image, *lit(image, maps)]
    shares = maps.mean((1, 2)).tolist()
    notes = ["", *(f"{word} {share:.0%}" for word, share in zip(drawing.words, shares, strict=True))]
    return [
        Row(f"{drawing.caption} ({stage}, seed {drawing.seed})" if first == 0 else "", pictures[part], notes[part])
        for first in range(0, len(pictures), _IN_A_ROW)
        for part in [slice(first, first + _IN_A_ROW)]
    ]
