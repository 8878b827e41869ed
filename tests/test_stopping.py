"""A run that stops before its budget is finished, has all that a run has at its end, and survives a kill."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from freqgan.callbacks import CheckpointStore, Evaluation, sample_grid
from freqgan.runs import RunDirectory, read_checkpoint
from freqgan.systems import FrequencyGAN
from tests.forked import command, only_run, paths, signal_at, train
from tests.test_resume import assert_same, kill_in

SHORT = ["budget.images=96", "checkpoint.every_images=20", "samples.every_images=1000", "log_every_steps=5"]
JUDGED = [
    *("metrics=generation_small", "metrics.num_images=20", "metrics.num_real=40", "transform=identity"),
    *("evaluation.at_start=none", "evaluation.every_images=24"),
]
PLATEAU = [*SHORT, *JUDGED, "stop=plateau", "stop.patience=1", "stop.min_delta=0.99"]
EQUILIBRIUM = [*SHORT, "stop=equilibrium", "stop.images=40", "stop.not_before=0"]
STOPPED_AT = {"plateau": 48, "equilibrium": 72}  # at the second judgement; 40 images after the first 32


def level_from(images: int) -> Callable[[], None]:
    """Discriminators that are right about everything, and from some image on about one half."""

    def before() -> None:
        original = FrequencyGAN.training_step

        def training_step(self: Any, *arguments: Any) -> dict[str, torch.Tensor]:
            terms = original(self, *arguments)
            accuracy = torch.tensor(0.5 if self.clock.images_seen > images else 1.0)
            names = {name for name in terms if name.endswith("/accuracy")} | {"bands/LL1/accuracy"}
            return terms | dict.fromkeys(names, accuracy)

        FrequencyGAN.training_step = training_step  # type: ignore[method-assign]

    return before


def both(*faults: Callable[[], None]) -> Callable[[], None]:
    def before() -> None:
        for fault in faults:
            fault()

    return before


def run_until(rule: str, folder: Path, *extra: str, fault: Callable[[], None] = lambda: None) -> tuple[int, str]:
    if rule == "plateau":
        return train(folder, *PLATEAU, *extra, before=fault)
    return train(folder, *EQUILIBRIUM, *extra, before=both(level_from(32), fault))


@pytest.fixture(scope="module", params=STOPPED_AT)
def stopped(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path, str]:
    """A rule, the run that it stopped, and what that said."""
    folder = tmp_path_factory.mktemp(request.param)
    status, output = run_until(request.param, folder)
    assert status == 0, output
    return request.param, only_run(folder), output


def test_a_stopped_run_has_all_that_a_run_has_at_its_end(stopped: tuple[str, Path, str]) -> None:
    rule, folder, output = stopped
    run, images = RunDirectory(folder), STOPPED_AT[rule]
    assert run.state() == "finished"
    assert run.record["images_seen"] == images
    reason = run.record["stopped"]
    assert reason.startswith({"plateau": "fd_efficientnet_lite0_n20_real40 did not", "equilibrium": "every"}[rule])
    words = " ".join(output.split())
    assert words.count(f"stopped: {reason}") == 1
    assert words.count(f"stopped {reason}") == 1  # in the report
    assert (folder / "samples" / f"images_{images:09d}.png").is_file()
    assert read_checkpoint(folder / "checkpoints" / "last.ckpt")["clock"]["images_seen"] == images
    at_the_end = {key for row in run.metrics if row["images_seen"] == images for key in row}
    assert {"train/generator/LL1/adversarial", "train/generator/image/adversarial"} & at_the_end
    if rule == "plateau":
        assert "val/fd_efficientnet_lite0_n20_real40" in at_the_end
        assert (folder / "evaluation" / "generation_efficientnet_lite0_n20_real40.json").is_file()


def test_a_stopped_run_is_left_alone_and_listed(stopped: tuple[str, Path, str]) -> None:
    rule, folder, _ = stopped
    root = folder.parents[1]
    status, output = run_until(rule, root, "resume=auto")
    assert status == 0, output
    assert "is finished" in " ".join(output.split())
    status, output = command(["runs", f"paths.output_dir={root}"], root)
    assert status == 0, output
    assert "finished early" in output


def kills(rule: str) -> dict[str, Callable[[], None]]:
    last = STOPPED_AT[rule] // 4 - 1
    return {
        "midway": signal_at(last - 4),
        "in the last step": signal_at(last),
        "before the last checkpoint": kill_in(CheckpointStore, "save", 5),
        "before the last grid": kill_in(sample_grid, "save_grid", {"plateau": 2, "equilibrium": 6}[rule]),
    }


@pytest.mark.slow
@pytest.mark.parametrize("point", ["midway", "in the last step", "before the last checkpoint", "before the last grid"])
@pytest.mark.fault("resume", "kill -9 in a step")
def test_killed_and_continued_it_stops_at_the_same_image(
    tmp_path: Path, stopped: tuple[str, Path, str], point: str
) -> None:
    rule, reference, _ = stopped
    status, output = run_until(rule, tmp_path, fault=kills(rule)[point])
    assert status == -signal.SIGKILL, output
    status, output = run_until(rule, tmp_path, "resume=auto")
    assert status == 0, output
    run = only_run(tmp_path)
    assert_same(run, reference)
    assert RunDirectory(run).record["stopped"] == RunDirectory(reference).record["stopped"]
    names = {path.relative_to(reference) for path in reference.rglob("*")}
    assert {path.relative_to(run) for path in run.rglob("*")} == names


@pytest.mark.slow
def test_a_stopped_run_goes_on_where_the_rule_is_lifted(tmp_path: Path) -> None:
    status, output = run_until("plateau", tmp_path)
    assert status == 0, output
    status, output = train(tmp_path, *SHORT, *JUDGED, "resume=auto")
    assert status == 0, output
    assert "is finished" in " ".join(output.split())
    status, output = train(tmp_path, *SHORT, *JUDGED, "resume=auto", "resume_override=[stop]")
    assert status == 0, output
    run = RunDirectory(only_run(tmp_path))
    assert (run.record["images_seen"], run.record["stopped"]) == (96, None)


def test_a_plateau_without_evaluations_is_refused(tmp_path: Path) -> None:
    status, output = command(["check", "metrics=none", "stop=plateau", *paths(tmp_path)], tmp_path)
    assert status == 2
    assert "stop=plateau waits for evaluations, and there are none: set metrics=generation" in " ".join(output.split())
    status, output = command(["check", "stop=equilibrium", "stop.tolerance=0.7", *paths(tmp_path)], tmp_path)
    assert status == 2
    assert "stop.tolerance=0.7: wanted less than 0.5" in " ".join(output.split())


@pytest.mark.slow
@pytest.mark.fault("resume", "SIGTERM, SIGINT or SIGUSR1")
def test_an_interrupted_last_judgement_is_made_up_for(tmp_path: Path) -> None:
    def interrupt() -> None:
        original = Evaluation._measure

        def measure(self: Evaluation, *arguments: Any) -> dict[str, float]:
            if self._judged_at == 24:
                os.kill(os.getpid(), signal.SIGTERM)
            return original(self, *arguments)

        Evaluation._measure = measure  # type: ignore[method-assign]

    status, output = run_until("plateau", tmp_path, fault=interrupt)
    assert status == 143, output
    status, output = run_until("plateau", tmp_path, "resume=auto")
    assert status == 0, output
    assert RunDirectory(only_run(tmp_path)).record["images_seen"] == STOPPED_AT["plateau"]
