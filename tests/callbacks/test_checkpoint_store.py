import math
import os
import shutil
import signal
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from freqgan.callbacks import AtomicCheckpointIO, CheckpointStore, Journal
from freqgan.errors import DivergedError, InterruptedRunError, StorageError
from freqgan.runs import copy_whole, read_checkpoint, verify_checkpoint
from tests.callbacks.stand_ins import CONFIG, new_run, new_system, step


def new_store(folder: Path, *, every_images: int | None = 8, keep: int = 3) -> CheckpointStore:
    run = new_run(folder)
    return CheckpointStore(run, Journal(run, [], every_steps=1), every_images=every_images, keep=keep)


def files(store: CheckpointStore) -> set[str]:
    return {path.name for path in store.folder.iterdir()}


def images_in(path: Path) -> int:
    return int(read_checkpoint(path)["clock"]["images_seen"])


def test_the_newest_are_kept(tmp_path: Path) -> None:
    toy, store = new_system(), new_store(tmp_path, keep=2)
    store.on_train_start(toy.trainer, toy)
    assert files(store) == {"images_0.ckpt", "last.ckpt"}
    for _ in range(5):
        step(toy, store)
    assert files(store) == {"images_32.ckpt", "images_40.ckpt", "last.ckpt"}
    assert images_in(store.folder / "last.ckpt") == images_in(store.folder / "images_40.ckpt") == 40


def test_milestones_are_kept_besides(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    journal = Journal(run, [], every_steps=1)
    store = CheckpointStore(run, journal, every_images=8, keep=1, milestones_every_images=20)
    toy = new_system()
    store.on_train_start(toy.trainer, toy)
    for _ in range(8):
        step(toy, store)
    assert files(store) == {"images_24.ckpt", "images_40.ckpt", "images_64.ckpt", "last.ckpt"}


@pytest.mark.fault("checkpoint", "full or failing disk")
def test_a_disk_without_room_for_what_will_be_kept_shows_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toy, store = new_system(), new_store(tmp_path, keep=4)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=0))
    with pytest.raises(StorageError, match=r"room for 0 MiB, and checkpoints will need .* lower checkpoint.keep=4"):
        store.on_train_start(toy.trainer, toy)
    size = (store.folder / "last.ckpt").stat().st_size
    # Four, the last and the best one, and one being written; two are there.
    for free, enough in ((5 * size - 1, False), (5 * size, True)):
        monkeypatch.setattr(shutil, "disk_usage", lambda path, free=free: SimpleNamespace(free=free))
        with nullcontext() if enough else pytest.raises(StorageError):
            store.on_train_start(toy.trainer, toy)


def test_milestones_make_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    toy, store = new_system(), new_store(tmp_path, keep=1)
    store.on_train_start(toy.trainer, toy)
    for images in range(1, 9):
        copy_whole(store.folder / "images_0.ckpt", store.folder / f"images_{images}.ckpt")
    toy.clock.images_seen, size = 8, (store.folder / "last.ckpt").stat().st_size
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=2 * size - 1))
    with pytest.raises(StorageError, match="room for"):  # the best one, and one being written
        store.on_train_start(toy.trainer, toy)


def test_a_run_that_goes_back_abandons_what_came_later(tmp_path: Path) -> None:
    toy, store = new_system(), new_store(tmp_path)
    for _ in range(4):
        step(toy, store)
    store.save(toy.trainer, best=True)
    again = CheckpointStore(store.run, store.journal, every_images=8, keep=3)
    toy.clock.images_seen = 16
    again.on_fit_start(toy.trainer, toy)
    again.on_train_start(toy.trainer, toy)
    assert files(store) == {"images_16.ckpt", "last.ckpt", "abandoned"}
    assert images_in(store.folder / "last.ckpt") == 16
    assert {p.name for p in (store.folder / "abandoned").iterdir()} == {
        *("images_24.ckpt", "images_32.ckpt", "best.ckpt", "last.ckpt"),
    }
    step(toy, again)
    assert files(store) == {"images_16.ckpt", "images_24.ckpt", "last.ckpt", "abandoned"}


def test_a_run_that_goes_on_abandons_nothing(tmp_path: Path) -> None:
    toy, store = new_system(), new_store(tmp_path)
    for _ in range(2):
        step(toy, store)
    before = files(store)
    again = CheckpointStore(store.run, store.journal, every_images=8, keep=3)
    again.on_train_start(toy.trainer, toy)
    assert files(store) == before
    assert toy.trainer.saved == ["images_8.ckpt", "images_16.ckpt"]


def test_files_of_others_stay(tmp_path: Path) -> None:
    toy, store = new_system(), new_store(tmp_path, keep=1)
    (store.folder / "images_0 (copy).ckpt").touch()
    for _ in range(2):
        step(toy, store)
    assert files(store) == {"images_0 (copy).ckpt", "images_16.ckpt", "last.ckpt"}


def test_a_checkpoint_at_every_interval_and_at_the_end(tmp_path: Path) -> None:
    toy, store = new_system(images=80), new_store(tmp_path, every_images=None, keep=100)
    toy.clock.images = 100  # a tenth is 10 images, passed by steps of 8 at 16, 24, 32, 40, 56, …
    for _ in range(13):
        step(toy, store)
    assert toy.trainer.saved == [f"images_{n}.ckpt" for n in (16, 24, 32, 40, 56, 64, 72, 80, 96, 104)]


def test_a_moment_is_saved_once(tmp_path: Path) -> None:
    toy, store = new_system(), new_store(tmp_path)
    store.save(toy.trainer)
    store.save(toy.trainer, best=True)
    assert toy.trainer.saved == ["images_0.ckpt"]
    assert files(store) == {"images_0.ckpt", "best.ckpt", "last.ckpt"}


