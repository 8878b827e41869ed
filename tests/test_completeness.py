"""What a run changes while it trains is back when it continues: no state is forgotten by its checkpoints."""

import hashlib
import json
import os
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from freqgan.callbacks import CheckpointStore
from freqgan.systems import System
from tests.forked import train
from tests.models import MODELS, with_encoders

BUDGET = ["budget.images=64", "checkpoint.every_images=12", "samples.every_images=12", "log_every_steps=5"]
FIRST, LAST = 10, 12  # steps: a checkpoint is written behind the last one
LIGHTNINGS = {*vars(pl.LightningModule()), *vars(pl.Callback())} - {"_parameters", "_buffers", "_modules"}

# What may change without being kept.
DERIVED = {
    r"/clock/(_started|_measured_from|seconds)": "times",
    r"/rows|.*/rows": "of the step that is going on",
    r"(/inner/\d+)?/notes/.*": "of the last step",
    r".*/_since/\d": "when the row was begun, for images per second",
    r".*/_saved_at|.*/_drawn_at": "that this moment is on the disk: another process looks there",
    r".*/_batch/.*": "of the last step",
    r"/ProgressBar/_line_at": "when the last line was printed",
    r"/_modules/ema/_share": "of the last step",
}


def snapshot(trainer: pl.Trainer) -> dict[str, str]:
    """Every value that a run holds, by its path: of the system, its optimisers and the callbacks; tensors by hash."""
    system = trainer.lightning_module
    seen: set[int] = set()
    found = dict(leaves(system, "", seen))
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        found |= dict(leaves(callback, f"/{type(callback).__name__}", seen))
    for number, optimizer in enumerate(trainer.optimizers):
        found |= dict(leaves(optimizer.state_dict(), f"/optimizer{number}", seen))
    return found


def leaves(value: Any, path: str, seen: set[int]) -> Iterator[tuple[str, str]]:
    if isinstance(value, Tensor) and value.is_meta:
        yield path, f"meta {tuple(value.shape)}"
    elif isinstance(value, Tensor):
        content = value.detach().contiguous().view(-1).view(torch.uint8).numpy().tobytes()
        yield path, f"{value.dtype} {tuple(value.shape)} {hashlib.sha256(content).hexdigest()[:16]}"
    elif value is None or isinstance(value, bool | int | float | str):
        yield path, repr(value)
    elif isinstance(value, set | frozenset):
        yield path, repr(sorted(map(repr, value)))
    elif id(value) not in seen:
        seen.add(id(value))
        for name, item in parts(value):
            yield from leaves(item, f"{path}/{name}", seen)


def parts(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        yield from ((str(name), item) for name, item in value.items())
    elif isinstance(value, list | tuple):
        yield from ((str(number), item) for number, item in enumerate(value))
    elif isinstance(value, nn.Module) or type(value).__module__.startswith("freqgan."):
        slots = {name: getattr(value, name) for name in getattr(type(value), "__slots__", ()) if hasattr(value, name)}
        for name, item in (slots | getattr(value, "__dict__", {})).items():
            if name not in LIGHTNINGS and not isinstance(item, ModuleType | type):
                yield name, item


def written(folder: Path, *, resumed: bool) -> Callable[[], None]:
    """Snapshots of a process go to files, and it is killed: behind two steps, or where a continued one begins."""

    def write(name: str, trainer: pl.Trainer) -> None:
        (folder / f"{name}.json").write_text(json.dumps(snapshot(trainer)))

    def fault() -> None:
        step, start = CheckpointStore.on_train_batch_end, CheckpointStore.on_train_start

        def on_train_batch_end(self: Any, trainer: pl.Trainer, system: System, *rest: Any) -> None:
            step(self, trainer, system, *rest)
            if system.clock.steps in (FIRST, LAST):
                write(f"step_{system.clock.steps}", trainer)
            if system.clock.steps == LAST:
                os.kill(os.getpid(), signal.SIGKILL)

        def on_train_start(self: Any, trainer: pl.Trainer, system: System) -> None:
            start(self, trainer, system)
            if resumed:
                write("resumed", trainer)
                os.kill(os.getpid(), signal.SIGKILL)

        CheckpointStore.on_train_batch_end = on_train_batch_end  # type: ignore[assignment,method-assign]
        CheckpointStore.on_train_start = on_train_start  # type: ignore[assignment,method-assign]

    return fault


def forgotten(folder: Path, *settings: str) -> dict[str, tuple[str | None, str | None]]:
    """What two steps of a run change and a continued one does not have, with both values."""
    for resumed in (False, True):
        arguments = [*BUDGET, *settings, *(["resume=must"] if resumed else [])]
        status, output = train(folder, *arguments, before=written(folder, resumed=resumed))
        assert status == -signal.SIGKILL, output
    before, after, back = (
        json.loads((folder / f"{name}.json").read_text()) for name in (f"step_{FIRST}", f"step_{LAST}", "resumed")
    )
    changed = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
    for name in (r"/clock/images_seen", r"/optimizer\d/state/\d+/step", r"/_modules/ema/.*"):
        assert any(re.fullmatch(name, path) for path in changed), name
    lost = {path: (after.get(path), back.get(path)) for path in changed if after.get(path) != back.get(path)}
    return {path: pair for path, pair in lost.items() if not any(re.fullmatch(name, path) for name in DERIVED)}


@pytest.mark.parametrize(
    "model", [model if model == "frequency_gan" else pytest.param(model, marks=pytest.mark.slow) for model in MODELS]
)
def test_checkpoints_hold_all_that_changes(tmp_path: Path, model: str) -> None:
    assert forgotten(tmp_path, *with_encoders(MODELS[model])) == {}


def test_a_forgotten_list_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = System.begin_phases

    def begin_phases(self: Any) -> None:
        original(self)
        self.__dict__.setdefault("history", []).append(self.clock.steps)

    monkeypatch.setattr(System, "begin_phases", begin_phases)
    assert forgotten(tmp_path).keys() >= {"/history/11", "/history/12"}
