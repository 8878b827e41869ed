import errno
import fcntl
import json
import multiprocessing
import os
from pathlib import Path
from shutil import copy2

import pytest
import torch

from freqgan.errors import StorageError, UserError
from freqgan.runs import (
    Choice,
    RunDirectory,
    choose,
    differences,
    identity,
    refuse_changes,
    runs_under,
    write_checkpoint,
)
from freqgan.runs.directory import evaluations


def hold(run: RunDirectory) -> None:
    with run.lock():
        pass


def checkpoint(run: RunDirectory, name: str, images: int) -> Path:
    path = run.path / "checkpoints" / f"{name}.ckpt"
    write_checkpoint(path, {"state_dict": {"w": torch.zeros(3)}, "ema": {}, "clock": {"images_seen": images}})
    return path


def test_two_runs_of_one_second_have_their_own_directories(tmp_path: Path) -> None:
    runs = [RunDirectory.create(tmp_path / "a") for _ in range(5)]
    assert len({run.path for run in runs}) == 5


@pytest.mark.fault("logging", "second process in one run directory")
def test_a_lock_keeps_other_processes_out(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path)
    pool = multiprocessing.get_context("fork").Pool(1)  # a process of its own: locks belong to processes

    run.write_record(status="running")
    with pool, run.lock():
        assert pool.apply(run.held)
        with pytest.raises(UserError, match="in use by another process"):
            pool.apply(hold, (run,))
        assert run.state() == "running"
        assert pool.apply(run.held), "who holds the lock may ask, too"
    assert run.state() == "killed"


@pytest.mark.fault("logging", "a run that begins while others look at it")
def test_who_asks_keeps_nobody_out(tmp_path: Path) -> None:
    run, context = RunDirectory.create(tmp_path), multiprocessing.get_context("fork")
    ended = context.Event()

    def ask() -> None:
        while not ended.is_set():
            run.held()

    asking = [context.Process(target=ask) for _ in range(2)]
    for process in asking:
        process.start()
    for _ in range(200):
        with run.lock():
            pass
    ended.set()
    for process in asking:
        process.join()


