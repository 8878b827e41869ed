import fcntl
import json
import logging
import os
from pathlib import Path
from typing import Any

import pytest

from freqgan.comparison.local import place_of, read_local
from freqgan.errors import UserError
from tests.comparison.written import rows_of, write_ledger, write_run, write_study


def read(*places: Path | str) -> dict[str, Any]:
    return {run.name: run for run in read_local([str(place) for place in places])}


def test_a_run_a_folder_above_and_files_inside_name_the_same_run(tmp_path: Path) -> None:
    run = write_run(tmp_path / "study" / "2026-01-01_00-00-00", rows_of(1.0))
    for place in (run, tmp_path / "study", tmp_path, run / "metrics.jsonl", run / "config.yaml"):
        (found,) = read_local([str(place)])
        assert (found.name, found.state, found.seed) == (run.name, "finished", 1)
        assert (found.images, found.seconds) == (1000, found.record["seconds"])
        assert found.metrics[0] == "fd_x_n100"


def test_patterns_are_expanded_here_or_by_the_shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_study(tmp_path)
    monkeypatch.chdir(tmp_path)
    quoted, expanded = read("*_1"), read("identity_1", "wavelet_haar_1")
    assert quoted.keys() == expanded.keys() == {"identity_1", "wavelet_haar_1"}
    assert len(read("**/metrics.jsonl")) == 6


def test_a_run_named_twice_counts_once(tmp_path: Path) -> None:
    run = write_run(tmp_path / "a" / "b", rows_of(1.0))
    assert len(read(run, tmp_path, tmp_path / "a" / ".." / "a", tmp_path / "*")) == 1


def test_fragments_of_the_mirror_are_no_runs(tmp_path: Path) -> None:
    run = write_run(tmp_path / "a", rows_of(1.0))
    for fragment in ("offline-run-20260101_000000-abc", "offline-run-20260101_000100-abd"):
        (run / "wandb" / fragment / "files").mkdir(parents=True)
        (run / "wandb" / fragment / "files" / "config.yaml").write_text("seed: 1\n")
        (run / "wandb" / fragment / "files" / "checkpoints").mkdir()
    assert len(read(tmp_path)) == 1


def test_jobs_of_a_sweep_come_in_their_order_those_without_a_directory_too(tmp_path: Path) -> None:
    sweep = tmp_path / "sweep"
    (sweep / "logs").mkdir(parents=True)
    write_run(sweep / "bb", rows_of(1.0), changes={"seed": 1})
    write_run(sweep / "aa", rows_of(1.0), changes={"seed": 2}, record={"status": "interrupted"})
    write_ledger(
        sweep,
        [
            {"key": "bb", "overrides": ["seed=1"]},
            {"key": "cc", "overrides": ["data.image_size=33"], "state": "refused", "line": "no such size"},
            {"key": "aa", "overrides": ["+seed=2"], "state": "timed_out", "line": "longer than 10 min"},
            {"key": "dd", "overrides": ["seed=4"], "state": "waiting"},
        ],
    )
    write_run(sweep / "old", rows_of(1.0))  # a job whose key was another one then
    runs = read(sweep)
    assert [(name, run.state, run.line) for name, run in runs.items()] == [
        ("bb", "finished", ""),
        ("cc", "refused", "no such size"),
        ("aa", "timed_out", "longer than 10 min"),
        ("dd", "waiting", ""),
        ("old", "finished", ""),
    ]
    assert runs["aa"].overrides == ("seed=2",)
    assert (runs["cc"].config, runs["cc"].rows) == ({}, [])
    assert read(sweep / "aa")["aa"].state == "timed_out"


def test_a_run_that_has_finished_since_counts_more_than_the_ledger(tmp_path: Path) -> None:
    write_run(tmp_path / "aa", rows_of(1.0))
    write_ledger(tmp_path, [{"key": "aa", "overrides": [], "state": "interrupted"}])
    assert read(tmp_path)["aa"].state == "finished"


def test_a_job_that_changed_its_key_is_not_a_failure_of_its_own(tmp_path: Path) -> None:
    write_run(tmp_path / "new", rows_of(1.0))
    write_ledger(tmp_path, [{"key": "old", "overrides": ["seed=1"], "state": "refused"}])
    write_ledger(tmp_path, [{"key": "new", "overrides": ["seed=1"]}])
    assert read(tmp_path).keys() == {"new"}


