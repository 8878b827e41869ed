"""`freqgan upscale`: pictures enlarged by a run's generator, a file or a whole folder."""

import logging
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig
from torch import Tensor

from freqgan import config
from freqgan.data.decode import decode, read_header
from freqgan.errors import FreqganError, UserError
from freqgan.hardware import Hardware
from freqgan.inference import Advance, Job, Restorer, encode, plan, restore_picture, work_through
from freqgan.runs.files import storage, write_whole
from freqgan.runs.stored import load_system
from freqgan.systems.restoring import Restoring
from freqgan.terminal import table_console

log = logging.getLogger(__name__)

_NAMED = 5


def main(cfg: DictConfig) -> None:
    """Writes every picture that is not there yet, and says what became of all."""
    settings = config.resolve(cfg)
    output = Path(settings["output"]).expanduser()
    jobs = plan(Path(settings["input"]).expanduser(), output, keep=settings["format"] == "keep")
    restorer = load_restorer(settings)

    def make(job: Job, advance: Advance) -> None:
        upscale(job, restorer, advance, quality=settings["quality"], max_pixels=settings["max_pixels"])

    outcome = work_through(jobs, make, overwrite=settings["overwrite"])
    there = f", {outcome.there} there already (overwrite=true makes them again)" if outcome.there else ""
    table_console().print(f"pictures ×{restorer.scale} in {output}: {outcome.written} written{there}")
    if failed := outcome.failed:
        more = f" and {len(failed) - _NAMED} more" if len(failed) > _NAMED else ""
        raise FreqganError(f"{len(failed)} of {len(jobs)} pictures failed: {', '.join(failed[:_NAMED])}{more}")


def load_restorer(settings: dict[str, Any]) -> Restorer:
    """The run's generator with its weights in place.

    Raises:
        UserError: no such run, or one of a model that makes images of noise.
    """
    hardware: Hardware = config.build(settings["hardware"])
    hardware.apply(keep_memory=False)
    system, _ = load_system(settings["run"], checkpoint=settings["checkpoint"], allow=settings["allow"])
    stored = config.load_run(settings["run"], settings["allow"])
    _refuse_others(system, settings["run"])
    device = torch.device("cuda" if hardware.on_gpu else "cpu")
    # In this layout, whatever the hardware prefers, tiles are exact: see `Restorer`.
    system.to(device=device, memory_format=torch.channels_last)
    # Unlike a step of training only where it is asked for: eight significant bits are no more than a picture has.
    in_bf16 = hardware.precision == "bf16"

    def restore(low: Tensor) -> Tensor:
        with torch.autocast(device.type, torch.bfloat16, enabled=in_bf16):
            image = low.to(device, memory_format=torch.channels_last)
            restored: Tensor = system.restore(image, weights=settings["weights"])
        return restored

    return Restorer(
        restore=restore,
        scale=system.scale,
        halo=system.halo,
        channels=stored["data"]["channels"],
        tile=settings["tile"],
        memory_mib=settings["memory_mib"],
    )


def _refuse_others(system: object, run: str) -> None:
    if not isinstance(system, Restoring):
        model = type(system).__name__
        raise UserError(f"run={run} is one of {model}, which enlarges no pictures: use a run of model=branch_sr")


def upscale(job: Job, restorer: Restorer, advance: Advance, *, quality: int, max_pixels: int) -> None:
    """Makes one picture, which appears under its name when it is whole.

    Raises:
        UserError: the file is no picture, is too large, or the result does not fit its format.
        StorageError: the disk is full or failing.
    """
    if read_header(job.source, name=job.name, max_pixels=max_pixels).loses_depth:
        log.warning("%s: 16-bit colour is read at 8 bits", job.name)
    picture = decode(job.source, name=job.name, max_pixels=max_pixels, alpha=True)
    restored = restore_picture(picture, restorer, advance=advance)
    content = encode(restored, job.target.suffix, quality=quality)
    with storage(job.target):
        job.target.parent.mkdir(parents=True, exist_ok=True)
    write_whole(job.target, lambda file: file.write(content))
