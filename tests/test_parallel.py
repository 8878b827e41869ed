"""Two processes over gloo are one run: the same weights as one process, one record, and a common end."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from freqgan.runs import RunDirectory, read_checkpoint
from tests.forked import TINY, assert_same, free_port, only_run, train

pytestmark = pytest.mark.slow

NORMS = ["model.generator.norm=none", "model.discriminator.norm=none"]
STEPS = [*NORMS, "optim=sgd", "hardware.precision=float32", "log_every_steps=8", "checkpoint.every_images=16"]
MEASURED = ["metrics=generation_small", "metrics.num_images=20", "metrics.num_real=40", "metrics.batch_size=8"]
PROGRAM = [sys.executable, "-m", "freqgan.cli"]
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "-m", "freqgan.cli"]


def start(program: list[str], folder: Path, *extra: str) -> subprocess.Popen[str]:
    paths = [f"paths.output_dir={folder}", f"paths.cache_dir={folder / 'cache'}", "name=tiny"]
    arguments = [*TINY, *paths, *STEPS, "hardware=cpu_ddp", *extra]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1]), "OMP_NUM_THREADS": "1"}
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    return subprocess.Popen([*program, "train", *arguments], cwd=folder, env=environment, text=True, **streams)


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    try:
        output, _ = process.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return process.returncode, output


def weights(run: Path) -> dict[str, torch.Tensor]:
    content = read_checkpoint(run / "checkpoints" / "last.ckpt")
    assert content["clock"]["images_seen"] == 64
    state: dict[str, torch.Tensor] = content["state_dict"]
    return state


def diversity(run: Path) -> list[float]:
    return [row["val/diversity"] for row in RunDirectory(run).metrics if "val/diversity" in row]


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one process and sixteen steps."""
    folder = tmp_path_factory.mktemp("alone")
    status, output = train(folder, *STEPS, "budget.images=64")
    assert status == 0, output
    return only_run(folder)


@pytest.fixture(scope="module")
def alone(one: Path) -> dict[str, torch.Tensor]:
    """Its weights."""
    return weights(one)


@pytest.mark.fault("resume", "two processes stopped or killed")
def test_two_processes_train_and_continue_as_one(tmp_path: Path, alone: dict[str, torch.Tensor]) -> None:
    status, output = finish(start(PROGRAM, tmp_path, "budget.images=32"))
    assert status == 0, output
    resume = ["budget.images=64", "resume=auto", "resume_override=[budget.images]"]
    status, output = finish(start(PROGRAM, tmp_path, *resume))
    assert status == 0, output
    assert output.count("resumed at 32 images from ") == 1
    assert "differ in their last digits" not in output
    run = RunDirectory(only_run(tmp_path))
    assert run.state() == "finished"
    assert [row["images_seen"] for row in run.metrics if "train/generator/lr" in row] == [32, 64]
    for name, value in weights(run.path).items():
        torch.testing.assert_close(value, alone[name], rtol=0, atol=1e-5)


@pytest.mark.fault("resume", "two processes stopped or killed")
def test_two_processes_that_are_killed_end_with_the_same_bits(tmp_path: Path) -> None:
    whole, parts = (["budget.images=64", f"paths.run_dir={tmp_path / name}"] for name in ("whole", "parts"))
    status, output = finish(start(PROGRAM, tmp_path, *whole))
    assert status == 0, output
    process = start(PROGRAM, tmp_path, *parts)
    while not (tmp_path / "parts" / "checkpoints" / "images_16.ckpt").exists():
        assert process.poll() is None, finish(process)
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    assert finish(process)[0] == -signal.SIGKILL
    status, output = finish(start(PROGRAM, tmp_path, *parts, "resume=auto"))
    assert status == 0, output
    assert "resumed at " in output
    assert_same(tmp_path / "parts", tmp_path / "whole")


def test_processes_of_torchrun_share_one_run(tmp_path: Path, one: Path, alone: dict[str, torch.Tensor]) -> None:
    judging = [*MEASURED, "evaluation.at_start=none", "evaluation.every_images=16"]
    status, output = finish(start(TORCHRUN, tmp_path, "budget.images=64", *judging))
    assert status == 0, output
    run = RunDirectory(only_run(tmp_path))
    judged = [row for row in run.metrics if "val/fd_efficientnet_lite0_n20_real40" in row]
    assert [row["images_seen"] for row in judged] == [16, 32, 48, 64]
    assert diversity(run.path) == pytest.approx(diversity(one), rel=1e-3)
    assert len(diversity(one)) == 11  # a tenth of the budget is 6 images; and the end
    for name, value in weights(run.path).items():
        torch.testing.assert_close(value, alone[name], rtol=0, atol=1e-5)


def test_processes_stop_together(tmp_path: Path) -> None:
    judging = [*MEASURED, "evaluation.at_start=none", "evaluation.every_images=16"]
    plateau = ["stop=plateau", "stop.patience=1", "stop.min_delta=0.99"]
    status, output = finish(start(PROGRAM, tmp_path, "budget.images=64", *judging, *plateau))
    assert status == 0, output
    run = RunDirectory(only_run(tmp_path))
    assert (run.state(), run.record["images_seen"]) == ("finished", 32)
    assert output.count("stopped: fd_efficientnet_lite0_n20_real40 did not improve on ") == 1


