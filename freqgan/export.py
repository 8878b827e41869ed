"""`freqgan export`: what is needed to generate, and nothing else, as a small run directory of its own."""

from pathlib import Path

from omegaconf import DictConfig
from rich.console import Console

from freqgan import config
from freqgan.errors import UserError
from freqgan.runs.directory import RunDirectory
from freqgan.runs.files import write_checkpoint
from freqgan.runs.stored import load_system

KEPT_FACTS = ("name", "seed", "images_seen", "data_fingerprint", "git", "versions")


def main(cfg: DictConfig) -> None:
    """Writes the generator, its learned weights and scales among it, with the config that rebuilds it."""
    settings = config.resolve(cfg)
    run, output = Path(settings["run"]), Path(settings["output"] or Path(settings["run"]) / "export")
    system, content = load_system(settings["run"], checkpoint=settings["checkpoint"], allow=settings["allow"])
    target = output / "checkpoints" / "last.ckpt"
    if target.exists() and not settings["overwrite"]:
        raise UserError(f"{target} exists: set overwrite=true, or output=<another folder>")
    target.parent.mkdir(parents=True, exist_ok=True)
    with system.kept_generator(settings["weights"]):
        kept = {part: system.get_submodule(part).state_dict() for part in ("generator", *system.FOR_USE)}
        state = {f"{part}.{name}": value.clone() for part, values in kept.items() for name, value in values.items()}
    exported = RunDirectory(output)
    exported.write_config(config.load_run(run, settings["allow"]))
    record = RunDirectory(run).record
    facts = {name: record[name] for name in KEPT_FACTS if name in record}
    exported.write_record(**facts, status="finished", exported_from=str(run), weights=settings["weights"])
    write_checkpoint(target, {"state_dict": state, "ema": {}, "clock": content["clock"], "generator_only": True})
    size = target.stat().st_size / 2**20
    Console().print(f"{output}: {size:.1f} MiB; `freqgan sample run={output}` draws from it", soft_wrap=True)
