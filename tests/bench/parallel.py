"""Two gloo processes with one thread each against one process with one thread: the same steps of the same global batch.

All three train through Lightning's loop and stop before every step until they are told to go on: alone and together
take turns, so that they see the same neighbours on the cores. The goal is of wall time, in which a process waits for
the other; it needs two idle cores. CPU time says what the exchange costs besides, on a busy machine too.
"""

import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

import pytorch_lightning as pl

from freqgan.callbacks import Interruption, Journal
from freqgan.data import DataModule, OpenMoji
from freqgan.hardware import Hardware
from freqgan.runs import RunDirectory
from freqgan.systems.trainer import make_trainer
from freqgan.transforms import Identity
from tests.bench.step import build
from tests.forked import torchrun

BATCH = 128  # what every process does once, whatever its rows, weighs little beside them
WARM_UP = 2


class Gate(pl.Callback):
    """Holds a process before each of its steps."""

    def __init__(self, pipe: Connection) -> None:
        self.pipe = pipe
        self.begun = 0.0

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        self.pipe.recv()
        self.begun = time.process_time()

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.pipe.send(time.process_time() - self.begun)


def rows(rounds: int = 12) -> list[tuple[str, float, str]]:
    """Name, efficiency and goal."""
    alone, together = race(rounds)
    wall = [a.seconds / (2 * b.seconds) for a, b in zip(alone, together, strict=True)]
    cpu = [a.cpu_seconds / b.cpu_seconds for a, b in zip(alone, together, strict=True)]
    name = f"two processes, DCGAN 64 px, batch {BATCH}"
    return [
        (f"{name}: speed / twice that of one", statistics.median(wall), ">= 0.85"),
        (f"{name}: the same in the least disturbed round (information)", max(wall), ""),
        (f"{name}: CPU seconds of one / of both (information)", statistics.median(cpu), ""),
    ]


class Step(NamedTuple):
    """What one step took."""

    seconds: float
    cpu_seconds: float


def race(rounds: int) -> tuple[list[Step], list[Step]]:
    """Each round's step of one process, and of two."""
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        places: list[dict[str, str]] = [{}, *torchrun(2)]
        pipes = [context.Pipe() for _ in places]
        processes = [
            context.Process(target=train, args=(place, theirs, folder, rounds), daemon=True)
            for place, (_, theirs) in zip(places, pipes, strict=True)
        ]
        for process in processes:
            process.start()
        ours = [own for own, _ in pipes]
        steps = [(step(ours[:1]), step(ours[1:])) for _ in range(WARM_UP + rounds)]
        for process in processes:
            process.join()
    return [one for one, _ in steps[WARM_UP:]], [both for _, both in steps[WARM_UP:]]


def step(pipes: list[Connection]) -> Step:
    """Lets these processes take a step, and waits for all."""
    begun = time.perf_counter()
    for pipe in pipes:
        pipe.send(None)
    cpu_seconds = sum(pipe.recv() for pipe in pipes)
    return Step(time.perf_counter() - begun, cpu_seconds)


def train(place: Mapping[str, str], pipe: Connection, folder: str, rounds: int) -> None:
    """One process: a DCGAN of 64 px, its share of the batch, one thread."""
    os.environ.update(place)
    processes = int(place.get("WORLD_SIZE", "1"))
    hardware = Hardware(accelerator="cpu", devices=processes, threads=1)
    hardware.apply()
    hardware.meet()
    system = build(Identity(), image_size=64, channels=64, images=BATCH * (rounds + WARM_UP))
    system.to(memory_format=hardware.layout)
    run = RunDirectory(Path(folder) / str(processes))
    run.path.mkdir(exist_ok=True)
    around = [Journal(run, [], every_steps=50), Interruption(), Gate(pipe)]
    trainer = make_trainer(hardware.trainer_arguments(), around)
    trainer.fit(system, datamodule=DataModule(source=OpenMoji, image_size=64, batch_size=BATCH))


if __name__ == "__main__":
    for name, value, goal in rows():
        print(f"{name:65} {value:8.3f} {goal}")
