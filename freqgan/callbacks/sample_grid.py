"""Grids of samples from noise that stays the same over the whole run: images, and each band beside them."""

import logging
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, final

import pytorch_lightning as pl
import torch
from PIL import Image
from torch import Tensor

from freqgan.callbacks.journal import Journal
from freqgan.runs import Cells, RunDirectory
from freqgan.runs.files import write_whole
from freqgan.systems import Remembering, StagedTextGAN, System

log = logging.getLogger(__name__)

GAP = 2  # pixels around and between cells


@final
class SampleGrid(pl.Callback):
    """Draws the same `count` samples at the start, at intervals, and at the end.

    Args:
        run: the directory of the run; grids go to `samples/`, with the ids of their cells in `cells.json`.
        journal: tells the mirrors.
        every_images: interval; None for a tenth of the budget.
        count: samples in a grid.
        seed: of the samples.
    """

    def __init__(self, run: RunDirectory, journal: Journal, *, every_images: int | None, count: int, seed: int) -> None:
        self.folder = run.path / "samples"
        self.journal = journal
        self.every_images = every_images
        self.count = count
        self.seed = seed
        self._drawn_at = -1

    def draw(self, system: System) -> None:
        """Writes the grids of this moment, once."""
        images = system.clock.images_seen
        if self._drawn_at == images or not system.trainer.is_global_zero:
            return
        self._drawn_at = images
        if isinstance(system, Remembering):  # what a checkpoint of this moment has
            system.remember(system.trainer.datamodule)  # type: ignore[attr-defined]
        pictures = system.pictures(self.count, seed=self.seed)
        paths = {name: self.folder / f"{name}_{images:09d}.png" for name in pictures}
        for name, batch in pictures.items():
            save_grid(batch, paths[name])
        if "images" in pictures and Cells.read(self.folder) is None:
            ids = system.sample_ids(self.count, seed=self.seed)
            captions = system.prompts.of_samples(0, self.count) if isinstance(system, StagedTextGAN) else ()
            cells_of(pictures["images"], ids, captions).write(self.folder)
        self.journal.pictures({f"samples/{name}": path for name, path in paths.items()}, images)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """The untrained generator's grid."""
        assert isinstance(pl_module, System)
        if pl_module.clock.images_seen == 0:
            self.draw(pl_module)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """A grid at every interval of images, and when the budget is used up."""
        assert isinstance(pl_module, System)
        if pl_module.due(self.every_images, share=0.1) or pl_module.clock.finished:
            self.draw(pl_module)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """A grid of where a judgement ended the run."""
        assert isinstance(pl_module, System)
        self.draw(pl_module)


def cells_of(images: Tensor, ids: Sequence[str], captions: Sequence[str] = ()) -> Cells:
    """Where `save_grid` puts each of the images (n, c, h, w)."""
    n, _, h, w = images.shape
    columns = columns_of(n)
    return Cells(tuple(ids), columns, GAP, (w, h), scale_of(columns * (w + GAP) + GAP), tuple(captions))


def columns_of(count: int) -> int:
    """Columns of a grid that is about square."""
    return max(1, round(math.sqrt(count)))


def scale_of(width: int) -> int:
    """The whole number by which a grid is enlarged to 512 pixels or more."""
    return max(1, math.ceil(512 / width))


def grid(images: Tensor, *, columns: int | None = None, gap: int = GAP) -> Tensor:
    """Images (n, c, h, w) in [-1, 1] side by side on white, as uint8 (3, H, W)."""
    n, c, h, w = images.shape
    columns = columns or columns_of(n)
    rows = -(-n // columns)
    sheet = torch.full((3, rows * (h + gap) + gap, columns * (w + gap) + gap), 255, dtype=torch.uint8)
    pixels = ((images.detach().float().cpu().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    for i, pixel in enumerate(pixels.expand(n, 3, h, w) if c == 1 else pixels[:, :3]):
        y, x = gap + i // columns * (h + gap), gap + i % columns * (w + gap)
        sheet[:, y : y + h, x : x + w] = pixel
    return sheet


def save_grid(images: Tensor, path: Path, *, columns: int | None = None, gap: int = GAP, enlarge: bool = True) -> None:
    """Writes `grid` as PNG; where `enlarge`, small ones by whole pixels."""
    sheet = grid(images, columns=columns, gap=gap)
    scale = scale_of(sheet.shape[-1]) if enlarge else 1
    picture = Image.fromarray(sheet.permute(1, 2, 0).numpy())
    if scale > 1:
        picture = picture.resize((picture.width * scale, picture.height * scale), Image.Resampling.NEAREST)
    write_whole(path, lambda file: picture.save(file, format="PNG"))
