"""What goes wrong while a run is going: numbers that are not finite, and a disk that takes no more."""

import errno
import math
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from freqgan.callbacks import CheckpointStore
from freqgan.runs import RunDirectory, read_checkpoint
from freqgan.systems import FrequencyGAN, System
from tests.forked import assert_same, only_run, signal_at, tensors, train

BUDGET = ["transform=identity", "budget.images=32", "checkpoint.every_images=4", "samples.every_images=1000"]
Fault = Callable[[], None]


def checkpoints(run: RunDirectory) -> dict[str, int]:
    """Every checkpoint with the images that it had seen; each is whole, and all of its numbers are finite."""
    seen = {}
    for path in (run.path / "checkpoints").iterdir():
        content = read_checkpoint(path)
        values = {**content["state_dict"], **content["ema"]}.values()
        assert all(bool(torch.isfinite(value).all()) for value in values)
        seen[path.name] = content["clock"]["images_seen"]
    return seen


def failed(folder: Path, expected: int, *arguments: str, fault: Fault = lambda: None) -> tuple[RunDirectory, str]:
    """A run that ends with a status, and its one line."""
    status, output = train(folder, *BUDGET, *arguments, before=fault)
    assert status == expected, output
    assert "Traceback" not in output
    (line,) = (line for line in output.splitlines() if line.startswith("freqgan: "))
    run = RunDirectory(only_run(folder))
    assert line.removeprefix("freqgan: ") in (run.path / "train.log").read_text()
    assert run.record["exit_status"] == expected
    return run, line


def at_step(step: int, act: Callable[[Any], object]) -> Fault:
    """Does something to the system at the end of a step."""

    def fault() -> None:
        original = System.training_step

        def training_step(self: Any, *arguments: Any) -> Any:
            result = original(self, *arguments)
            if self.clock.steps == step:
                act(self)
            return result

        System.training_step = training_step  # type: ignore[method-assign]

    return fault


# Divergence


@pytest.mark.fault("divergence", "NaN or infinity")
def test_a_learning_rate_out_of_all_bounds_diverges(tmp_path: Path) -> None:
    run, line = failed(tmp_path, 65, "optim.lr=1e30")
    assert run.state() == "diverged"
    assert "generator diverged at images_seen=0: gradient norm nan" in line
    assert "lower optim.lr" in line
    assert checkpoints(run) == {"images_0.ckpt": 0, "last.ckpt": 0}


@pytest.mark.fault("divergence", "NaN or infinity")
def test_a_term_that_is_not_finite_stops_the_run_before_its_step(tmp_path: Path) -> None:
    def fault() -> None:
        original = FrequencyGAN.discriminator_terms

        def terms(self: Any, *arguments: Any) -> Any:
            found = original(self, *arguments)
            return {name: term + (math.inf if self.clock.steps == 3 else 0) for name, term in found.items()}

        FrequencyGAN.discriminator_terms = terms  # type: ignore[method-assign]

    run, line = failed(tmp_path, 65, fault=fault)
    assert "discriminator diverged at images_seen=12: gradient norm " in line
    assert "discriminator/image/adversarial=inf" in line
    assert run.record["images_seen"] == 12
    assert max(checkpoints(run).values()) == 12


@pytest.mark.fault("divergence", "NaN or infinity")
def test_a_buffer_that_is_not_finite_is_never_saved(tmp_path: Path) -> None:
    def spoil(system: Any) -> None:
        name = next(name for name, _ in system.named_buffers() if "running_mean" in name and "ema" not in name)
        system.get_buffer(name).fill_(math.nan)

    run, line = failed(tmp_path, 65, fault=at_step(3, spoil))
    assert run.state() == "diverged"
    assert "running_mean is not finite at images_seen=12" in line
    assert max(checkpoints(run).values()) == 8
    # It continues from there, and ends as a run that nothing was done to.
    status, output = train(tmp_path, *BUDGET, "resume=auto")
    assert status == 0, output
    assert "resumed at 8 images" in output
    assert run.state() == "finished"
    whole = tmp_path / "whole"
    whole.mkdir()
    assert train(whole, *BUDGET)[0] == 0
    ours, theirs = (read_checkpoint(path / "checkpoints" / "last.ckpt") for path in (run.path, only_run(whole)))
    assert tensors(ours) == tensors(theirs)


