"""What callbacks need of a training: a system with a clock, and as much of a Trainer as they ask for."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from freqgan.runs import RunDirectory, write_checkpoint
from tests.systems.toy import Toy

CONFIG: dict[str, Any] = {"name": "study", "group": None, "job_type": "train", "tags": ["a"], "seed": 1}


def new_run(folder: Path) -> RunDirectory:
    run = RunDirectory.create(folder)
    run.write_config(CONFIG)
    run.write_record(status="running")
    return run


def new_system(*, images: int = 80, zero: bool = True, kind: type[Toy] = Toy) -> Toy:
    """A system whose clock counts steps of 8 images; its trainer remembers the checkpoints that were asked for."""
    toy = kind(images=images)
    trainer: Any = SimpleNamespace(is_global_zero=zero, training=True, datamodule=None, lightning_module=toy, saved=[])
    trainer.optimizers = toy.optimizers()

    def save_checkpoint(path: Path) -> None:
        trainer.saved.append(path.name)
        clock = toy.clock.state_dict()
        write_checkpoint(path, {"state_dict": toy.state_dict(), "ema": {}, "clock": clock})

    trainer.save_checkpoint = save_checkpoint
    toy._trainer = trainer
    toy.clock.start()
    return toy


def step(toy: Toy, *callbacks: Any, terms: dict[str, Any] | None = None) -> None:
    """One whole step and what the callbacks do after it."""
    for callback in callbacks:
        callback.on_train_batch_start(toy.trainer, toy, {}, 0)
    outputs = toy.run(1)[0]
    for callback in callbacks:
        callback.on_train_batch_end(toy.trainer, toy, outputs if terms is None else terms, {}, 0)