@pytest.mark.fault("logging", "torn row of the record")
def test_a_torn_last_row_is_left_out(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    (tmp_path / "metrics.jsonl").write_text(json.dumps({"images_seen": 1}) + "\n" + '{"images_seen": 2, "b"')
    assert run.metrics == [{"images_seen": 1}]


DEEP = "[" * 100_000


@pytest.mark.fault("logging", "record that is none")
@pytest.mark.parametrize("row", [DEEP, '{"val/fd": 1.0}', '{"images_seen": "x"}', '{"images_seen": 8, "val/fd": [1]}'])
def test_rows_that_are_none_are_left_out(tmp_path: Path, row: str) -> None:
    run, good = RunDirectory(tmp_path), {"images_seen": 8, "val/fd": 2.0}
    (tmp_path / "metrics.jsonl").write_text(f"{row}\n{json.dumps(good)}\n")
    assert run.metrics == [good]
    assert evaluations(run) == [{"images_seen": 8, "fd": 2.0}]


@pytest.mark.fault("logging", "record that is none")
@pytest.mark.parametrize("content", [DEEP, "\0" * 200, "[1]", "{", '{"status": ["finished"], "rollbacks": 5}'])
def test_a_record_that_is_none_says_nothing(tmp_path: Path, content: str) -> None:
    (tmp_path / "run.json").write_text(content)
    run = RunDirectory(tmp_path)
    assert (run.record, run.state()) == ({}, "failed")
    run.write_record(status="finished", rollbacks=[1])
    assert run.record == {"status": "finished", "rollbacks": [1]}


@pytest.mark.fault("foreign", "pipe in a run")
def test_no_pipe_is_waited_for(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    for name in ("run.json", "metrics.jsonl", ".lock", "config.yaml"):
        os.mkfifo(tmp_path / name)
    assert (run.record, run.metrics, run.held()) == ({}, [], False)
    with pytest.raises(UserError, match="it is a pipe, wanted a file"):
        _ = run.config
    with pytest.raises(UserError, match="is neither a file nor a folder: remove it"):
        run.refuse_links()


@pytest.mark.fault("logging", "file system without locks")
def test_a_file_system_without_locks_is_no_other_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    run = RunDirectory.create(tmp_path)
    with run.lock():
        pass
    monkeypatch.setattr(fcntl, "lockf", refuse)
    assert not run.held()
    with pytest.raises(StorageError, match=r"cannot be locked .*Function not implemented.*set paths\.output_dir"):
        hold(run)


@pytest.mark.parametrize(
    ("changes", "checkpoint", "folder"),
    [
        ({}, "last", ""),
        ({}, "last.ckpt", ""),
        ({"data_fingerprint": "e4"}, "last", "e4"),
        ({"data_fingerprint": "e4", "split": "all", "weights": "raw"}, "best", "e4_all_raw_best"),
        ({}, "/elsewhere/images_44.ckpt", "images_44"),
    ],
)
def test_an_evaluation_has_the_folder_of_what_it_judges(
    changes: dict[str, str], checkpoint: str, folder: str, tmp_path: Path
) -> None:
    usual = {"data_fingerprint": "d3", "split": "val"}
    judged = {**usual, "weights": "ema", **changes}
    found = RunDirectory(tmp_path).evaluation(judged, usual, checkpoint=checkpoint)
    assert found == tmp_path / "evaluation" / folder


def test_the_newest_good_checkpoint_is_found_by_its_count(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path)
    assert run.newest_good_checkpoint() == (None, [])
    checkpoint(run, "images_10", 10)
    twenty = checkpoint(run, "images_20", 20)
    last = checkpoint(run, "last", 10)  # killed between the two files
    assert run.newest_good_checkpoint() == (twenty, [])
    twenty.write_bytes(b"")
    assert run.newest_good_checkpoint() == (last, [twenty])


def test_named_checkpoints(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path)
    path = checkpoint(run, "images_10", 10)
    assert run.checkpoint("images_10") == run.checkpoint("images_10.ckpt") == run.checkpoint(str(path)) == path
    with pytest.raises(UserError, match=r"checkpoint=best is not in .*there are images_10"):
        run.checkpoint("best")
    path.write_bytes(b"x")
    with pytest.raises(UserError, match="choose another"):
        run.checkpoint("images_10")


def test_what_resume_finds(tmp_path: Path) -> None:
    assert choose(tmp_path, None) == choose(tmp_path, "auto") == Choice()
    with pytest.raises(UserError, match="resume=must found no run"):
        choose(tmp_path, "must")
    run = RunDirectory.create(tmp_path)
    run.write_record(status="failed")
    assert choose(tmp_path, "auto") == Choice()  # died before its first checkpoint
    with pytest.raises(UserError, match="no whole checkpoint"):
        choose(tmp_path, str(run.path))
    path = checkpoint(run, "images_10", 10)
    expected = Choice(run=run, checkpoint=path, images_seen=10)
    assert choose(tmp_path, "auto") == choose(tmp_path, "must") == choose(tmp_path, str(run.path)) == expected
    assert choose(tmp_path, str(path)).checkpoint == path
    (path.parent / "abandoned").mkdir()
    aside = copy2(path, path.parent / "abandoned")
    with pytest.raises(UserError, match=r"resume=.* lies in no run: move it into checkpoints/ of"):
        choose(tmp_path, str(aside))
    run.write_record(status="finished")
    assert choose(tmp_path, "auto").finished
    with pytest.raises(UserError, match="does not exist"):
        choose(tmp_path, str(tmp_path / "absent"))


def test_differences_are_listed_and_may_be_named(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path)
    versions = {"torch": "1", "unrelated": "1"}
    config = {"optim": {"lr": 1.0, "betas": [0.5]}, "paths": {"output_dir": "a"}, "logger": None}
    run.write_config(config)
    run.write_record(data_fingerprint="f", versions=versions)
    same = identity(config | {"paths": {"output_dir": "b"}}, "f", versions | {"unrelated": "2"})
    refuse_changes(run, same, [])
    changed = identity({"optim": {"lr": 2.0, "betas": [0.5]}}, "g", {"torch": "2"})
    with pytest.raises(UserError) as caught:
        refuse_changes(run, changed, [])
    text = str(caught.value)
    assert "3 settings differ" in text
    assert "optim.lr: the run has 1.0, now 2.0" in text
    assert "resume_override=[data_fingerprint,optim.lr,versions.torch]" in text
    refuse_changes(run, changed, ["optim", "data_fingerprint", "versions.torch"])
    with pytest.raises(UserError, match="1 settings differ"):
        refuse_changes(run, changed, ["optim.l", "optim.lr", "versions"])


def test_differences_of_nested_and_absent_keys() -> None:
    assert differences({"a": {"b": 1}}, {"a": {"b": 1, "c": 2}, "d": 3}) == {"a.c": (None, 2), "d": (None, 3)}


def test_runs_are_listed_newest_first(tmp_path: Path) -> None:
    for name in ("b/2026-01-01_00-00-00", "a/2026-01-02_00-00-00"):
        (tmp_path / name).mkdir(parents=True)
        RunDirectory(tmp_path / name).write_record(status="finished")
    assert [run.path.name for run in runs_under(tmp_path)] == ["2026-01-02_00-00-00", "2026-01-01_00-00-00"]