WILD = ["optim.lr=1e30", "on_divergence=rollback"]


@pytest.mark.fault("divergence", "rollback")
def test_it_goes_back_and_on_with_a_smaller_learning_rate(tmp_path: Path) -> None:
    status, output = train(tmp_path, *BUDGET, *WILD, "rollback.lr_factor=1e-33", "log_every_steps=1")
    assert status == 0, output
    run = RunDirectory(only_run(tmp_path))
    (event,) = run.record["rollbacks"]
    assert (event["diverged_at"], event["back_to"]) == (0, 0)
    assert "diverged at images_seen=0" in event["why"]
    assert "going back to 0 images with 1e-33 of the learning rate (1 of at most 3 times)" in output.replace("\n", " ")
    rows = [row for row in run.metrics if "train/rollbacks" in row]
    assert [(row["images_seen"], row["train/rollbacks"], row["train/diverged_at"]) for row in rows] == [(0, 1, 0)]
    assert {row["train/generator/lr"] for row in run.metrics if "train/generator/lr" in row} == {1e30 * 1e-33}
    assert torch.load(run.path / "diverged" / "images_0_0.pt", weights_only=True)["image"].shape == (4, 3, 16, 16)


@pytest.mark.fault("divergence", "rollback")
def test_it_goes_back_only_so_often(tmp_path: Path) -> None:
    run, line = failed(tmp_path, 65, *WILD, "rollback.most=2", "rollback.lr_factor=0.5")
    assert run.state() == "diverged"
    assert "diverged at images_seen=0" in line
    assert len(run.record["rollbacks"]) == 2


@pytest.mark.fault("divergence", "rollback")
def test_a_run_that_has_gone_back_can_be_killed_and_continued(tmp_path: Path) -> None:
    again = [*BUDGET, *WILD, "rollback.lr_factor=1e-33"]
    for folder in ("whole", "parts"):
        (tmp_path / folder).mkdir()
    assert train(tmp_path / "whole", *again)[0] == 0
    status, output = train(tmp_path / "parts", *again, before=signal_at(5))
    assert status == -signal.SIGKILL, output
    status, output = train(tmp_path / "parts", *again, "resume=auto")
    assert status == 0, output
    assert "going back" not in output
    ours, theirs = (
        tensors(read_checkpoint(only_run(tmp_path / folder) / "checkpoints" / "last.ckpt"))
        for folder in ("parts", "whole")
    )
    assert ours == theirs


# Storage


def full_at(number: int) -> Fault:
    """The disk is full in the middle of writing a checkpoint."""

    def fault() -> None:
        original, written = torch.save, []

        def save(value: Any, file: Any) -> None:
            written.append(value)
            if len(written) < number:
                original(value, file)
            else:
                file.write(b"PK\3\4" * 1000)
                raise OSError(errno.ENOSPC, "No space left on device")

        torch.save = save

    return fault


def not_renamed_from(number: int) -> Fault:
    """A checkpoint is written, but cannot be given its name."""

    def fault() -> None:
        original, renamed = Path.replace, []

        def replace(self: Path, target: Path) -> Path:
            renamed.extend([target] if target.suffix == ".ckpt" else [])
            if target.suffix == ".ckpt" and len(renamed) >= number:
                raise OSError(errno.ENOSPC, "No space left on device")
            return original(self, target)

        Path.replace = replace  # type: ignore[assignment,method-assign]

    return fault


