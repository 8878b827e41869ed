"""`freqgan train`: one run, from a config to a checkpoint, a grid of pictures and numbers."""

import logging
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig
from rich.console import Console

from freqgan import callbacks, config, runs
from freqgan.errors import DivergedError
from freqgan.hardware import Hardware
from freqgan.launcher import is_rank_zero
from freqgan.lifetime import end_with_parent
from freqgan.metrics.ranks import on_first
from freqgan.ops.global_batch import world_size
from freqgan.runs.rollback import go_back, slowed
from freqgan.runs.session import session, taken_from, told, told_by_rank_zero
from freqgan.runs.stored import load_protocol
from freqgan.systems import Clock, System
from freqgan.systems.trainer import make_trainer, torn_down

log = logging.getLogger("freqgan")


def main(cfg: DictConfig) -> None:
    """Trains to the budget, or continues a run to its budget."""
    settings = config.resolve(cfg)
    hardware: Hardware = config.build(settings["hardware"])
    hardware.apply()
    data = config.build_data(settings)
    choice = of_rank_zero(hardware, lambda: runs.settle(settings, data))
    run = choice.run
    assert run is not None
    if choice.finished:
        Console(quiet=not is_rank_zero()).print(f"{run.path} is finished", soft_wrap=True)
        return
    interruption = callbacks.Interruption()
    with session(run, choice), interruption.listening():
        if is_rank_zero():
            facts = runs.provenance() | {"data_fingerprint": data.fingerprint(), "computing": hardware.facts}
            runs.tell_changes(run, choice, facts, settings)
            run.write_config(settings)
            run.write_record(**facts, name=settings["name"], seed=settings["seed"])
        while True:
            try:
                fit(settings, hardware, data, run, choice, interruption)
                break
            except DivergedError as error:
                choice = on_first(partial(go_back, run, settings, error))
    if is_rank_zero():
        runs.report(run)


def of_rank_zero(hardware: Hardware, settle: Callable[[], runs.Choice]) -> runs.Choice:
    """Rank zero's choice, on every process that it started or that was started beside it."""
    hardware.meet()
    if world_size() > 1 or is_rank_zero():
        with told_by_rank_zero():
            return on_first(settle)
    end_with_parent()
    return told()


def fit(
    settings: dict[str, Any],
    hardware: Hardware,
    data: Any,
    run: runs.RunDirectory,
    choice: runs.Choice,
    interruption: callbacks.Interruption,
) -> None:
    """Builds every part and trains."""
    seed, every = settings["seed"], settings["log_every_steps"]
    clock = Clock(**settings["budget"])
    torch.manual_seed(seed)
    system: System = config.build_model(settings, clock=clock, seed=seed)
    system.to(memory_format=hardware.layout)
    system.optim.slowed = slowed(run, settings)
    if is_rank_zero():
        run.write_record(parameters=system.trained_parameters)
    if hardware.compile:
        for network in system.players().values():
            network.compile()
    journal = callbacks.Journal(run, list(build_all(settings["logger"])), every_steps=every)
    store = callbacks.CheckpointStore(run, journal, **settings["checkpoint"])
    grid = callbacks.SampleGrid(run, journal, **settings["samples"], seed=seed)
    protocol, cache = load_protocol(settings, settings["model"]), Path(settings["paths"]["cache_dir"]).expanduser()
    stop = config.build(settings["stop"])
    plateau = stop if isinstance(stop, callbacks.Plateau) else None
    judge = callbacks.Evaluation(
        run, journal, store, protocol, **settings["evaluation"], cache_dir=cache, seed=seed, plateau=plateau
    )
    divergence = callbacks.Divergence(run, journal, every_steps=every, gone_back=choice.gone_back)
    # What stands before `Interruption` belongs to a step; what takes longer may be interrupted, and is made up for.
    around = [journal, divergence, grid, *build_all(settings["callbacks"]), interruption, judge, store]
    machine = hardware.trainer_arguments(callbacks.AtomicCheckpointIO())
    trainer = make_trainer(machine, [stop, *around] if stop else around, default_root_dir=run.path)
    if choice.checkpoint is not None:
        data.images_seen = choice.images_seen
        if is_rank_zero():
            log.info("resumed at %d images from %s", choice.images_seen, choice.checkpoint)
    with journal.mirrored(settings), torn_down(trainer), taken_from(choice, clock):
        trainer.fit(system, datamodule=data, ckpt_path=choice.checkpoint, weights_only=True)


def build_all(nodes: dict[str, Any] | None) -> Iterator[Any]:
    """The objects of a group that is a dictionary of nodes; null leaves one out."""
    return (config.build(node) for node in (nodes or {}).values() if node is not None)
