from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from freqgan.callbacks import Journal, SampleGrid, save_grid
from freqgan.callbacks.sample_grid import cells_of, grid
from freqgan.runs import Cells
from tests.callbacks.stand_ins import new_run, new_system, step
from tests.systems.toy import Toy


def read(path: Path) -> Any:
    with Image.open(path) as picture:
        assert (picture.format, picture.mode) == ("PNG", "RGB")
        return np.asarray(picture)


def test_the_layout_of_three_images() -> None:
    images = torch.stack([torch.full((3, 2, 3), value) for value in (-1.0, 0.0, 1.0)])
    images[0, 0] = 1.0  # red
    sheet = grid(images, gap=1)
    # Two columns and two rows of 2x3 pixels, a white pixel around and between; the fourth place stays white.
    assert sheet.shape == (3, 2 * 2 + 3, 2 * 3 + 3)
    assert sheet.dtype == torch.uint8
    expected = torch.full((3, 7, 9), 255)
    expected[:, 1:3, 1:4] = torch.tensor([255, 0, 0]).view(3, 1, 1)
    expected[:, 1:3, 5:8] = 128  # 127.5 rounded to the even neighbour
    assert torch.equal(sheet, expected.to(torch.uint8))


@pytest.mark.parametrize(("count", "columns", "shape"), [(1, None, (1, 1)), (6, None, (3, 2)), (7, 4, (2, 4))])
def test_rows_and_columns(count: int, columns: int | None, shape: tuple[int, int]) -> None:
    sheet = grid(torch.zeros(count, 3, 4, 4), columns=columns, gap=2)
    assert sheet.shape == (3, shape[0] * 6 + 2, shape[1] * 6 + 2)


def test_greyscale_and_what_is_out_of_range() -> None:
    sheet = grid(torch.tensor([-3.0, 0.5, 3.0]).view(1, 1, 1, 3), gap=0)
    assert torch.equal(sheet, torch.tensor([0, 191, 255], dtype=torch.uint8).expand(3, 1, 3))


def test_bf16_with_gradients_is_drawn() -> None:
    images = torch.zeros(1, 3, 2, 2, dtype=torch.bfloat16, requires_grad=True)
    assert torch.equal(grid(images, gap=0), torch.full((3, 2, 2), 128, dtype=torch.uint8))


def test_small_grids_are_enlarged_by_whole_pixels(tmp_path: Path) -> None:
    images = torch.rand(4, 3, 30, 30, generator=torch.Generator().manual_seed(0)) * 2 - 1
    sheet = grid(images).permute(1, 2, 0).numpy()
    save_grid(images, tmp_path / "plain.png", enlarge=False)
    assert np.array_equal(read(tmp_path / "plain.png"), sheet)
    save_grid(images, tmp_path / "large.png")
    large = read(tmp_path / "large.png")
    factor = large.shape[0] // sheet.shape[0]
    assert factor > 1
    assert np.array_equal(large, sheet.repeat(factor, 0).repeat(factor, 1))
    save_grid(torch.zeros(1, 3, 600, 600), tmp_path / "full.png")
    assert read(tmp_path / "full.png").shape == (604, 604, 3)
    assert {path.name for path in tmp_path.iterdir()} == {"plain.png", "large.png", "full.png"}


@pytest.fixture
def drawing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Toy, SampleGrid, list[Any]]:
    """A system, its grids, and what the mirrors were shown."""
    toy = new_system()
    run = new_run(tmp_path)
    journal, shown = Journal(run, [], every_steps=1), []
    monkeypatch.setattr(journal, "pictures", lambda *values: shown.append(values))

    def pictures(count: int, *, seed: int) -> dict[str, Tensor]:
        noise = torch.rand(count, 3, 4, 4, generator=torch.Generator().manual_seed(seed))
        return {"images": noise * 2 - 1, "LL1": torch.zeros(count, 3, 2, 2)}

    monkeypatch.setattr(toy, "pictures", pictures)
    return toy, SampleGrid(run, journal, every_images=16, count=4, seed=7), shown


