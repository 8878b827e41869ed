from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from freqgan.callbacks import TensorBoardMirror
from freqgan.callbacks.sample_grid import save_grid
from tests.callbacks.stand_ins import CONFIG, new_run


def test_events_can_be_read_back(tmp_path: Path) -> None:
    run, mirror = new_run(tmp_path), TensorBoardMirror()
    save_grid(torch.rand(1, 3, 8, 8), tmp_path / "grid.png", enlarge=False)
    mirror.start(run, CONFIG)
    for images in (0, 64):
        mirror.row({"images_seen": images, "val/fd": images / 2, "train/generator/lr": 1e-4}, images)
    mirror.pictures({"samples/images": tmp_path / "grid.png"}, 64)
    mirror.finish(0)
    events = EventAccumulator(str(run.path / "tensorboard")).Reload()
    assert set(events.Tags()["scalars"]) == {"images_seen", "val/fd", "train/generator/lr"}
    assert [(event.step, event.value) for event in events.Scalars("val/fd")] == [(0, 0.0), (64, 32.0)]
    assert events.Scalars("train/generator/lr")[0].value == pytest.approx(1e-4)
    (picture,) = events.Images("samples/images")
    assert picture.step == 64
    (tmp_path / "read.png").write_bytes(picture.encoded_image_string)
    with Image.open(tmp_path / "grid.png") as drawn, Image.open(tmp_path / "read.png") as read:
        assert np.array_equal(np.asarray(drawn), np.asarray(read))


def test_a_continued_run_takes_the_place_of_what_was_lost(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    for first, end, kept in ((0, 5, 0), (3, 7, 2)):  # killed at 4, continued from a checkpoint of 2
        (run.path / "metrics.jsonl").write_text("".join(f'{{"images_seen": {n}}}\n' for n in range(1, kept + 1)))
        mirror = TensorBoardMirror()
        mirror.start(run, CONFIG)
        for images in range(first, end):
            mirror.row({"loss": float(first)}, images)
        mirror.finish(0)
    events = EventAccumulator(str(run.path / "tensorboard")).Reload()
    expected = [(0, 0.0), (1, 0.0), (2, 0.0), (3, 3.0), (4, 3.0), (5, 3.0), (6, 3.0)]
    assert [(event.step, event.value) for event in events.Scalars("loss")] == expected


def test_what_was_judged_stands_beside_the_run(tmp_path: Path) -> None:
    run, mirror = new_run(tmp_path), TensorBoardMirror()
    save_grid(torch.rand(1, 3, 8, 8), tmp_path / "gallery.png")
    mirror.judged(run, tmp_path / "x.ckpt", {"fd": 2.5}, {"images_seen": 64}, {"gallery/a": tmp_path / "gallery.png"})
    events = EventAccumulator(str(run.path / "tensorboard")).Reload()
    assert [(event.step, event.value) for event in events.Scalars("evaluate/fd")] == [(64, 2.5)]
    assert [event.step for event in events.Images("evaluate/gallery/a")] == [64]
