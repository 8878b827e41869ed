"""`freqgan train`: one run, from a config to a checkpoint, a grid of pictures and numbers."""

import logging
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from omegaconf import DictConfig
from rich.console import Console
from rich.table import Table

from freqgan import callbacks, config, runs
from freqgan.hardware import Hardware
from freqgan.runs.session import RANK_ZERO_RUN, is_rank_zero, session
from freqgan.systems import Clock, System

log = logging.getLogger("freqgan")


def main(cfg: DictConfig) -> None:
    """Trains to the budget, or continues a run to its budget."""
    settings = config.resolve(cfg)
    hardware: Hardware = config.build(settings["hardware"])
    hardware.apply()
    parent = Path(settings["paths"]["output_dir"]) / settings["name"]
    choice = runs.choose(parent, settings["resume"]) if is_rank_zero() else runs.Choice()
    if choice.run is not None and choice.finished and not settings["resume_override"]:
        Console().print(f"{choice.run.path} is finished", soft_wrap=True)
        return
    data = config.build(settings["data"])
    data.prepare_data()
    facts = runs.provenance()
    if choice.run is not None:
        now = runs.identity(settings, data.fingerprint(), facts["versions"])
        runs.refuse_changes(choice.run, now, settings["resume_override"])
    joined = os.environ.get(RANK_ZERO_RUN)
    run = runs.RunDirectory(Path(joined)) if joined else choice.run or runs.RunDirectory.create(parent)
    with session(run):
        if is_rank_zero():
            run.write_config(settings)
            run.write_record(**facts, name=settings["name"], seed=settings["seed"], data_fingerprint=data.fingerprint())
        fit(settings, hardware, data, run, choice)
    if is_rank_zero():
        report(run)


def fit(settings: dict[str, Any], hardware: Hardware, data: Any, run: runs.RunDirectory, choice: runs.Choice) -> None:
    """Builds every part and trains."""
    seed, every = settings["seed"], settings["log_every_steps"]
    clock = Clock(**settings["budget"])
    torch.manual_seed(seed)
    system: System = config.build_model(settings, clock=clock, seed=seed)
    system.to(memory_format=hardware.layout)
    if hardware.compile:
        for network in system.players().values():
            network.compile()
    journal = callbacks.Journal(run, list(build_all(settings["logger"])), every_steps=every)
    store = callbacks.CheckpointStore(run, journal, **settings["checkpoint"])
    around: list[pl.Callback] = [journal, callbacks.Interruption(), *build_all(settings["callbacks"])]
    protocol, cache = config.build(settings["metrics"]), Path(settings["paths"]["cache_dir"]).expanduser()
    judge = callbacks.Evaluation(run, journal, store, protocol, **settings["evaluation"], cache_dir=cache, seed=seed)
    around += [callbacks.SampleGrid(run, journal, **settings["samples"], seed=seed), judge]
    quiet_lightning()
    trainer = pl.Trainer(
        **hardware.trainer_arguments(),
        callbacks=[*around, store],
        plugins=[callbacks.AtomicCheckpointIO()],
        logger=False,
        max_epochs=-1,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        default_root_dir=run.path,
    )
    if choice.checkpoint is not None:
        data.images_seen = choice.images_seen
        log.info("resumed at %d images from %s", choice.images_seen, choice.checkpoint)
    with journal.mirrored(settings):
        trainer.fit(system, datamodule=data, ckpt_path=choice.checkpoint, weights_only=True)


def build_all(nodes: dict[str, Any] | None) -> Iterator[Any]:
    """The objects of a group that is a dictionary of nodes; null leaves one out."""
    return (config.build(node) for node in (nodes or {}).values() if node is not None)


def quiet_lightning() -> None:
    """Leaves out Lightning's advice, which is about loops that this package does not use."""
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="pytorch_lightning")
    warnings.filterwarnings("ignore", module="lightning_fabric")


def report(run: runs.RunDirectory) -> None:
    """What a newcomer wants to know at the end: where everything is, and whether it got better."""
    console = Console()
    rows = [row for row in run.metrics if any(key.startswith("val/") for key in row)]
    table = Table("metric", "start" if rows and rows[0]["images_seen"] == 0 else "first", "end", "end / start")
    for key in [key for key in (rows[-1] if rows else {}) if key.startswith("val/")]:
        first, last = rows[0].get(key), rows[-1][key]
        ratio = f"{last / first:.3f}" if first else ""
        table.add_row(key.removeprefix("val/"), f"{first:.4g}" if first is not None else "", f"{last:.4g}", ratio)
    if rows:
        console.print(table)
    record = run.record
    grids = sorted((run.path / "samples").glob("images_*.png"))
    lines = [
        f"run         {run.path}",
        f"samples     {grids[-1] if grids else 'none'}",
        f"checkpoint  {run.path / 'checkpoints' / 'last.ckpt'}",
        f"cost        {record.get('images_seen', 0)} images in {record.get('seconds', 0.0):.0f} s of training, "
        f"{record.get('cpu_seconds', 0.0):.0f} CPU-seconds in all, {record.get('peak_memory_gib', 0.0):.2f} GiB at most",
    ]
    for line in lines:
        console.print(line, soft_wrap=True, highlight=False)
