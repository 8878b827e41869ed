"""Stopped at any point and continued, a run ends bit for bit where the uninterrupted one ends."""

import io
import os
import random
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from freqgan.callbacks import CheckpointStore, Evaluation, Journal, checkpoint_store, evaluation, sample_grid
from freqgan.runs import RunDirectory, files, read_checkpoint
from freqgan.systems import FrequencyGAN, System, moving_average
from tests.forked import assert_same, only_run, signal_at, tensors, train
from tests.models import MODELS, with_encoders

BUDGET = ["budget.images=64", "checkpoint.every_images=12", "samples.every_images=1000", "log_every_steps=3"]
STEPS = 16


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("uninterrupted")
    status, output = train(folder, *BUDGET)
    assert status == 0, output
    return only_run(folder)


@pytest.mark.parametrize("point", [0, 1, 2])
@pytest.mark.fault("resume", "kill -9 in a step")
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
    ("change", "told"),
    [
        ([], {}),
        (["hardware.threads=2"], {"threads": [1, 2]}),
        (["data.batch_size=8", "resume_override=[data.batch_size]"], {"data.batch_size": [4, 8]}),
        (["hardware.memory_format=channels_last"], {"memory_format": ["contiguous", "channels_last"]}),
    ],
    ids=["as it was", "threads", "batch size", "layout"],
)
def test_what_can_no_longer_be_exact_is_told(tmp_path: Path, change: list[str], told: dict[str, list[object]]) -> None:
    plain = [*BUDGET, "hardware.precision=float32"]
    status, output = train(tmp_path, *plain, before=signal_at(7))
    assert status == -signal.SIGKILL, output
    status, output = train(tmp_path, *plain, "resume=auto", *change)
    assert status == 0, output
    run, words = RunDirectory(only_run(tmp_path)), " ".join(output.split())
    assert run.record["resumed"] == [{"at": 24, "changed": told}]
    assert ("will differ in their last digits" in words) == bool(told)
    assert all(f"{name} was {old!r}, now {new!r}" in words for name, (old, new) in told.items())
    assert run.record["images_seen"] == 64


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.fault("resume", "kill -9 in a step")
def test_every_model_continues_as_if_nothing_had_happened(tmp_path: Path, model: str) -> None:
    settings = with_encoders(MODELS[model])
    for folder in ("whole", "parts"):
        (tmp_path / folder).mkdir()
    status, output = train(tmp_path / "whole", *BUDGET, *settings)
    assert status == 0, output
    status, output = train(tmp_path / "parts", *BUDGET, *settings, before=signal_at(10))
    assert status == -signal.SIGKILL, output
    status, output = train(tmp_path / "parts", *BUDGET, *settings, "resume=must")
    assert status == 0, output
    assert_same(only_run(tmp_path / "parts"), only_run(tmp_path / "whole"))


@pytest.mark.parametrize(
    ("signum", "exit_status", "step"),
    [
        (signal.SIGTERM, 143, 7),
        (signal.SIGINT, 130, 7),
        (signal.SIGUSR1, 143, 7),
        (signal.SIGTERM, 143, STEPS - 1),  # trained to the end, but not yet judged
    ],
)
@pytest.mark.fault("resume", "SIGTERM, SIGINT or SIGUSR1")
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


JUDGED = [
    *("budget.images=64", "checkpoint.every_images=12", "samples.every_images=20", "log_every_steps=3"),
    *("metrics=generation_small", "metrics.num_images=20", "metrics.num_real=40", "transform=identity"),
    *("evaluation.at_start=none", "evaluation.every_images=24"),
]


def kill_in(
    owner: Any,
    name: str,
    call: int,
    act: Callable[..., object] = lambda *arguments: None,
    signum: int = signal.SIGKILL,
) -> Callable[[], None]:
    """A fault: the process gets a signal where it calls a function for the n-th time, having done something instead."""

    def before() -> None:
        original, calls = getattr(owner, name), []

        def function(*arguments: Any, **named: Any) -> Any:
            calls.append(name)
            if len(calls) == call:
                act(*arguments)
                os.kill(os.getpid(), signum)
            return original(*arguments, **named)

        setattr(owner, name, function)

    return before