def test_two_machines_under_torchrun_share_one_run(tmp_path: Path, alone: dict[str, torch.Tensor]) -> None:
    meeting = [f"--rdzv-endpoint=localhost:{free_port()}", "--rdzv-backend=c10d", "--rdzv-id=1"]
    agent = [*TORCHRUN[:3], "--nnodes=2", "--nproc-per-node=1", *meeting, *TORCHRUN[4:]]
    several = ["hardware=multi_node", "hardware.accelerator=cpu", "budget.images=64"]
    machines = [start(agent, tmp_path, *several) for _ in range(2)]
    outcomes = [finish(machine) for machine in machines]
    assert [status for status, _ in outcomes] == [0, 0], outcomes
    assert sum(output.count("64/64 images") for _, output in outcomes) == 1
    run = RunDirectory(only_run(tmp_path))
    assert run.state() == "finished"
    for name, value in weights(run.path).items():
        torch.testing.assert_close(value, alone[name], rtol=0, atol=1e-5)


@pytest.mark.parametrize("sign", ["GLOBAL_RANK: 0", "GLOBAL_RANK: 1", "images/s"], ids=["started", "met", "training"])
@pytest.mark.fault("resume", "two processes stopped or killed")
def test_no_process_outlives_the_first(tmp_path: Path, sign: str) -> None:
    process = start(PROGRAM, tmp_path, "budget.images=4000000", "checkpoint.every_images=null")
    assert process.stdout is not None
    assert any(sign in line for line in process.stdout)
    process.send_signal(signal.SIGKILL)
    # Its output ends when the last process that holds it does.
    assert finish(process)[0] == -signal.SIGKILL
    assert RunDirectory(only_run(tmp_path)).state() == "killed"


def second_of(first: int) -> int:
    """The process that the first one of two has started."""
    children = map(int, Path(f"/proc/{first}/task/{first}/children").read_text().split())
    return next(pid for pid in children if b"LOCAL_RANK=1" in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"))


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="the system does not tell who started whom")
@pytest.mark.fault("resume", "two processes stopped or killed")
def test_a_run_does_not_outlive_its_second_process_and_goes_on(tmp_path: Path) -> None:
    whole, parts = (["budget.images=64", f"paths.run_dir={tmp_path / name}"] for name in ("whole", "parts"))
    status, output = finish(start(PROGRAM, tmp_path, *whole))
    assert status == 0, output
    process = start(PROGRAM, tmp_path, *parts)
    while not (tmp_path / "parts" / "checkpoints" / "images_16.ckpt").exists():
        assert process.poll() is None, finish(process)
        time.sleep(0.002)
    os.kill(second_of(process.pid), signal.SIGKILL)
    status, output = finish(process)
    assert status == 1, output
    assert "freqgan: another process of this run has ended" in output
    assert "Traceback" not in output
    assert RunDirectory(tmp_path / "parts").state() in ("failed", "killed")
    status, output = finish(start(PROGRAM, tmp_path, *parts, "resume=auto"))
    assert status == 0, output
    assert "resumed at " in output
    assert_same(tmp_path / "parts", tmp_path / "whole")


def test_one_process_goes_on_with_what_two_began(tmp_path: Path, alone: dict[str, torch.Tensor]) -> None:
    status, output = finish(start(PROGRAM, tmp_path, "budget.images=32"))
    assert status == 0, output
    resume = ["budget.images=64", "resume=auto", "resume_override=[budget.images]"]
    status, output = train(tmp_path, *STEPS, *resume)
    assert status == 0, output
    run = RunDirectory(only_run(tmp_path))
    assert run.record["resumed"] == [{"at": 32, "changed": {"processes": [2, 1]}}]
    assert "processes was 2, now 1" in " ".join(output.split())
    for name, value in weights(run.path).items():
        torch.testing.assert_close(value, alone[name], rtol=0, atol=1e-5)


@pytest.mark.fault("divergence", "NaN or infinity")
def test_a_divergence_ends_all_processes_with_one_line(tmp_path: Path) -> None:
    status, output = finish(start(PROGRAM, tmp_path, "budget.images=16", "optim.lr=1e30"))
    assert status == 65, output
    assert output.count("freqgan: ") == 1
    assert "Traceback" not in output
    assert RunDirectory(only_run(tmp_path)).state() == "diverged"


@pytest.mark.fault("divergence", "rollback")
def test_all_processes_go_back_together(tmp_path: Path) -> None:
    wild = ["optim.lr=1e30", "on_divergence=rollback", "rollback.lr_factor=1e-33"]
    status, output = finish(start(PROGRAM, tmp_path, "budget.images=16", *wild))
    assert status == 0, output
    run = RunDirectory(only_run(tmp_path))
    assert run.state() == "finished"
    assert [event["back_to"] for event in run.record["rollbacks"]] == [0]
    assert {path.name for path in (run.path / "diverged").glob("*.pt")} == {"images_0_0.pt", "images_0_1.pt"}


@pytest.mark.parametrize("every", ["null", "4"], ids=["training", "judging"])
@pytest.mark.fault("resume", "two processes stopped or killed")
def test_a_signal_to_one_process_stops_all_after_the_same_step(tmp_path: Path, every: str) -> None:
    judging = [*MEASURED, "evaluation.at_start=none", f"evaluation.every_images={every}"] if every == "4" else []
    process = start(PROGRAM, tmp_path, "budget.images=4000000", "checkpoint.every_images=null", *judging)
    assert process.stdout is not None
    assert any("images/s" in line for line in process.stdout)
    process.send_signal(signal.SIGTERM)
    status, output = finish(process)
    assert status == 143, output
    assert output.count("freqgan: interrupted by SIGTERM after a whole step") == 1
    assert "Traceback" not in output
    run = RunDirectory(only_run(tmp_path))
    assert run.state() == "interrupted"
    seen = read_checkpoint(run.path / "checkpoints" / "last.ckpt")["clock"]["images_seen"]
    assert seen == run.record["images_seen"] > 0
