"""Commands in forked children: the imports are paid once, and a child may be killed at any point."""

import json
import multiprocessing
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

# Imported here so that no child has to.
from freqgan import cli
from freqgan.runs import RunDirectory, read_checkpoint
from freqgan.systems import System

# Of any model.
SHORT = [
    *("data=scenes", "data.source.length=64", "data.image_size=16", "data.batch_size=4", "samples.count=4"),
    *("logger=none", "metrics=none", "hardware=cpu", "hardware.threads=1"),
]
# Of the frequency GAN.
NARROW = ["model.generator.channels=4", "model.discriminator.channels=4", "model.latent_dim=8"]
TINY = [*SHORT, *NARROW]


def command(
    arguments: list[str], folder: Path, *, before: Callable[[], None] = lambda: None, seconds: float = 120
) -> tuple[int, str]:
    """Runs `freqgan` with its output in a file; returns the exit status (negative for a signal) and the output.

    Args:
        before: called in the child first, to prepare a fault.
        seconds: after which it counts as hanging.
    """
    ((status, output),) = commands(arguments, folder, [{}], before=before, seconds=seconds)
    return status, output


def commands(
    arguments: list[str],
    folder: Path,
    places: list[dict[str, str]],
    *,
    before: Callable[[], None] = lambda: None,
    seconds: float = 120,
) -> list[tuple[int, str]]:
    """Runs one command as several processes at once; a place is what a launcher adds to the environment of each."""
    first = len(list(folder.glob("output_*")))
    outputs = [folder / f"output_{first + number}.txt" for number in range(len(places))]

    def child(output: Path, place: dict[str, str]) -> None:
        sys.stdout = sys.stderr = output.open("w", buffering=1)
        os.environ.update(place)
        before()
        status = cli.main(arguments)
        sys.stdout.flush()
        os._exit(status)

    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=child, args=pair) for pair in zip(outputs, places, strict=True)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(seconds)
        assert process.exitcode is not None, "the command hangs"
    return [(process.exitcode, output.read_text()) for process, output in zip(processes, outputs, strict=True)]


def train(
    folder: Path, *extra: str, before: Callable[[], None] = lambda: None, seconds: float = 120
) -> tuple[int, str]:
    """`freqgan train` of the smallest model, or of the one named in `extra`, with its runs in `folder`."""
    given = SHORT if any(setting.startswith("model=") for setting in extra) else TINY
    return command(["train", *given, *paths(folder), *extra], folder, before=before, seconds=seconds)


def paths(folder: Path) -> list[str]:
    """Everything that a run writes goes into one folder."""
    return [f"paths.output_dir={folder}", f"paths.cache_dir={folder / 'cache'}", "name=tiny"]


def torchrun(processes: int, *, machines: int = 1) -> list[dict[str, str]]:
    """The environment that torchrun gives each process."""
    per_machine = processes // machines
    shared = {
        "TORCHELASTIC_RUN_ID": "none",
        "GROUP_WORLD_SIZE": str(machines),
        "WORLD_SIZE": str(processes),
        "LOCAL_WORLD_SIZE": str(per_machine),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(free_port()),
    }
    return [
        shared | {"RANK": str(n), "GROUP_RANK": str(n // per_machine), "LOCAL_RANK": str(n % per_machine)}
        for n in range(processes)
    ]


def srun(processes: int, *, machines: int = 1) -> list[dict[str, str]]:
    """The environment that srun gives each task."""
    per_machine = processes // machines
    shared = {
        "SLURM_JOB_ID": "4711",
        "SLURM_JOB_NUM_NODES": str(machines),
        "SLURM_JOB_NODELIST": "localhost",
        "SLURM_NODELIST": "localhost",
        "SLURM_NNODES": str(machines),
        "SLURM_NTASKS": str(processes),
        "SLURM_STEP_ID": "0",
        "SLURM_STEP_NODELIST": "localhost",
        "SLURM_STEP_NUM_NODES": str(machines),
        "SLURM_STEP_NUM_TASKS": str(processes),
        "MASTER_PORT": str(free_port()),
    }
    return [
        shared | {"SLURM_PROCID": str(n), "SLURM_NODEID": str(n // per_machine), "SLURM_LOCALID": str(n % per_machine)}
        for n in range(processes)
    ]


def free_port() -> int:
    """A port of this machine that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def on_ranks(count: int, folder: Path, scenario: Callable[[], Any]) -> list[Any]:
    """What a scenario returns, as JSON, on each of several processes that are joined by gloo."""

    def child(rank: int) -> None:
        torch.set_num_threads(1)
        dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=count)
        (store.parent / f"rank_{rank}.json").write_text(json.dumps(scenario()))
        dist.destroy_process_group()

    store = Path(tempfile.mkdtemp(dir=folder)) / "store"
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=child, args=(rank,)) for rank in range(count)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        process.kill()
    return [json.loads((store.parent / f"rank_{rank}.json").read_text()) for rank in range(count)]


def signal_at(step: int, signum: int = signal.SIGKILL) -> Callable[[], None]:
    """A fault: this process gets a signal in the middle of a step, between the two players."""

    def before() -> None:
        original = System._update

        def update(self: Any, player: str, *rest: Any) -> None:
            if self.clock.steps == step and player == "generator":
                os.kill(os.getpid(), signum)
            original(self, player, *rest)  # type: ignore[arg-type]

        System._update = update  # type: ignore[method-assign]

    return before


def only_run(folder: Path) -> Path:
    """The one run below a folder."""
    (run,) = (path.parent for path in folder.glob("tiny/*/run.json"))
    return run


def tensors(value: Any, path: str = "") -> dict[str, Any]:
    """Every leaf of a checkpoint by its path; tensors as bytes, times left out."""
    if isinstance(value, dict):
        items = [(str(key), item) for key, item in value.items()]
    elif isinstance(value, list | tuple):
        items = [(str(i), item) for i, item in enumerate(value)]
    elif isinstance(value, torch.Tensor):
        return {
            path: (value.dtype, tuple(value.shape), value.contiguous().view(-1).view(torch.uint8).numpy().tobytes())
        }
    else:
        return {path: value}
    leaves: dict[str, Any] = {}
    for key, item in items:
        if key not in ("seconds", "config"):
            leaves |= tensors(item, f"{path}/{key}")
    return leaves


def rows(run: Path) -> list[dict[str, float]]:
    """What a run has logged, without times."""
    return [{k: v for k, v in row.items() if not k.startswith("time/")} for row in RunDirectory(run).metrics]


def assert_same(run: Path, reference: Path) -> None:
    """Two runs have logged the same and ended with the same bits."""
    ours, theirs = (tensors(read_checkpoint(path / "checkpoints" / "last.ckpt")) for path in (run, reference))
    assert ours.keys() == theirs.keys()
    assert [name for name in ours if ours[name] != theirs[name]] == []
    assert rows(run) == rows(reference)
