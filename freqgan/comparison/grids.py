"""Sample grids side by side: the newest grid of each run, cut into cells, those of one content in one row."""

import io
import warnings
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import final

from PIL import Image

from freqgan.comparison.compared import Comparison
from freqgan.comparison.run import Run
from freqgan.opening import open_file
from freqgan.pages import data_uri
from freqgan.runs import Cells

COLUMNS = 12  # variants side by side
SEEDS = 4  # tables: contents differ between seeds
WIDEST_CELL, WIDEST_GRID = 192, 272  # pixels; larger pictures are reduced
MOST_PIXELS = 1 << 26  # of a grid: what a PNG's header promises, its decoder allocates


@final
@dataclass(frozen=True)
class Picture:
    """An image as it stands in the page.

    Args:
        uri: `data:image/png;base64,…`.
        size: width and height in pixels.
    """

    uri: str
    size: tuple[int, int]


@final
@dataclass(frozen=True)
class SampleSheet:
    """Samples of the runs of one seed.

    Args:
        seed: of the runs; None for runs without one.
        columns: names of variants, and the images that each had seen.
        rows: a content's id, and its picture in each column. Without ids, one row of whole grids.
    """

    seed: int | None
    columns: list[tuple[str, int]]
    rows: list[tuple[str, list[Picture | None]]]


def sheets(comparison: Comparison, *, count: int) -> list[SampleSheet]:
    """A sheet for each of the seeds that most variants share, with the first `count` contents."""
    if count == 0:
        return []
    by_seed: dict[int | None, dict[str, tuple[Run, Path]]] = {}
    for variant in comparison.variants:
        for run in variant.runs:
            grid = newest_grid(Path(run.place)) if run.samples else None
            if grid is not None:
                by_seed.setdefault(run.seed, {}).setdefault(variant.name, (run, grid))
    shared = sorted(by_seed.items(), key=lambda item: (-len(item[1]), item[0] is None, item[0] or 0))
    made = (_sheet(seed, dict(list(grids.items())[:COLUMNS]), count) for seed, grids in shared[:SEEDS])
    return [sheet for sheet in made if sheet.rows]


def newest_grid(run: Path) -> Path | None:
    """The last grid of whole images; of another picture where there are none of that name."""
    grids = sorted((run / "samples").glob("*_*.png"), key=lambda path: path.stem.rpartition("_")[2])
    named = [path for path in grids if path.stem.rpartition("_")[0] == "images"]
    return (named or grids or [None])[-1]  # type: ignore[list-item]


def _sheet(seed: int | None, grids: dict[str, tuple[Run, Path]], count: int) -> SampleSheet:
    pictures = {name: _open(path) for name, (_, path) in grids.items()}
    cells = {name: _cells(path.parent) for name, (_, path) in grids.items()}
    columns = [(name, _images(path)) for name, (_, path) in grids.items()]
    often = Counter(content for layout in cells.values() if layout for content in layout.ids)
    most = max(often.values(), default=0)
    ids = [content for content, times in often.items() if times == most][:count]
    rows: list[tuple[str, list[Picture | None]]] = []
    for content in ids:
        row = [_cell(pictures[name], cells[name], content) for name in grids]
        rows.append((content, row))
    missing = [name for name in grids if cells[name] is None]
    if missing:
        whole = [_encode(picture, WIDEST_GRID) if (picture := pictures[n]) and n in missing else None for n in grids]
        rows.append(("whole grid", whole))
    return SampleSheet(seed, columns, [row for row in rows if any(row[1])])


def _images(path: Path) -> int:
    count = path.stem.rpartition("_")[2]
    return int(count) if count.isdecimal() else 0


def _open(path: Path) -> Image.Image | None:
    """A PNG of a reasonable size; None for anything else."""
    try:
        with warnings.catch_warnings(action="ignore"), open_file(path) as file:
            picture = Image.open(file, formats=["PNG"])
            return picture.convert("RGB") if picture.width * picture.height <= MOST_PIXELS else None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None


def _cells(folder: Path) -> Cells | None:
    """What lies where in a folder's grids; None where nobody wrote it down, or it cannot be."""
    cells = Cells.read(folder)
    if cells is None or len(cells.cell) != 2:
        return None
    sizes = (cells.columns, cells.scale, *cells.cell)
    possible = all(type(size) is int and size > 0 for size in sizes) and type(cells.gap) is int and cells.gap >= 0
    return cells if possible and all(isinstance(content, str) for content in cells.ids) else None


def _cell(picture: Image.Image | None, cells: Cells | None, content: str) -> Picture | None:
    if picture is None or cells is None or content not in cells.ids:
        return None
    box = cells.box(cells.ids.index(content))
    if box[2] > picture.width or box[3] > picture.height:
        return None
    return _encode(picture.crop(box).resize(cells.cell, Image.Resampling.NEAREST), WIDEST_CELL)


def _encode(picture: Image.Image, widest: int) -> Picture:
    if max(picture.size) > widest:
        picture = picture.copy()
        picture.thumbnail((widest, widest), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG")
    return Picture(data_uri(buffer.getvalue(), "image/png"), picture.size)
