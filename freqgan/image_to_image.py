"""What verbs have in common that put pictures through a run's generator: a file, or a folder with all its folders."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar, final

import torch
from torch import Tensor

from freqgan import config
from freqgan.data.decode import decode, read_header
from freqgan.errors import FreqganError, UserError
from freqgan.hardware import Hardware
from freqgan.inference import Advance, Job, Restorer, encode, plan, restore_picture, work_through
from freqgan.runs.files import write_below
from freqgan.runs.stored import load_system
from freqgan.terminal import table_console

log = logging.getLogger(__name__)

_NAMED = 5

T = TypeVar("T")


@final
@dataclass(frozen=True)
class Loaded(Generic[T]):
    """A run's system with its weights in place.

    Args:
        system: where it computes, in channels-last layout: tiles are exact in it, see `Restorer`.
        channels: of the images that it was trained on.
        device: of the system.
        in_bf16: whether to compute so. Unlike a step of training only where it is asked for: eight significant bits are
            no more than a picture has.
    """

    system: T
    channels: int
    device: torch.device
    in_bf16: bool

    def at_use(self, function: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
        """A function of the system, of an image from anywhere."""

        def made(image: Tensor) -> Tensor:
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.in_bf16):
                return function(image.to(self.device, memory_format=torch.channels_last))

        return made


def load(settings: dict[str, Any], kind: type[T], lack: str) -> Loaded[T]:
    """The system of a run.

    Args:
        settings: root of the verb's config.
        kind: what the system has to be.
        lack: what others do not, and what to do about it.

    Raises:
        UserError: no such run, or one of a system of another kind.
    """
    hardware: Hardware = config.build(settings["hardware"])
    hardware.apply(keep_memory=False)
    trusted = settings["allow_targets"]
    system, _ = load_system(settings["run"], checkpoint=settings["checkpoint"], allow_targets=trusted)
    data = config.load_run(settings["run"], trusted, groups=["model"])["data"]
    if not isinstance(system, kind):
        raise UserError(f"run={settings['run']} is one of {type(system).__name__}, which {lack}")
    device = torch.device("cuda" if hardware.on_gpu else "cpu")
    system.to(device=device, memory_format=torch.channels_last)  # type: ignore[attr-defined]
    return Loaded(system, data.get("channels", 3), device, in_bf16=hardware.precision == "bf16")


def make_pictures(settings: dict[str, Any], load_restorer: Callable[[dict[str, Any]], Restorer]) -> None:
    """Writes every picture that is not there yet, and says what became of all.

    Raises:
        FreqganError: some could not be made.
    """
    output = Path(settings["output"]).expanduser()
    jobs = plan(Path(settings["input"]).expanduser(), output, keep=settings["format"] == "keep")
    restorer = load_restorer(settings)
    make = partial(_make, restorer=restorer, quality=settings["quality"], max_pixels=settings["max_pixels"])
    outcome = work_through(jobs, make, overwrite=settings["overwrite"])
    there = f", {outcome.there} there already (overwrite=true makes them again)" if outcome.there else ""
    enlarged = f" ×{restorer.scale}" if restorer.scale > 1 else ""
    table_console().print(f"pictures{enlarged} in {output}: {outcome.written} written{there}")
    if failed := outcome.failed:
        more = f" and {len(failed) - _NAMED} more" if len(failed) > _NAMED else ""
        raise FreqganError(f"{len(failed)} of {len(jobs)} pictures failed: {', '.join(failed[:_NAMED])}{more}")


def _make(job: Job, advance: Advance, *, restorer: Restorer, quality: int, max_pixels: int) -> None:
    """Makes one picture, which appears under its name when it is whole."""
    header = read_header(job.source, name=job.name, max_pixels=max_pixels)
    if header.loses_depth:
        log.warning("%s: 16-bit colour is read at 8 bits", job.name)
    if header.more_frames:
        log.warning("%s: only the first of its pages or frames is read", job.name)
    picture = decode(job.source, name=job.name, max_pixels=max_pixels, alpha=restorer.transparency == "keep")
    restored = restore_picture(picture, restorer, advance=advance)
    if picture.mode == "I;16" != restored.mode:
        log.warning("%s: its 16-bit grey has become 8-bit colour: set grey=keep for the luminance alone", job.name)
    write_below(job.target, encode(restored, job.target.suffix, quality=quality))