def write_half(value: Any, file: Any) -> None:
    whole = io.BytesIO()
    torch.save(value, whole)
    file.write(whole.getvalue()[: whole.tell() // 2])
    file.flush()


def write_torn_row(journal: Journal, *_: object) -> None:
    with journal.path.open("a") as file:
        file.write('{"images_seen": 2')


# 64 images: checkpoints at 0, 12, 24, 36, 48, 60, 64, grids at 0, 20, 40, 60, 64, judgements at 24, 48, 64.
POINTS = {f"step {step}": signal_at(step) for step in random.Random("seven").sample(range(1, 16), 7)} | {
    "half a checkpoint": kill_in(torch, "save", 2, write_half),
    "a checkpoint without its name": kill_in(files, "verify_checkpoint", 4),
    "no last.ckpt": kill_in(checkpoint_store, "copy_whole", 5),
    "before pruning": kill_in(CheckpointStore, "_prune", 6),
    "a grid": kill_in(sample_grid, "save_grid", 4),
    "a judgement": kill_in(Evaluation, "_measure", 2),
    "a judgement that is written half": kill_in(evaluation, "write_json", 3),
    "a torn row": kill_in(Journal, "write", 5, write_torn_row),
}


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("judged")
    status, output = train(folder, *JUDGED)
    assert status == 0, output
    return only_run(folder)


@pytest.mark.slow
@pytest.mark.parametrize("point", POINTS)
@pytest.mark.fault("resume", "kill -9 in a row, grid, judgement or save")
def test_killed_anywhere_and_continued(tmp_path: Path, judged: Path, point: str) -> None:
    status, output = train(tmp_path, *JUDGED, before=POINTS[point])
    assert status == -signal.SIGKILL, output
    run = only_run(tmp_path)
    status, output = train(tmp_path, *JUDGED, "resume=auto")
    assert status == 0, output
    assert "resumed at " in output
    assert_same(run, judged)
    for name in ("checkpoints/best.ckpt", "checkpoints/images_60.ckpt"):
        assert tensors(read_checkpoint(run / name)) == tensors(read_checkpoint(judged / name))
    same = [path.relative_to(judged) for folder in ("evaluation", "samples") for path in (judged / folder).iterdir()]
    assert [name for name in same if (run / name).read_bytes() != (judged / name).read_bytes()] == []
    assert {path.relative_to(run) for path in run.rglob("*")} == {
        path.relative_to(judged) for path in judged.rglob("*")
    }


@pytest.mark.slow
@pytest.mark.fault("resume", "SIGTERM, SIGINT or SIGUSR1")
def test_what_a_signal_left_undone_is_made_up_for(tmp_path: Path, judged: Path) -> None:
    step_of_a_judgement = 24 // 4 - 1
    status, output = train(tmp_path, *JUDGED, before=signal_at(step_of_a_judgement, signal.SIGTERM))
    assert status == 143, output
    run = RunDirectory(only_run(tmp_path))
    between = [row for row in run.metrics if "val/diversity" in row]
    assert [row["images_seen"] for row in run.metrics if row not in between] == [12, 24]  # no judgement yet
    status, output = train(tmp_path, *JUDGED, "resume=auto")
    assert status == 0, output
    assert_same(run.path, judged)


@pytest.mark.fault("resume", "SIGTERM, SIGINT or SIGUSR1")
def test_a_signal_before_the_first_step_ends_a_run_as_later(tmp_path: Path) -> None:
    status, output = train(tmp_path, *BUDGET, before=kill_in(FrequencyGAN, "calibrate", 1, signum=signal.SIGUSR1))
    assert status == 143, output
    assert "freqgan: interrupted by SIGUSR1 before the first step" in output
    run = RunDirectory(only_run(tmp_path))
    assert (run.state(), run.checkpoints()) == ("interrupted", [])


@pytest.mark.fault("resume", "SIGTERM, SIGINT or SIGUSR1")
def test_a_signal_before_a_continued_run_s_first_step_leaves_its_checkpoint(
    tmp_path: Path, uninterrupted: Path
) -> None:
    for fault, expected in ((signal_at(7), -9), (kill_in(System, "on_fit_start", 1, signum=signal.SIGTERM), 143)):
        status, output = train(tmp_path, *BUDGET, "resume=auto", before=fault)
        assert status == expected, output
    status, output = train(tmp_path, *BUDGET, "resume=auto")
    assert status == 0, output
    assert "resumed at 24 images" in output.replace("\n", " ")
    assert_same(only_run(tmp_path), uninterrupted)


def half_exchanged() -> None:
    """A signal comes in a judgement, between two weights that change places with their averages."""
    measure, original, judging = Evaluation._measure, moving_average._tensors, list[bool]()

    def measured(*arguments: Any) -> Any:
        judging.append(True)
        return measure(*arguments)

    def tensors(network: nn.Module) -> Iterator[Tensor]:
        for number, tensor in enumerate(original(network)):
            if judging and number == 3:
                judging.clear()
                os.kill(os.getpid(), signal.SIGTERM)
            yield tensor

    Evaluation._measure = measured  # type: ignore[method-assign]
    moving_average._tensors = tensors


@pytest.mark.slow
@pytest.mark.parametrize(
    "fault",
    [
        half_exchanged,
        kill_in(evaluation, "write_json", 1, signum=signal.SIGTERM),
        kill_in(Journal, "evaluation", 1, signum=signal.SIGTERM),
        kill_in(checkpoint_store, "copy_whole", 2, signum=signal.SIGTERM),
        kill_in(torch, "save", 3, signum=signal.SIGTERM),
        kill_in(sample_grid, "save_grid", 2, signum=signal.SIGTERM),
    ],
    ids=["exchange", "result", "told", "copy", "save", "grid"],
)
@pytest.mark.fault("resume", "SIGTERM, SIGINT or SIGUSR1")
def test_a_signal_where_something_must_stay_whole_waits(
    tmp_path: Path, judged: Path, fault: Callable[[], None]
) -> None:
    status, output = train(tmp_path, *JUDGED, before=fault)
    assert status == 143, output
    status, output = train(tmp_path, *JUDGED, "resume=auto")
    assert status == 0, output
    assert_same(only_run(tmp_path), judged)


@pytest.mark.slow
@pytest.mark.fault("resume", "kill -9 in a row, grid, judgement or save")
def test_the_best_checkpoint_is_there_after_a_kill_before_its_copy(tmp_path: Path) -> None:
    status, output = train(tmp_path, *JUDGED, before=kill_in(checkpoint_store, "copy_whole", 4))
    assert status == -signal.SIGKILL, output
    folder = only_run(tmp_path) / "checkpoints"
    assert not (folder / "best.ckpt").exists()
    assert read_checkpoint(folder / "last.ckpt")["clock"]["images_seen"] == 24
    status, output = train(tmp_path, *JUDGED, "resume=auto", before=signal_at(8, signal.SIGTERM))
    assert status == 143, output
    assert read_checkpoint(folder / "best.ckpt")["clock"]["images_seen"] == 24


@pytest.mark.fault("checkpoint", "newest checkpoint cut or garbled")
def test_a_broken_newest_checkpoint_falls_back(tmp_path: Path, uninterrupted: Path) -> None:
    status, output = train(tmp_path, *BUDGET, before=signal_at(13))
    assert status == -signal.SIGKILL, output
    run = RunDirectory(only_run(tmp_path))
    newest = run.checkpoints()[0]
    newest.write_bytes(newest.read_bytes()[:-100])
    numbered = run.checkpoints()[1]
    content = bytearray(numbered.read_bytes())
    middle = slice(len(content) // 2, len(content) // 2 + 256)  # longer than what is between two tensors
    content[middle] = bytes(byte ^ 0xFF for byte in content[middle])
    numbered.write_bytes(content)
    status, output = train(tmp_path, *BUDGET, "resume=auto")
    assert status == 0, output
    assert output.count("is damaged") == 2
    assert_same(run.path, uninterrupted)


@pytest.mark.fault("resume", "kill -9 in a step")
def test_a_run_that_goes_back_and_is_killed_goes_on_from_there(tmp_path: Path, uninterrupted: Path) -> None:
    status, output = train(tmp_path, *BUDGET, before=signal_at(13))
    assert status == -signal.SIGKILL, output
    run = RunDirectory(only_run(tmp_path))
    *_, oldest = run.checkpoints()
    assert len(run.numbered_checkpoints()) > 1
    status, output = train(tmp_path, *BUDGET, f"resume={oldest}", before=signal_at(7))
    assert status == -signal.SIGKILL, output
    assert "later checkpoints are moved to" in output.replace("\n", " ")
    assert run.newest_good_checkpoint() == (run.path / "checkpoints" / "last.ckpt", [])
    assert read_checkpoint(run.checkpoints()[0])["clock"] == read_checkpoint(oldest)["clock"]
    status, output = train(tmp_path, *BUDGET, "resume=auto")
    assert status == 0, output
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


@pytest.mark.fault("logging", "second process in one run directory")
def test_two_processes_cannot_write_one_run(tmp_path: Path, uninterrupted: Path) -> None:
    run = RunDirectory(tmp_path / "tiny" / uninterrupted.name)
    shutil.copytree(uninterrupted, run.path)
    run.write_record(status="killed")
    with run.lock():
        status, output = train(tmp_path, *BUDGET, f"resume={run.path}")
    assert status == 2, output
    assert "in use by another process" in output.replace("\n", " ")
