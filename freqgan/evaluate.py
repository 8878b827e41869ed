"""`freqgan evaluate`: a protocol's numbers for a run's samples, or for any folder of pictures."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig
from rich.console import Console
from rich.table import Table
from torch import Tensor

from freqgan import config
from freqgan.callbacks.journal import tell
from freqgan.data import ImageFolder, to_signed_range
from freqgan.errors import UserError
from freqgan.hardware import Hardware
from freqgan.metrics import GenerationProtocol
from freqgan.runs import RunDirectory, write_json
from freqgan.runs.stored import load_system

log = logging.getLogger(__name__)


def main(cfg: DictConfig) -> None:
    """Writes `evaluation/<protocol>.json` and prints it."""
    settings = config.resolve(cfg)
    refuse_both(settings)
    hardware: Hardware = config.build(settings["hardware"])
    hardware.apply()
    protocol = config.build(settings["metrics"], **({"num_images": settings["n"]} if settings["n"] else {}))
    settings["split"] = settings["split"] or protocol.split
    data = real_images(settings)
    data.prepare_data()
    cache = Path(settings["paths"]["cache_dir"]).expanduser()
    about: dict[str, Any] = {
        "protocol": protocol.name,
        "split": settings["split"],
        "data_fingerprint": data.fingerprint(),
    }
    if settings["run"] is not None:
        system, content = load_system(settings["run"], checkpoint=settings["checkpoint"], allow=settings["allow"])
        system.to("cuda" if hardware.on_gpu else "cpu", memory_format=hardware.layout)
        chosen = {name: settings[name] for name in ("split", "seed", "weights")}
        about |= chosen | {"images_seen": content["clock"]["images_seen"]}
        values = system.measure(protocol, data, **chosen, cache_dir=cache)
        folder = Path(settings["output"] or Path(settings["run"]) / "evaluation")
    else:
        about["images"] = settings["images"]
        values = protocol.evaluate(
            pictures_of(Path(settings["images"]), data, protocol),
            lambda: data.evaluation_images(settings["split"]),
            fingerprint=f"{data.fingerprint()}_{settings['split']}",
            cache_dir=cache,
        )
        folder = Path(settings["output"] or ".")
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / f"{protocol.name}.json", values | about)
    if settings["run"] is not None:
        show(settings, values, about)
    table = Table("metric", "value")
    for name, value in values.items():
        table.add_row(name, f"{value:.6g}")
    Console().print(table)
    Console().print(f"written to {folder / f'{protocol.name}.json'}", soft_wrap=True)


def refuse_both(settings: dict[str, Any]) -> None:
    """A run is judged, or a folder, and only a run has a place in a logger."""
    if (settings["run"] is None) == (settings["images"] is None):
        raise UserError(
            "evaluate judges a run or a folder: set either run=<dir> or images=<folder>, with data=<option>"
        )
    if settings["images"] is not None and settings["logger"]:
        raise UserError("logger shows what was measured on a run: set run=<dir> in place of images, or logger=none")


def show(settings: dict[str, Any], values: dict[str, float], about: dict[str, Any]) -> None:
    """Tells the chosen loggers, which may fail without harm: the file is the record."""
    run = RunDirectory(Path(settings["run"]))
    mirrors = [config.build(node) for node in (settings["logger"] or {}).values() if node is not None]
    tell(mirrors, lambda mirror: mirror.judged(run, run.checkpoint(settings["checkpoint"]), values, about))


def real_images(settings: dict[str, Any]) -> Any:
    """The data to judge by, at the size and with the channels of the run's own images, if a run is judged."""
    data = settings["data"]
    if settings["run"] is None:
        return config.build(data)
    stored = config.load_run(settings["run"], settings["allow"])["data"]
    shape = {name: stored[name] for name in ("image_size", "channels")}
    if any(data[name] != value for name, value in shape.items()):
        log.info("real images are read with %s, as the run's were", " and ".join(f"{k}={v}" for k, v in shape.items()))
    return config.build(data, **shape)


def pictures_of(folder: Path, data: Any, protocol: Any) -> Callable[[int, int], Tensor]:
    """A "generator" that reads a folder's pictures in the order of their names.

    Raises:
        UserError: the protocol does not judge samples, or the folder holds fewer pictures than it needs.
    """
    if not isinstance(protocol, GenerationProtocol):
        raise UserError("images=<folder> is judged by metrics=generation or metrics=fid: set one, or run=<dir>")
    needed = protocol.num_images
    facts = {name: getattr(data, name) for name in ("image_size", "channels", "cache_dir")}
    pictures = ImageFolder(root=str(folder), split="all", **facts)
    pictures.prepare()
    if len(pictures) < needed:
        raise UserError(
            f"images={folder} holds {len(pictures)} pictures, the protocol needs {needed}: set n={len(pictures)}"
        )

    def read(first: int, count: int) -> Tensor:
        return to_signed_range(torch.stack([pictures[i]["image"] for i in range(first, first + count)]))

    return read