def test_grids_of_the_same_samples_over_the_run(drawing: tuple[Toy, SampleGrid, list[Any]]) -> None:
    toy, samples, shown = drawing
    samples.on_train_start(toy.trainer, toy)
    for _ in range(10):
        step(toy, samples)
    numbers = [0, 16, 32, 48, 64, 80]
    names = [f"{name}_{images:09d}.png" for images in numbers for name in ("images", "LL1")]
    assert sorted(path.name for path in samples.folder.iterdir()) == sorted([*names, "cells.json"])
    first, last = (read(samples.folder / names[i]) for i in (0, -2))
    assert np.array_equal(first, last)
    assert [images for _, images in shown] == numbers
    first_names = {f"samples/{name}": samples.folder / f"{name}_000000000.png" for name in ("images", "LL1")}
    assert shown[0][0] == first_names


def test_the_last_moment_is_drawn_once_whatever_the_interval(drawing: tuple[Toy, SampleGrid, list[Any]]) -> None:
    toy, samples, shown = drawing
    toy.clock.images = 8
    step(toy, samples)
    samples.draw(toy)
    assert [(list(paths), images) for paths, images in shown] == [(["samples/images", "samples/LL1"], 8)]


@pytest.mark.parametrize("size", [(4, 6), (300, 300)])
@pytest.mark.parametrize("count", [1, 6, 7])
def test_cells_lie_where_the_grid_has_them(tmp_path: Path, count: int, size: tuple[int, int]) -> None:
    images = torch.rand(count, 3, *size, generator=torch.Generator().manual_seed(0)) * 2 - 1
    cells_of(images, [f"noise 1/{i}" for i in range(count)]).write(tmp_path)
    save_grid(images, tmp_path / "images.png")
    cells = Cells.read(tmp_path)
    assert cells is not None
    assert cells.ids == tuple(f"noise 1/{i}" for i in range(count))
    assert cells.cell == (size[1], size[0])
    with Image.open(tmp_path / "images.png") as picture:
        for number, image in enumerate(images):
            cut = np.asarray(picture.crop(cells.box(number)))[:: cells.scale, :: cells.scale]
            assert np.array_equal(cut, grid(image[None], gap=0).permute(1, 2, 0).numpy())


def test_cells_are_named_once(drawing: tuple[Toy, SampleGrid, list[Any]]) -> None:
    toy, samples, _ = drawing
    samples.on_train_start(toy.trainer, toy)
    cells = Cells.read(samples.folder)
    assert cells is not None
    assert cells.ids == ("toy 7/0", "toy 7/1", "toy 7/2", "toy 7/3")
    written = (samples.folder / "cells.json").stat().st_mtime_ns
    step(toy, samples)
    step(toy, samples)
    assert (samples.folder / "cells.json").stat().st_mtime_ns == written


def test_cells_keep_captions_where_there_are_some(tmp_path: Path) -> None:
    images = torch.zeros(2, 3, 4, 4)
    for captions in (("a ring", "ein Wölfchen"), ()):
        cells_of(images, ["a", "b"], captions).write(tmp_path)
        cells = Cells.read(tmp_path)
        assert cells is not None
        assert cells.captions == captions


@pytest.mark.parametrize("content", [None, "{", "[]", '{"ids": ["a"]}'])
def test_cells_that_cannot_be_read_are_none(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "cells.json").write_text(content)
    assert Cells.read(tmp_path) is None


def test_other_processes_draw_nothing(drawing: tuple[Toy, SampleGrid, list[Any]]) -> None:
    toy, samples, shown = drawing
    toy.trainer.is_global_zero = False  # type: ignore[misc]
    samples.on_train_start(toy.trainer, toy)
    assert shown == list(samples.folder.iterdir()) == []


def test_a_continued_run_does_not_draw_at_once(drawing: tuple[Toy, SampleGrid, list[Any]]) -> None:
    toy, samples, shown = drawing
    toy.clock.images_seen = 24
    samples.on_train_start(toy.trainer, toy)
    assert shown == []