@pytest.mark.parametrize(
    ("fault", "left"),
    [
        (full_at(3), {"images_0.ckpt": 0, "images_4.ckpt": 4, "last.ckpt": 4}),
        (not_renamed_from(5), {"images_0.ckpt": 0, "images_4.ckpt": 4, "last.ckpt": 4}),
        (not_renamed_from(6), {"images_0.ckpt": 0, "images_4.ckpt": 4, "images_8.ckpt": 8, "last.ckpt": 4}),
    ],
    ids=["full", "not renamed", "last not renamed"],
)
@pytest.mark.fault("checkpoint", "full or failing disk")
def test_a_disk_that_fails_leaves_the_older_checkpoints(tmp_path: Path, fault: Fault, left: dict[str, int]) -> None:
    run, line = failed(tmp_path, 74, fault=fault)
    assert run.state() == "failed"
    assert "checkpoints/" in line
    assert checkpoints(run) == left  # and no temporary file


@pytest.mark.fault("checkpoint", "full or failing disk")
def test_a_folder_that_is_gone_is_a_storage_error(tmp_path: Path) -> None:
    def remove(system: Any) -> None:
        folder = next(callback.folder for callback in system.trainer.callbacks if isinstance(callback, CheckpointStore))
        folder.rename(folder.with_name("moved"))
        folder.touch()

    run, line = failed(tmp_path, 74, fault=at_step(3, remove))
    assert "images_12.ckpt could not be written" in line
    assert read_checkpoint(run.path / "moved" / "last.ckpt")["clock"]["images_seen"] == 8


@pytest.mark.fault("checkpoint", "full or failing disk")
def test_a_full_disk_at_the_start_shows_at_once(tmp_path: Path) -> None:
    run, _ = failed(tmp_path, 74, fault=full_at(1))
    assert list((run.path / "checkpoints").iterdir()) == []
    assert run.metrics == []


def no_file_above(share: float, step: int) -> Fault:
    """From a step on, the system lets no file of this process grow beyond a share of a checkpoint, as a quota does."""

    def limit(system: Any) -> None:
        folder = next(callback.folder for callback in system.trainer.callbacks if isinstance(callback, CheckpointStore))
        most = int((folder / "last.ckpt").stat().st_size * share)
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))

    return at_step(step, limit)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no device that is always full")
@pytest.mark.fault("logging", "full disk")
def test_a_full_disk_behind_stdout_and_stderr_lets_a_run_end(tmp_path: Path) -> None:
    def redirect() -> None:
        sys.stdout = sys.stderr = open("/dev/full", "w", buffering=1)  # noqa: SIM115 (for the rest of the process)

    status, _ = train(tmp_path, *BUDGET, before=redirect)
    assert status == 74
    run = RunDirectory(only_run(tmp_path))
    assert (run.state(), run.record["images_seen"]) == ("finished", 32)


def assert_goes_on_as_if_nothing_had_happened(folder: Path) -> None:
    status, output = train(folder, *BUDGET, "resume=auto")
    assert status == 0, output
    whole = folder / "whole"
    status, output = train(folder, *BUDGET, f"paths.run_dir={whole}")
    assert status == 0, output
    assert_same(only_run(folder), whole)


@pytest.mark.parametrize(("share", "step"), [(0.5, 2), (0.9, 6), (0.999, 3)])
@pytest.mark.fault("checkpoint", "files beyond a limit of the system's")
def test_a_quota_costs_what_came_since_the_last_checkpoint(tmp_path: Path, share: float, step: int) -> None:
    run, line = failed(tmp_path, 74, fault=no_file_above(share, step))
    assert "File too large" in line
    assert max(checkpoints(run).values()) == 4 * (step - 1)  # every step has a checkpoint, that of this one is lost
    assert_goes_on_as_if_nothing_had_happened(tmp_path)


@pytest.mark.parametrize("step", [2, 6])
@pytest.mark.fault("checkpoint", "files beyond a limit of the system's")
def test_where_nothing_can_be_written_the_exit_status_tells(tmp_path: Path, step: int) -> None:
    status, output = train(tmp_path, *BUDGET, before=no_file_above(0, step))
    assert status == 74
    assert "Traceback" not in output
    assert max(checkpoints(RunDirectory(only_run(tmp_path))).values()) == 4 * (step - 1)
    assert_goes_on_as_if_nothing_had_happened(tmp_path)
