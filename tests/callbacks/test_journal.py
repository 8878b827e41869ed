import json
import logging
import os
import signal
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from freqgan.callbacks import Journal, Mirror
from freqgan.errors import DivergedError, InterruptedRunError, StorageError
from freqgan.runs import RunDirectory
from tests.callbacks.stand_ins import CONFIG, new_run, new_system, step


class Listener(Mirror):
    """Remembers what it is told; fails or hangs where it is asked to."""

    patience = 0.3

    def __init__(self, *, fails_in: str = "", hangs_in: str = "") -> None:
        self.fails_in, self.hangs_in = fails_in, hangs_in
        self.heard: list[Any] = []

    def _hear(self, what: str, *values: Any) -> None:
        if what == self.fails_in:
            raise ConnectionError("the service is gone")
        if what == self.hangs_in:
            threading.Event().wait(30)
        self.heard.append((what, *values))

    def start(self, run: RunDirectory, config: dict[str, Any]) -> dict[str, Any]:
        self._hear("start", config["name"])
        return {"listener": "id"}

    def row(self, values: Mapping[str, float], images_seen: int) -> None:
        self._hear("row", dict(values)["x"], images_seen)

    def pictures(self, paths: Mapping[str, Path], images_seen: int) -> None:
        self._hear("pictures", {key: path.name for key, path in paths.items()}, images_seen)

    def checkpoint(self, path: Path, images_seen: int, names: Sequence[str]) -> None:
        self._hear("checkpoint", path.name, images_seen, names)

    def evaluation(self, path: Path, images_seen: int) -> None:
        self._hear("evaluation", path.name, images_seen)

    def judged(
        self,
        run: RunDirectory,
        checkpoint: Path,
        values: Mapping[str, float],
        about: Mapping[str, Any],
        pictures: Mapping[str, Path],
    ) -> None:
        self._hear("judged", dict(values))

    def finish(self, exit_status: int) -> None:
        self._hear("finish", exit_status)


def lines(journal: Journal) -> list[dict[str, Any]]:
    return [json.loads(line) for line in journal.path.read_text().splitlines()]


def test_every_row_is_in_the_file_at_once(tmp_path: Path) -> None:
    toy, journal = new_system(), Journal(new_run(tmp_path), [], every_steps=1)
    for i in range(3):
        toy.clock.images_seen = 8 * i
        journal.write(toy, {"val/fd": float(i)})
        rows = lines(journal)
        assert len(rows) == i + 1
        assert rows[-1].keys() == {"images_seen", "time/seconds", "val/fd"}
        assert (rows[-1]["images_seen"], rows[-1]["val/fd"]) == (8 * i, float(i))
    assert journal.path.read_text().endswith("}\n")
    journal.flush()
    assert len(lines(journal)) == 3


def test_training_rows_are_means(tmp_path: Path) -> None:
    toy, journal = new_system(images=56), Journal(new_run(tmp_path), [], every_steps=3)
    journal.on_train_start(toy.trainer, toy)
    for i in range(7):
        lazy = {"discriminator/lazy": torch.tensor(10.0 * i)} if i % 2 else {}
        step(toy, journal, terms={"generator/adversarial": torch.tensor(float(i))} | lazy)
    rows = lines(journal)
    assert [row["images_seen"] for row in rows] == [24, 48, 56]  # the last one because the budget is used up
    assert [row["train/generator/adversarial"] for row in rows] == [1.0, 4.0, 6.0]
    assert [row.get("train/discriminator/lazy") for row in rows] == [10.0, 40.0, None]
    assert [row["train/generator_updates"] for row in rows] == [3, 6, 7]
    assert all(row["train/generator/lr"] == row["train/discriminator/lr"] == 0.1 for row in rows)
    assert all(row["time/images_per_second"] > 0 for row in rows)


def test_an_unfinished_row_is_continued(tmp_path: Path) -> None:
    toy, before = new_system(), Journal(new_run(tmp_path), [], every_steps=3)
    for i in range(2):
        step(toy, before, terms={"generator/adversarial": torch.tensor(float(i))})
    after = Journal(before.run, [], every_steps=3)
    after.load_state_dict(before.state_dict())
    step(toy, after, terms={"generator/adversarial": torch.tensor(5.0)})
    assert [row["train/generator/adversarial"] for row in lines(after)] == [2.0]


@pytest.mark.parametrize(
    "state",
    [
        {"sums": {"x": torch.ones(())}, "counts": {"x": 0}},
        {"sums": {"x": torch.ones(())}, "counts": {"x": "y"}},
        {"sums": {"x": torch.ones(())}, "counts": {}},
        {"sums": {"x": torch.ones(0)}, "counts": {"x": 1}},
        {"sums": {"x": torch.ones(1, dtype=torch.int64)}, "counts": {"x": 1}},
        {"sums": {"x": 1.0}, "counts": {"x": 1}},
    ],
)
def test_sums_that_are_none_are_refused(tmp_path: Path, state: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="that are none"):
        Journal(new_run(tmp_path), [], every_steps=1).load_state_dict(state)


def test_rows_after_the_checkpoint_are_dropped(tmp_path: Path) -> None:
    toy, journal = new_system(), Journal(new_run(tmp_path), [], every_steps=1)
    for images in (8, 16, 24, 32):
        toy.clock.images_seen = images
        journal.write(toy, {"x": 1.0})
    with journal.path.open("a") as file:
        file.write('{"images_seen": 40, "x"')  # torn by a crash
    toy.clock.images_seen = 16
    journal.on_train_start(toy.trainer, toy)
    assert [row["images_seen"] for row in lines(journal)] == [8, 16]
    journal.write(toy, {"x": 2.0})
    assert [row["x"] for row in lines(journal)] == [1.0, 1.0, 2.0]


