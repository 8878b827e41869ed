"""Run directories as training leaves them, written in milliseconds; their numbers follow a formula."""

import copy
import json
import math
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from PIL import Image

METRICS = ("fd_x_n100", "kid_x_n100", "precision_x_n100", "recall_x_n100", "spectrum_distance_n100")
CONFIG: dict[str, Any] = {
    "data": {"_target_": "freqgan.data.DataModule", "image_size": 32, "batch_size": 32, "root": "here", "seed": 1},
    "model": {"_target_": "freqgan.systems.FrequencyGAN", "image_size": 32, "latent_dim": 100},
    "transform": {"_target_": "freqgan.transforms.Identity"},
    "loss": {"_target_": "freqgan.losses.NonSaturating"},
    "optim": {"_target_": "freqgan.systems.Adam", "lr": 0.0002, "betas": [0.5, 0.999]},
    "metrics": {"_target_": "freqgan.metrics.GenerationProtocol", "num_images": 100},
    "hardware": {"_target_": "freqgan.hardware.Hardware", "accelerator": "cpu"},
    "paths": {"output_dir": "outputs"},
    "name": "study",
    "tags": [],
    "seed": 1,
    "budget": {"images": 1000},
}
TRANSFORMS: dict[str, dict[str, Any]] = {
    "identity": {"_target_": "freqgan.transforms.Identity"},
    "wavelet_haar": {"_target_": "freqgan.transforms.WaveletTransform", "wavelet": "haar", "levels": 1},
    "wavelet_db2": {"_target_": "freqgan.transforms.WaveletTransform", "wavelet": "db2", "levels": 1},
}


def merged(config: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A config with dotted keys set."""
    result: dict[str, Any] = copy.deepcopy(dict(config))
    for key, value in changes.items():
        node = result
        *above, last = key.split(".")
        for part in above:
            node = node.setdefault(part, {})
        node[last] = copy.deepcopy(value)
    return result


def rows_of(
    quality: float,
    *,
    seed: int = 1,
    images: int = 1000,
    every: int = 100,
    names: Sequence[str] = METRICS,
    judge: int = 2,
) -> list[dict[str, float]]:
    """A row of terms every `every` images, behind every `judge`-th one of metrics; lower `quality` is better."""
    luck = random.Random(f"{seed}")
    offset = luck.gauss(0, 0.05)
    rows = []
    for count in range(every, images + 1, every):
        clock = {"images_seen": count, "time/seconds": round(count / 100 * (1 + offset), 3)}
        terms = {f"train/{p}/LL1/adversarial": luck.gauss(1, 0.1) for p in ("generator", "discriminator")}
        rows.append(clock | terms | {"train/generator/lr": 0.0002, "time/images_per_second": 100.0})
        if count // every % judge == 0:
            level = quality * (1 + offset) * (0.3 + math.exp(-3 * count / images)) + luck.gauss(0, 0.01 * quality)
            low = ("fd", "kid", "spectrum")
            rows.append(clock | {f"val/{n}": level if n.startswith(low) else 1 / (1 + level) for n in names})
    return rows


def write_run(
    path: Path,
    rows: Sequence[Mapping[str, float]],
    *,
    changes: Mapping[str, Any] | None = None,
    record: Mapping[str, Any] | None = None,
    grid: bool = False,
) -> Path:
    """A run directory; `changes` are dotted keys of its config."""
    (path / "samples").mkdir(parents=True, exist_ok=True)
    (path / "checkpoints").mkdir(exist_ok=True)
    config = merged(CONFIG, changes or {})
    config["data"]["seed"] = config["seed"]
    (path / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False, allow_unicode=True))
    last = dict(rows[-1]) if rows else {"images_seen": 0, "time/seconds": 0.0}
    facts = {"status": "finished", "exit_status": 0, "data_fingerprint": "abc", "seed": config["seed"]}
    facts |= {"images_seen": last["images_seen"], "seconds": last.get("time/seconds"), "cpu_seconds": 12.5}
    facts |= {"peak_memory_gib": 0.5, "versions": {"torch": "2.9"}, "machine": {"processor": "one"}}
    (path / "run.json").write_text(json.dumps(facts | dict(record or {})))
    (path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    if grid:
        write_grid(path, seed=config["seed"])
    return path


def write_grid(path: Path, *, seed: int, count: int = 4, cell: int = 8, scale: int = 2, cells: bool = True) -> None:
    """A grid of flat squares: cell i is as red as 10·(i + 1), as green as 10·seed."""
    columns, gap = round(count**0.5), 1
    side = (cell + gap) * columns + gap
    sheet = Image.new("RGB", (side, side), "white")
    for i in range(count):
        place = (gap + i % columns * (cell + gap), gap + i // columns * (cell + gap))
        sheet.paste(Image.new("RGB", (cell, cell), (10 * (i + 1), 10 * seed, 0)), place)
    sheet = sheet.resize((side * scale, side * scale), Image.Resampling.NEAREST)
    sheet.save(path / "samples" / "images_000001000.png")
    if cells:
        layout = {"ids": [f"noise {seed}/{i}" for i in range(count)], "columns": columns, "gap": gap}
        (path / "samples" / "cells.json").write_text(json.dumps(layout | {"cell": [cell, cell], "scale": scale}))


def write_ledger(folder: Path, jobs: Sequence[Mapping[str, Any]]) -> None:
    """A sweep's ledger: each job waits, runs, and is then what it says."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "ledger.jsonl").open("a") as file:
        for number, job in enumerate(jobs, 1):
            row = {"time": "2026-01-01T00:00:00", "number": number, "exit_status": None, "line": "", "attempt": 1}
            for state in ("waiting", "running", job.get("state", "finished")):
                file.write(json.dumps(row | {"seconds": None} | dict(job) | {"state": state}) + "\n")


def write_study(
    folder: Path, *, seeds: int = 3, transforms: Sequence[str] = ("identity", "wavelet_haar"), **more: Any
) -> Path:
    """Runs of some transforms with some seeds; each transform is a quarter better than the one before."""
    for n, name in enumerate(transforms):
        for seed in range(1, seeds + 1):
            changes = {"transform": TRANSFORMS[name], "seed": seed}
            write_run(folder / f"{name}_{seed}", rows_of(100 * 0.75**n, seed=seed), changes=changes, **more)
    return folder
