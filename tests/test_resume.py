"""Stopped at any point and continued, a run ends bit for bit where the uninterrupted one ends."""

import random
import shutil
import signal
from pathlib import Path

import pytest

from freqgan.runs import RunDirectory, read_checkpoint
from tests.forked import only_run, signal_at, tensors, train

BUDGET = ["budget.images=64", "checkpoint.every_images=12", "samples.every_images=1000", "log_every_steps=3"]
STEPS = 16


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("uninterrupted")
    status, output = train(folder, *BUDGET)
    assert status == 0, output
    return only_run(folder)


def final(run: Path) -> dict[str, object]:
    return tensors(read_checkpoint(run / "checkpoints" / "last.ckpt"))


def rows(run: Path) -> list[dict[str, float]]:
    return [{k: v for k, v in row.items() if not k.startswith("time/")} for row in RunDirectory(run).metrics]


def assert_same(run: Path, reference: Path) -> None:
    ours, theirs = final(run), final(reference)
    assert ours.keys() == theirs.keys()
    assert [name for name in ours if ours[name] != theirs[name]] == []
    assert rows(run) == rows(reference)


@pytest.mark.parametrize("point", [0, 1, 2])
def test_killed_and_continued(tmp_path: Path, uninterrupted: Path, point: int) -> None:
    step = random.Random(f"kill {point}").randrange(1, STEPS)
    status, output = train(tmp_path, *BUDGET, f"data.num_workers={point}", "resume=auto", before=signal_at(step))
    assert status == -signal.SIGKILL, output
    assert RunDirectory(only_run(tmp_path)).state() == "killed"
    status, output = train(tmp_path, *BUDGET, f"data.num_workers={2 - point}", "resume=auto")
    assert status == 0, output
    assert f"resumed at {step * 4 // 12 * 12} images from" in output.replace("\n", " ") or step * 4 < 12
    assert_same(only_run(tmp_path), uninterrupted)


@pytest.mark.parametrize(
    ("signum", "exit_status", "step"),
    [
        (signal.SIGTERM, 143, 7),
        (signal.SIGINT, 130, 7),
        (signal.SIGUSR1, 143, 7),
        (signal.SIGTERM, 143, STEPS - 1),  # trained to the end, but not yet judged
    ],
)
def test_signals_finish_the_step_and_save(
    tmp_path: Path, uninterrupted: Path, signum: int, exit_status: int, step: int
) -> None:
    status, output = train(tmp_path, *BUDGET, before=signal_at(step, signum))
    assert status == exit_status, output
    assert "Traceback" not in output
    run = RunDirectory(only_run(tmp_path))
    assert run.state() == "interrupted"
    assert read_checkpoint(run.path / "checkpoints" / "last.ckpt")["clock"]["images_seen"] == (step + 1) * 4
    status, output = train(tmp_path, *BUDGET, "resume=must")
    assert status == 0, output
    assert run.state() == "finished"
    assert (run.path / "samples" / "images_000000064.png").exists()
    assert_same(run.path, uninterrupted)


def test_a_broken_newest_checkpoint_falls_back(tmp_path: Path, uninterrupted: Path) -> None:
    status, output = train(tmp_path, *BUDGET, before=signal_at(13))
    assert status == -signal.SIGKILL, output
    run = RunDirectory(only_run(tmp_path))
    newest = run.checkpoints()[0]
    newest.write_bytes(newest.read_bytes()[:-100])
    numbered = run.checkpoints()[1]
    content = bytearray(numbered.read_bytes())
    content[len(content) // 2] ^= 0xFF
    numbered.write_bytes(content)
    status, output = train(tmp_path, *BUDGET, "resume=auto")
    assert status == 0, output
    assert output.count("is damaged") == 2
    assert_same(run.path, uninterrupted)


def test_a_finished_run_is_left_alone(uninterrupted: Path) -> None:
    folder = uninterrupted.parents[1]
    before = {path: path.stat().st_mtime_ns for path in uninterrupted.rglob("*.ckpt")}
    status, output = train(folder, *BUDGET, "resume=auto")
    assert status == 0
    assert "is finished" in output.replace("\n", " ")
    assert before == {path: path.stat().st_mtime_ns for path in uninterrupted.rglob("*.ckpt")}


def test_resume_must_needs_a_run(tmp_path: Path) -> None:
    status, output = train(tmp_path, *BUDGET, "resume=must")
    assert status == 2
    assert "resume=must found no run" in output


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ("optim.lr=0.1", "optim.lr"),
        ("data.batch_size=8", "data.batch_size"),
        ("seed=2", "seed"),
        ("loss=hinge", "loss._target_"),
    ],
)
def test_a_changed_config_is_refused_unless_named(tmp_path: Path, uninterrupted: Path, change: str, name: str) -> None:
    run = tmp_path / "tiny" / uninterrupted.name
    shutil.copytree(uninterrupted, run)
    RunDirectory(run).write_record(status="killed")
    status, output = train(tmp_path, *BUDGET, change, "resume=auto")
    assert status == 2, output
    assert name in output
    if name == "optim.lr":
        status, output = train(
            tmp_path,
            *BUDGET[1:],
            "budget.images=72",
            change,
            "resume=auto",
            "resume_override=[optim.lr,budget.images]",
        )
        assert status == 0, output
        rates = [row["train/generator/lr"] for row in RunDirectory(run).metrics if "train/generator/lr" in row]
        assert rates[-1] == 0.1


def test_two_processes_cannot_write_one_run(tmp_path: Path, uninterrupted: Path) -> None:
    run = RunDirectory(tmp_path / "tiny" / uninterrupted.name)
    shutil.copytree(uninterrupted, run.path)
    run.write_record(status="killed")
    with run.lock():
        status, output = train(tmp_path, *BUDGET, f"resume={run.path}")
    assert status == 2, output
    assert "in use by another process" in output.replace("\n", " ")
