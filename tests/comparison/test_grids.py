import base64
import io
import json
import os
from pathlib import Path

import pytest
from PIL import Image

from freqgan.comparison import compare, read_local
from freqgan.comparison.grids import COLUMNS, Picture, SampleSheet, sheets
from tests.comparison.written import TRANSFORMS, rows_of, write_grid, write_run, write_study

HAAR = {"transform": TRANSFORMS["wavelet_haar"]}


def of(folder: Path, count: int = 8) -> list[SampleSheet]:
    return sheets(compare(read_local([str(folder)])), count=count)


def colour(picture: Picture | None) -> tuple[int, ...]:
    """The only colour of a picture."""
    assert picture is not None
    with Image.open(io.BytesIO(base64.b64decode(picture.uri.partition(",")[2]))) as image:
        assert image.size == picture.size
        ((_, found),) = image.getcolors()
        return tuple(found)


def test_cells_of_one_content_stand_in_one_row(tmp_path: Path) -> None:
    write_study(tmp_path, seeds=2, grid=True)
    layout = json.loads((tmp_path / "wavelet_haar_1" / "samples" / "cells.json").read_text())
    layout["ids"] = ["noise 1/3", "noise 1/2", "noise 1/1", "noise 1/0"]  # another run may hold them in another order
    (tmp_path / "wavelet_haar_1" / "samples" / "cells.json").write_text(json.dumps(layout))
    one, two = of(tmp_path, count=3)
    assert (one.seed, two.seed) == (1, 2)
    assert one.columns == [("transform=wavelet_haar", 1000), ("transform=identity", 1000)]
    assert [content for content, _ in one.rows] == ["noise 1/3", "noise 1/2", "noise 1/1"]
    assert [[colour(picture) for picture in row] for _, row in one.rows] == [
        [(10, 10, 0), (40, 10, 0)],
        [(20, 10, 0), (30, 10, 0)],
        [(30, 10, 0), (20, 10, 0)],
    ]
    assert all(picture and picture.size == (8, 8) for _, row in one.rows for picture in row)
    assert colour(two.rows[0][1][0]) == (10, 20, 0)


def test_contents_that_most_share_come_first_and_gaps_stay_empty(tmp_path: Path) -> None:
    for name, changes in (("a", {}), ("b", HAAR)):
        write_run(tmp_path / name, rows_of(1.0), changes=changes)
        write_grid(tmp_path / name, seed=1, count=4 if name == "a" else 1)
    (sheet,) = of(tmp_path)
    assert [content for content, _ in sheet.rows] == ["noise 1/0"]


def test_whole_grids_where_nobody_said_what_lies_where(tmp_path: Path) -> None:
    write_run(tmp_path / "a", rows_of(1.0))
    write_grid(tmp_path / "a", seed=1, cells=False)
    write_run(tmp_path / "b", rows_of(1.0), changes=HAAR, grid=True)
    (sheet,) = of(tmp_path, count=2)
    assert [content for content, _ in sheet.rows] == ["noise 1/0", "noise 1/1", "whole grid"]
    (whole,) = [row for content, row in sheet.rows if content == "whole grid"]
    assert [picture and picture.size for picture in whole] == [(38, 38), None]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        "[" * 100_000,
        '{"ids": ["a"]}',
        '{"ids": [1], "columns": 2, "gap": 1, "cell": [8, 8], "scale": 2}',
        '{"ids": ["a"], "columns": 0, "gap": 1, "cell": [8, 8], "scale": 2}',
        '{"ids": ["a"], "columns": 2, "gap": null, "cell": [8, 8], "scale": 2}',
        '{"ids": ["a"], "columns": 2, "gap": 1, "cell": [8], "scale": 2}',
        '{"ids": ["a"], "columns": 2, "gap": -9, "cell": [8, 8], "scale": 2}',
    ],
)
def test_a_layout_that_cannot_be_is_no_layout(tmp_path: Path, text: str) -> None:
    run = write_run(tmp_path / "a", rows_of(1.0), grid=True)
    (run / "samples" / "cells.json").write_text(text)
    (sheet,) = of(tmp_path)
    assert [content for content, _ in sheet.rows] == ["whole grid"]


def test_cells_outside_of_the_picture_and_broken_pictures_are_left_out(tmp_path: Path) -> None:
    run = write_run(tmp_path / "a", rows_of(1.0), grid=True)
    layout = json.loads((run / "samples" / "cells.json").read_text())
    (run / "samples" / "cells.json").write_text(json.dumps(layout | {"cell": [800, 800]}))
    assert of(tmp_path) == []
    grid = run / "samples" / "images_000001000.png"
    grid.write_bytes(grid.read_bytes()[:60])
    assert of(tmp_path) == []
    grid.write_bytes(b"GIF89a")
    assert of(tmp_path) == []


@pytest.mark.parametrize("name", ["cells.json", "images_000001000.png"])
def test_no_pipe_is_waited_for(tmp_path: Path, name: str) -> None:
    place = write_run(tmp_path / "a", rows_of(1.0), grid=True) / "samples" / name
    place.unlink()
    os.mkfifo(place)
    assert [content for sheet in of(tmp_path) for content, _ in sheet.rows] == ["whole grid"] * (name == "cells.json")


def test_the_newest_grid_of_whole_images_is_taken(tmp_path: Path) -> None:
    run = write_run(tmp_path / "a", rows_of(1.0), grid=True)
    for name in ("images_000000000", "LL1_000009999"):
        Image.new("RGB", (38, 38), "white").save(run / "samples" / f"{name}.png")
    (sheet,) = of(tmp_path)
    assert sheet.columns == [("study", 1000)]
    assert colour(sheet.rows[0][1][0]) == (10, 10, 0)


def test_large_cells_are_reduced_and_columns_are_limited(tmp_path: Path) -> None:
    for n in range(COLUMNS + 2):
        run = write_run(tmp_path / f"{n:02d}", rows_of(1.0), changes={"optim.lr": float(n)})
        write_grid(run, seed=1, count=1, cell=300, scale=1)
    (sheet,) = of(tmp_path)
    assert len(sheet.columns) == len(sheet.rows[0][1]) == COLUMNS
    assert {picture.size for picture in sheet.rows[0][1] if picture} == {(192, 192)}


def test_no_samples_where_none_are_wanted(tmp_path: Path) -> None:
    write_run(tmp_path / "a", rows_of(1.0), grid=True)
    assert of(tmp_path, count=0) == []
