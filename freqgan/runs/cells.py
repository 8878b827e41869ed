"""Which picture lies where in the grids of a run: `samples/cells.json`, written once beside them."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import final

from freqgan.opening import open_file
from freqgan.runs.files import write_json

FILE = "cells.json"


@final
@dataclass(frozen=True)
class Cells:
    """The layout of `images_*.png`, and an id for what each cell shows.

    Cells of equal id show the same sample, in every grid of a run and in other runs, and can be put side by side.
    Grids of other names have as many cells in as many columns, of another size.

    Args:
        ids: of the cells, row by row.
        columns: cells in a row.
        gap: pixels around and between cells, before enlargement.
        cell: width and height of a cell, before enlargement.
        scale: by which the whole grid is enlarged.
        captions: of the cells, where pictures are made of some.
    """

    ids: tuple[str, ...]
    columns: int
    gap: int
    cell: tuple[int, int]
    scale: int
    captions: tuple[str, ...] = ()

    def box(self, number: int) -> tuple[int, int, int, int]:
        """Left, upper, right and lower edge of a cell, in pixels of the file.

        >>> Cells(("a", "b", "c"), columns=2, gap=1, cell=(4, 3), scale=10).box(2)
        (10, 50, 50, 80)
        """
        (width, height), (row, column) = self.cell, divmod(number, self.columns)
        left, upper = self.gap + column * (width + self.gap), self.gap + row * (height + self.gap)
        edges = (left, upper, left + width, upper + height)
        return tuple(edge * self.scale for edge in edges)  # type: ignore[return-value]

    def write(self, folder: Path) -> None:
        """Writes `cells.json`."""
        write_json(folder / FILE, asdict(self))

    @classmethod
    def read(cls, folder: Path) -> "Cells | None":
        """What `cells.json` says; None where there is none."""
        try:
            with open_file(folder / FILE) as file:
                said = json.load(file)
            layout = said["columns"], said["gap"], tuple(said["cell"]), said["scale"]
            return cls(tuple(said["ids"]), *layout, tuple(said.get("captions", ())))
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None
