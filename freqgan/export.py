"""`freqgan export`: what is needed to generate, and nothing else, as a small run directory of its own."""

from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from freqgan import config
from freqgan.config.places import without_places
from freqgan.config.stored import Stored
from freqgan.errors import UserError
from freqgan.runs.directory import RunDirectory
from freqgan.runs.files import SHARED, storage, write_checkpoint, write_shared
from freqgan.runs.stored import load_system
from freqgan.terminal import table_console

KEPT_FACTS = ("name", "seed", "images_seen", "data_fingerprint", "git", "versions")
KEPT_SETTINGS = (*Stored.model_fields, "name", "group", "job_type", "tags")


def main(cfg: DictConfig) -> None:
    """Writes the generator, its learned weights and scales among it, with the config that rebuilds it."""
    settings = config.resolve(cfg)
    run, trusted = Path(settings["run"]), settings["allow_targets"]
    output = Path(settings["output"] or run / "export")
    refuse_run(output)
    system, content = load_system(settings["run"], checkpoint=settings["checkpoint"], allow_targets=trusted)
    target, other = (output / "checkpoints" / f"last{suffix}" for suffix in (".ckpt", SHARED))
    if there := [path for path in (target, other) if path.exists() and not settings["overwrite"]]:
        raise UserError(f"{there[0]} exists: set overwrite=true, or output=<another folder>")
    with system.kept_generator(settings["weights"]):
        kept = {part: system.get_submodule(part).state_dict() for part in ("generator", *system.FOR_USE)}
        state = {f"{part}.{name}": value.clone() for part, values in kept.items() for name, value in values.items()}
    exported, record = RunDirectory(output), RunDirectory(run).record
    with storage(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        for path in (target, other, other.with_suffix(".json")):
            path.unlink(missing_ok=True)
    exported.write_config(of_no_machine(config.load_run(run, trusted)))
    facts = {name: record[name] for name in KEPT_FACTS if name in record}
    exported.write_record(**facts, status="finished", exported_from=run.absolute().name, weights=settings["weights"])
    checkpoint = {"state_dict": state, "ema": {}, "clock": content["clock"], "generator_only": True}
    if settings["format"] == "safetensors":
        target = other
        write_shared(target, checkpoint)
    else:
        write_checkpoint(target, checkpoint)
    size = target.stat().st_size / 2**20
    table_console().print(f"{output}: {size:.1f} MiB, for `freqgan {system.VERB} run={output}`")


def refuse_run(output: Path) -> None:
    """Raises a UserError for the directory of a run that was trained: its config and record would be lost."""
    there = RunDirectory(output)
    if (there.record and "exported_from" not in there.record) or there.numbered_checkpoints():
        raise UserError(f"output={output} is a run that was trained: name another folder")


def of_no_machine(stored: dict[str, Any]) -> dict[str, Any]:
    """What of a run's config other verbs build, without the places of the machine that it ran on."""
    return {name: without_places(value) for name, value in stored.items() if name in KEPT_SETTINGS}