def test_torn_lines_are_left_out_and_numbers_may_be_none(tmp_path: Path) -> None:
    run = write_run(tmp_path / "a", rows_of(1.0, images=400))
    with (run / "metrics.jsonl").open("a") as file:
        file.write('{"images_seen": 500, "val/fd_x_n100": NaN}\n[1]\n{"val/fd_x_n100": 1}\n{"images_seen": 600, "val/f')
    with (tmp_path / "ledger.jsonl").open("w") as file:
        file.write('{"key": "a", "overrides": ["seed=1"], "state": "finished"}\n{"key": "b"}\n{"key": 3}\n{"k')
    series = read(tmp_path)["a"].metric("fd_x_n100")
    assert series is not None
    assert series.images.tolist() == [200, 400, 500]
    assert str(series.last().value) == "nan"
    best = series.best("lower")
    assert best is not None
    assert best.images == 400


def test_a_run_in_progress_and_one_that_was_killed(tmp_path: Path) -> None:
    running = {"status": "running", "images_seen": 200}
    for name in ("alive", "dead"):
        write_run(tmp_path / name, rows_of(1.0, images=600), record=running)
    (tmp_path / "alive" / ".lock").touch()
    parent_reads, child_writes = os.pipe()
    child_reads, parent_writes = os.pipe()
    if (child := os.fork()) == 0:
        with (tmp_path / "alive" / ".lock").open("w") as file:
            fcntl.lockf(file, fcntl.LOCK_EX)
            os.write(child_writes, b".")
            os.read(child_reads, 1)
            os._exit(0)
    os.read(parent_reads, 1)
    runs = read(tmp_path)
    os.write(parent_writes, b".")
    os.waitpid(child, 0)
    assert {name: run.state for name, run in runs.items()} == {"alive": "running", "dead": "killed"}
    assert runs["alive"].images == 600  # of its last row: the record is of its start


def test_a_process_that_died_before_its_record(tmp_path: Path) -> None:
    run = write_run(tmp_path / "a", [])
    (run / "run.json").unlink()
    assert read(tmp_path)["a"].state == "failed"
    (run / "config.yaml").write_text("a: [")
    found = read(run)["a"]
    assert found.config == {}
    assert "config.yaml cannot be read" in found.line


def test_what_the_log_says_of_a_failure(tmp_path: Path) -> None:
    run = write_run(tmp_path / "a", rows_of(1.0), record={"status": "diverged", "exit_status": 65})
    log = "12:00:00 INFO freqgan: fine\n12:00:01 ERROR freqgan.runs.session: loss is nan: lower optim.lr\n"
    (run / "train.log").write_text("ERROR\n" * 10_000 + log)
    assert read(run)["a"].line == "loss is nan: lower optim.lr"


def test_paths_that_do_not_exist_or_hold_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_run(tmp_path / "study" / "a", rows_of(1.0))
    (tmp_path / "empty").mkdir()
    for place, words in [
        (tmp_path / "studi", f"there is no {tmp_path / 'studi'}: did you mean {tmp_path / 'study'}?"),
        (tmp_path / "*.x", f"{tmp_path / '*.x'} matches nothing: `freqgan runs` lists runs"),
        (tmp_path / "empty", f"no runs in {tmp_path / 'empty'}: start one with `freqgan train`, or name another"),
    ]:
        with pytest.raises(UserError) as error:
            read(place)
        assert str(error.value).startswith(words)
    with pytest.raises(UserError, match="a path on W&B needs source=wandb"):
        read("me/project")
    with caplog.at_level(logging.WARNING):
        assert len(read(tmp_path / "study", tmp_path / "empty")) == 1
    assert f"{tmp_path / 'empty'} holds no runs" in caplog.messages


def test_names_are_what_paths_do_not_have_in_common(tmp_path: Path) -> None:
    for place in ("one/x", "one/y", "two/x"):
        write_run(tmp_path / place, rows_of(1.0))
    assert list(read(tmp_path / "two", tmp_path / "one")) == ["two/x", "one/x", "one/y"]


@pytest.mark.parametrize(
    ("argument", "place"),
    [("runs/a", "runs/a"), ("runs/*/b", "runs"), ("runs/a/run.json", "runs/a"), ("*", "."), ("runs/[x]", "runs/[x]")],
)
def test_where_a_comparison_is_written(
    argument: str, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("runs/a").mkdir(parents=True)
    Path("runs/[x]").mkdir()
    Path("runs/a/run.json").write_text(json.dumps({}))
    assert place_of(argument) == Path(place)