@pytest.mark.fault("logging", "full disk")
def test_rows_survive_a_disk_that_is_full_when_a_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    toy, journal = new_system(), Journal(new_run(tmp_path), [], every_steps=1)
    for images in (8, 16):
        toy.clock.images_seen = images
        journal.write(toy, {"x": 1.0})
    before = journal.path.read_bytes()
    monkeypatch.setattr(os, "fsync", full)
    journal.on_train_start(toy.trainer, toy)
    toy.clock.images_seen = 8
    with pytest.raises(StorageError, match="No space left"):
        journal.on_train_start(toy.trainer, toy)
    assert journal.path.read_bytes() == before


TOLD = [
    ("start", "study"),
    ("row", 1.0, 0),
    ("pictures", {"samples/images": "a.png"}, 0),
    ("checkpoint", "images_0.ckpt", 0, ["last"]),
    ("evaluation", "fd.json", 0),
    ("finish", 0),
]
STEPS = [what for what, *_ in TOLD]


def tell_all(journal: Journal, toy: Any) -> None:
    """Everything that there is to tell."""
    with journal.mirrored(CONFIG):
        journal.write(toy, {"x": 1.0})
        journal.pictures({"samples/images": journal.run.path / "a.png"}, 0)
        journal.checkpoint(journal.run.path / "images_0.ckpt", 0, ["last"])
        journal.evaluation(journal.run.path / "fd.json", 0)


@pytest.mark.parametrize("fails_in", STEPS)
@pytest.mark.fault("logging", "mirror that fails or hangs")
def test_a_failing_mirror_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture, fails_in: str) -> None:
    good, bad = Listener(), Listener(fails_in=fails_in)
    toy, journal = new_system(), Journal(new_run(tmp_path), [bad, good], every_steps=1)
    with caplog.at_level(logging.WARNING):
        tell_all(journal, toy)
    assert [row["x"] for row in lines(journal)] == [1.0]
    assert good.heard == TOLD
    assert caplog.messages == ["Listener is left out from here on: the service is gone"]
    assert bad.heard == TOLD[: STEPS.index(fails_in)]


@pytest.mark.parametrize("hangs_in", STEPS)
@pytest.mark.fault("logging", "mirror that fails or hangs")
def test_a_hanging_mirror_costs_its_patience_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, hangs_in: str
) -> None:
    good, bad = Listener(), Listener(hangs_in=hangs_in)
    toy, journal = new_system(), Journal(new_run(tmp_path), [bad, good], every_steps=1)
    begun = time.monotonic()
    with caplog.at_level(logging.WARNING):
        tell_all(journal, toy)
    assert bad.patience <= time.monotonic() - begun < bad.patience + 2
    assert good.heard == TOLD
    assert caplog.messages == ["Listener is left out from here on: no answer within 0.3 s"]


@pytest.mark.fault("logging", "mirror that fails or hangs")
def test_a_signal_ends_a_run_that_waits_for_a_mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Listener, "patience", 60.0)
    toy, journal = new_system(), Journal(new_run(tmp_path), [Listener(hangs_in="row")], every_steps=1)

    def interrupt(*_: Any) -> None:
        raise InterruptedRunError(signal.SIGTERM, "interrupted")

    old = signal.signal(signal.SIGTERM, interrupt)
    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGTERM)).start()
    try:
        with pytest.raises(InterruptedRunError):
            journal.write(toy, {"x": 1.0})
    finally:
        signal.signal(signal.SIGTERM, old)
    assert len(journal.mirrors) == 1  # which is told how the run ended


def test_the_record_keeps_what_mirrors_give_it(tmp_path: Path) -> None:
    journal = Journal(new_run(tmp_path), [Listener(), Listener(fails_in="start")], every_steps=1)
    with journal.mirrored(CONFIG):
        assert journal.run.record["listener"] == "id"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (DivergedError("x"), 65),
        (StorageError("x"), 74),
        (InterruptedRunError(15, "x"), 143),
        (RuntimeError("x"), 1),
        (KeyboardInterrupt(), 130),
    ],
)
def test_mirrors_are_told_how_the_run_ended(tmp_path: Path, error: BaseException, status: int) -> None:
    listener = Listener()
    journal = Journal(new_run(tmp_path), [listener], every_steps=1)
    with pytest.raises(type(error)), journal.mirrored(CONFIG):
        raise error
    assert listener.heard[-1] == ("finish", status)


def test_only_one_process_writes_and_mirrors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_RANK", "1")
    listener = Listener()
    toy, journal = new_system(zero=False), Journal(new_run(tmp_path), [listener], every_steps=1)
    with journal.mirrored(CONFIG):
        journal.on_train_start(toy.trainer, toy)
        step(toy, journal)
        journal.write(toy, {"x": 1.0})
        journal.teardown(toy.trainer, toy, "fit")
    assert not journal.path.exists()
    assert listener.heard == []
    assert "images_seen" not in journal.run.record


def test_a_record_that_cannot_be_written_ends_the_run(tmp_path: Path) -> None:
    toy, journal = new_system(), Journal(new_run(tmp_path), [], every_steps=1)
    journal.path.mkdir()
    with pytest.raises(StorageError, match=r"metrics\.jsonl could not be written .* set paths\.output_dir"):
        journal.write(toy, {"x": 1.0})


def test_counts_are_left_in_the_record(tmp_path: Path) -> None:
    toy, journal = new_system(), Journal(new_run(tmp_path), [], every_steps=1)
    step(toy, journal)
    journal.teardown(toy.trainer, toy, "fit")
    record = journal.run.record
    assert (record["status"], record["images_seen"], record["generator_updates"]) == ("running", 8, 1)
    assert record["seconds"] > 0
