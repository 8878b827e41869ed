"""`freqgan evaluate`: a protocol's numbers for a run's samples, or for any folder of pictures."""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig
from rich.table import Table
from torch import Tensor

from freqgan import config
from freqgan.callbacks import write_galleries
from freqgan.callbacks.journal import tell
from freqgan.data import ImageFolder, to_signed_range
from freqgan.errors import UserError
from freqgan.metrics import GenerationProtocol
from freqgan.runs import RunDirectory, write_json
from freqgan.runs.files import storage
from freqgan.runs.stored import load_protocol, load_system
from freqgan.terminal import table_console

log = logging.getLogger(__name__)


def main(cfg: DictConfig) -> None:
    """Writes `<protocol>.json` and prints it: in `evaluation` of a run, or below that for other data or weights."""
    refuse_both(settings := config.resolve(cfg))
    trusted, hardware = settings["allow_targets"], config.build(settings["hardware"])
    hardware.apply()
    stored = config.load_run(settings["run"], trusted, groups=["model"]) if settings["run"] is not None else {}
    protocol = load_protocol(settings, stored.get("model", {}))
    settings["split"] = settings["split"] or protocol.split
    data = real_images(settings["data"], stored.get("data"))
    data.prepare_data()
    cache = Path(settings["paths"]["cache_dir"]).expanduser()
    about: dict[str, Any] = {"protocol": protocol.name, "data_fingerprint": data.fingerprint()}
    pictures: Mapping[str, Path] = {}
    if settings["run"] is not None:
        system, content = load_system(settings["run"], checkpoint=settings["checkpoint"], allow_targets=trusted)
        system.to("cuda" if hardware.on_gpu else "cpu", memory_format=hardware.layout)
        chosen = {name: settings[name] for name in ("split", "seed", "weights")}
        about |= chosen | {"images_seen": content["clock"]["images_seen"]}
        values = system.measure(protocol, data, **chosen, cache_dir=cache)
        run = RunDirectory(Path(settings["run"]))
        usual = {"data_fingerprint": run.record.get("data_fingerprint"), "split": protocol.split}
        folder = Path(settings["output"] or run.evaluation(about, usual, checkpoint=settings["checkpoint"]))
        pictures = write_galleries(system, data, run, folder, **chosen, images_seen=about["images_seen"])
    else:
        about |= {"images": settings["images"], "split": settings["split"]}
        values = protocol.evaluate(
            pictures_of(Path(settings["images"]), data, protocol),
            lambda: data.evaluation_images(settings["split"]),
            fingerprint=f"{data.fingerprint()}_{settings['split']}",
            cache_dir=cache,
        )
        folder = Path(settings["output"] or ".")
    with storage(folder):
        folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / f"{protocol.name}.json", values | about)
    if settings["run"] is not None:
        show(settings, run, values, about, pictures)
    table = Table("metric", "value")
    for name, value in values.items():
        table.add_row(name, f"{value:.6g}")
    files = [str(folder / file) for file in (f"{protocol.name}.json", *(["gallery.html"] if pictures else []))]
    table_console().print(table, f"written to {' and '.join(files)}", sep="\n")


def refuse_both(settings: dict[str, Any]) -> None:
    """A run is judged, or a folder, and only a run has a place in a logger."""
    if (settings["run"] is None) == (settings["images"] is None):
        raise UserError(
            "evaluate judges a run or a folder: set either run=<dir> or images=<folder>, with data=<option>"
        )
    if settings["images"] is not None and settings["logger"]:
        raise UserError("logger shows what was measured on a run: set run=<dir> in place of images, or logger=none")


def show(settings: dict[str, Any], run: RunDirectory, *judged: Any) -> None:
    """Tells the chosen loggers, which may fail without harm: the file is the record."""
    mirrors = [config.build(node) for node in (settings["logger"] or {}).values() if node is not None]
    tell(mirrors, lambda mirror: mirror.judged(run, run.checkpoint(settings["checkpoint"]), *judged))


def real_images(data: dict[str, Any], stored: dict[str, Any] | None) -> Any:
    """The data to judge by, at the size and with the channels of the run's own images, if a run is judged."""
    if stored is None:
        return config.build(data)
    shape = {name: stored[name] for name in ("image_size", "channels") if name in stored}
    if any(data.get(name) != value for name, value in shape.items()):
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
