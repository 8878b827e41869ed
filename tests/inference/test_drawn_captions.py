import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from freqgan.data import CaptionedFolder
from freqgan.inference import CaptionDrawing, CaptionFolder, drawn_captions
from freqgan.runs.files import write_below


def drawing(number: int, seed: int, **facts: Any) -> CaptionDrawing:
    stages = {name: torch.full((3, size, size), 0.1 * seed) for name, size in (("stage1", 4), ("stage2", 8))}
    given = {"words": ["a", "ring"], "unknown": [], "attention": {"stage2": torch.rand(3, 4, 4)}} | facts
    return CaptionDrawing(caption=f"a ring {number}", number=number, seed=seed, stages=stages, **given)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    files = CaptionFolder(tmp_path / "runs" / "drawn", write_below)
    for seed in (1, 2):
        files.add(drawing(0, seed))
        files.add(drawing(1, seed, unknown=["zebra"]))
    files.finish()
    assert files.sheet == tmp_path / "runs" / "drawn.png"
    return tmp_path / "runs"


def test_files_lie_beside_each_other_by_caption_and_seed(folder: Path) -> None:
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    drawn = [f"00000{number}_seed{seed}" for number in (0, 1) for seed in (1, 2)]
    assert names == {
        *(f"drawn/{name}.png" for name in drawn),
        *(f"drawn_stages/{name}_stage1.png" for name in drawn),
        *(f"drawn_attention/{name}_stage2.png" for name in drawn),
        *("drawn/captions.jsonl", "drawn.png"),
    }
    with Image.open(folder / "drawn" / "000001_seed2.png") as picture:
        assert np.asarray(picture).tolist() == np.full((8, 8, 3), round(1.2 * 127.5)).tolist()


def test_lines_say_what_was_read_and_make_a_data_set(folder: Path) -> None:
    lines = [json.loads(line) for line in (folder / "drawn" / "captions.jsonl").read_text().splitlines()]
    assert lines[1] == {
        "image": "000001_seed1.png",
        "caption": "a ring 1",
        "seed": 1,
        "words": ["a", "ring"],
        "unknown": ["zebra"],
    }
    found = CaptionedFolder(root=folder / "drawn", image_size=8, split="all", cache_dir=folder / "cache")
    found.prepare()
    assert [found.captions(n) for n in range(len(found))] == [["a ring 0"], ["a ring 0"], ["a ring 1"], ["a ring 1"]]


def test_rows_of_the_sheet_and_of_attention() -> None:
    row = drawn_captions.row_of([drawing(1, 1, unknown=["zebra"]), drawing(1, 2)])
    assert row.text == "a ring 1 (unknown: zebra)"
    assert row.notes == ["stage1, seed 1", "stage2", "stage1, seed 2", "stage2"]
    words = [*"abcdefghij"]
    rows = drawn_captions.attention_rows(drawing(1, 1, words=words), "stage2", torch.full((12, 4, 4), 0.25))
    assert [row.text for row in rows] == ["a ring 1 (stage2, seed 1)", ""]
    assert [note for row in rows for note in row.notes] == ["", *(f"{word} 25%" for word in words)]


def test_the_sheet_has_the_first_captions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawn_captions, "SHOWN", 2)
    files = CaptionFolder(tmp_path / "drawn", write_below)
    for number in range(3):
        files.add(drawing(number, 1))
    files.finish()
    two = drawn_captions.captioned_sheet([drawn_captions.row_of([drawing(n, 1)]) for n in range(2)])
    with Image.open(files.sheet) as sheet:
        assert sheet.size == two.size
