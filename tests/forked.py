"""Commands in forked children: the imports are paid once, and a child may be killed at any point."""

import json
import multiprocessing
import os
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

# Imported here so that no child has to.
from freqgan import cli
from freqgan.systems import System

TINY = [
    *("data=scenes", "data.source.length=64", "data.image_size=16", "data.batch_size=4"),
    *("model.generator.channels=4", "model.discriminator.channels=4", "model.latent_dim=8", "samples.count=4"),
    *("logger=none", "metrics=none", "hardware=cpu", "hardware.threads=1"),
]


def command(arguments: list[str], folder: Path, *, before: Callable[[], None] = lambda: None) -> tuple[int, str]:
    """Runs `freqgan` with its output in a file; returns the exit status (negative for a signal) and the output.

    Args:
        before: called in the child first, to prepare a fault.
    """
    output = folder / f"output_{len(list(folder.glob('output_*')))}.txt"

    def child() -> None:
        sys.stdout = sys.stderr = output.open("w", buffering=1)
        before()
        status = cli.main(arguments)
        sys.stdout.flush()
        os._exit(status)

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    process.join(120)
    assert process.exitcode is not None, "the command hangs"
    return process.exitcode, output.read_text()


def train(folder: Path, *extra: str, before: Callable[[], None] = lambda: None) -> tuple[int, str]:
    """`freqgan train` of the smallest model, with its runs in `folder`."""
    paths = [f"paths.output_dir={folder}", f"paths.cache_dir={folder / 'cache'}", "name=tiny"]
    return command(["train", *TINY, *paths, *extra], folder, before=before)


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
        return {path: (value.dtype, tuple(value.shape), value.contiguous().view(-1).numpy().tobytes())}
    else:
        return {path: value}
    leaves: dict[str, Any] = {}
    for key, item in items:
        if key not in ("seconds", "config"):
            leaves |= tensors(item, f"{path}/{key}")
    return leaves
