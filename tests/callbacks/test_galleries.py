"""Galleries beside evaluations, of systems that have some."""

from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from freqgan.callbacks import CheckpointStore, Evaluation, Journal, write_galleries
from freqgan.errors import StorageError
from freqgan.runs import RunDirectory
from freqgan.systems.exhibiting import Exhibit, Exhibiting
from tests.callbacks.stand_ins import new_run, new_system, step
from tests.callbacks.test_evaluation import Protocol
from tests.callbacks.test_journal import Listener
from tests.systems.toy import Toy

HOW: Any = {"split": "val", "seed": 5, "weights": "ema"}


class Shop(Toy, Exhibiting):
    """Two galleries of whatever data it is given."""

    def exhibits(self, data: Any, **how: Any) -> dict[str, list[Exhibit]]:
        assert how == HOW
        picture = torch.full((3, 8, 8), float(data))
        return {name: [Exhibit("one", {"input": picture, "result": -picture})] for name in ("a_to_b", "b_to_a")}


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return new_run(tmp_path / "study")


def test_a_file_for_each_gallery_and_a_page_for_all(run: RunDirectory, tmp_path: Path) -> None:
    paths = write_galleries(Shop(), 0.5, run, tmp_path / "made", images_seen=16, **HOW)
    names = {"gallery/a_to_b": "gallery_a_to_b_000000016.png", "gallery/b_to_a": "gallery_b_to_a_000000016.png"}
    assert {key: path.name for key, path in paths.items()} == names
    assert {path.name for path in (tmp_path / "made").iterdir()} == {"gallery.html", *names.values()}
    for path in paths.values():
        with Image.open(path) as picture:
            assert picture.size[0] >= 480
    page = (tmp_path / "made" / "gallery.html").read_text()
    assert f"<h1>study/{run.path.name}</h1>" in page


def test_others_have_none(run: RunDirectory, tmp_path: Path) -> None:
    assert write_galleries(Toy(), 0.5, run, tmp_path / "made", images_seen=16, **HOW) == {}
    assert list((tmp_path / "made").glob("*")) == []


def test_a_folder_that_cannot_be_written_to_is_a_storage_error(run: RunDirectory, tmp_path: Path) -> None:
    (tmp_path / "made").touch()
    with pytest.raises(StorageError, match="could not be written"):
        write_galleries(Shop(), 0.5, run, tmp_path / "made", images_seen=16, **HOW)


def test_they_are_written_when_a_system_is_judged(run: RunDirectory, tmp_path: Path) -> None:
    listener = Listener()
    listener.row = lambda values, images_seen: None  # type: ignore[method-assign]
    journal = Journal(run, [listener], every_steps=1000)
    store = CheckpointStore(run, journal, every_images=1000, keep=100)
    how: Any = {"at_start": "none", "every_images": 8, "cache_dir": tmp_path, "seed": 5}
    evaluation = Evaluation(run, journal, store, Protocol([9.0, 8.0]), **how)  # type: ignore[arg-type]
    toy = new_system(images=16, kind=Shop)
    toy.trainer.datamodule = 0.5  # type: ignore[attr-defined]
    toy.measure = lambda protocol, data, **_: {"fd": protocol.numbers.pop(0)}  # type: ignore[method-assign]
    step(toy, evaluation)
    step(toy, evaluation)
    shown = [tuple(rest) for what, *rest in listener.heard if what == "pictures"]
    assert shown == [
        ({f"gallery/{name}": f"gallery_{name}_{images:09d}.png" for name in ("a_to_b", "b_to_a")}, images)
        for images in (8, 16)
    ]
    assert len(list((run.path / "evaluation").glob("gallery_*.png"))) == 4