def test_last_and_best_are_files_of_their_own(tmp_path: Path) -> None:
    toy, store = new_system(), new_store(tmp_path)
    step(toy)
    store.save(toy.trainer, best=True)
    numbered, last, best = (store.folder / f"{name}.ckpt" for name in ("images_8", "last", "best"))
    assert not last.is_symlink()
    assert len({os.stat(path).st_ino for path in (numbered, last, best)}) == 3
    assert numbered.read_bytes() == last.read_bytes() == best.read_bytes()
    numbered.write_bytes(b"damaged")
    verify_checkpoint(last)
    for _ in range(4):
        step(toy, store)
    assert images_in(best) == 8
    assert images_in(last) == 40


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.fault("divergence", "NaN or infinity")
def test_numbers_that_are_not_finite_are_not_saved(tmp_path: Path, value: float) -> None:
    toy, store = new_system(), new_store(tmp_path)
    store.save(toy.trainer)
    before = {path.name: path.read_bytes() for path in store.folder.iterdir()}
    step(toy)
    with torch.no_grad():
        toy.generator.weight[1, 2] = value  # type: ignore[index, operator]
    with pytest.raises(DivergedError, match=r"generator\.weight is not finite at images_seen=8.* lower optim\.lr"):
        store.save(toy.trainer, best=True)
    assert {path.name: path.read_bytes() for path in store.folder.iterdir()} == before


@pytest.mark.fault("divergence", "NaN or infinity")
def test_buffers_are_checked_too(tmp_path: Path) -> None:
    toy, store = new_system(), new_store(tmp_path)
    toy.register_buffer("scale", torch.tensor([1.0, math.nan]))
    with pytest.raises(DivergedError, match="scale is not finite"):
        store.save(toy.trainer)


@pytest.mark.fault("checkpoint", "newest checkpoint cut or garbled")
def test_files_that_a_crash_left_half_written_are_removed(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    (store.folder / ".last.ckpt.4242.tmp").write_bytes(b"half")
    (store.folder / "images_8.ckpt").write_bytes(b"whole")
    run = store.journal.run
    CheckpointStore(run, Journal(run, [], every_steps=1), every_images=None, keep=3)
    assert files(store) == {"images_8.ckpt"}


def test_a_continued_run_does_not_begin_with_a_checkpoint(tmp_path: Path) -> None:
    toy, store = new_system(), new_store(tmp_path)
    toy.clock.images_seen = 16
    store.on_train_start(toy.trainer, toy)
    assert toy.trainer.saved == []


@pytest.mark.fault("checkpoint", "full or failing disk")
def test_a_run_that_cannot_go_back_to_its_best_checkpoint_still_has_it(tmp_path: Path) -> None:
    toy, store = new_system(), new_store(tmp_path, keep=1)
    for _ in range(2):
        step(toy, store)
        store.save(toy.trainer, best=toy.clock.images_seen == 8)
    toy.clock.images_seen = 8

    def full(path: Path) -> None:
        raise StorageError("no space left")

    toy.trainer.save_checkpoint = full
    again = CheckpointStore(store.run, store.journal, every_images=8, keep=1)
    again.on_fit_start(toy.trainer, toy)
    with pytest.raises(StorageError):
        again.on_train_start(toy.trainer, toy)
    assert store.run.newest_good_checkpoint() == (store.folder / "best.ckpt", [])


def test_an_interruption_is_saved_and_an_error_is_not(tmp_path: Path) -> None:
    toy, store = new_system(), new_store(tmp_path)
    toy.clock.images_seen = 8
    store.on_exception(toy.trainer, toy, InterruptedRunError(signal.SIGTERM, "before the first step"))
    store.on_train_start(toy.trainer, toy)
    store.on_exception(toy.trainer, toy, RuntimeError("in the middle of a step"))
    store.on_exception(toy.trainer, toy, DivergedError("not finite"))
    assert toy.trainer.saved == []
    store.on_exception(toy.trainer, toy, InterruptedRunError(signal.SIGTERM, "between steps"))
    assert toy.trainer.saved == ["images_8.ckpt"]


def test_other_processes_copy_nothing(tmp_path: Path) -> None:
    toy, store = new_system(zero=False), new_store(tmp_path)
    store.save(toy.trainer, best=True)
    assert toy.trainer.saved == ["images_0.ckpt"]  # every process takes part in Lightning's
    assert files(store) == {"images_0.ckpt"}


def test_the_config_travels_inside(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    checkpoint: dict[str, Any] = {}
    store.on_save_checkpoint(None, None, checkpoint)  # type: ignore[arg-type]
    assert checkpoint == {"config": CONFIG}


def test_a_disk_that_cannot_be_written_to_shows_at_the_start(tmp_path: Path) -> None:
    toy, store = new_system(), new_store(tmp_path)
    store.folder.rmdir()
    store.folder.write_text("no folder")
    with pytest.raises(StorageError, match=r"images_0\.ckpt could not be written"):
        store.on_train_start(toy.trainer, toy)


def test_lightnings_door_writes_reads_and_removes(tmp_path: Path) -> None:
    door, path = AtomicCheckpointIO(), tmp_path / "a.ckpt"
    door.save_checkpoint({"state_dict": {"w": torch.arange(3.0)}, "ema": {}, "clock": {"images_seen": 4}}, path)
    assert [p.name for p in tmp_path.iterdir()] == ["a.ckpt"]
    assert torch.equal(door.load_checkpoint(path)["state_dict"]["w"], torch.arange(3.0))
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(StorageError):
        door.load_checkpoint(path)
    door.remove_checkpoint(path)
    door.remove_checkpoint(path)
    assert not path.exists()
