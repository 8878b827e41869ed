"""Runs as other verbs use them: a system rebuilt from its stored config, with the weights of a checkpoint."""

from pathlib import Path
from typing import Any

from freqgan import config
from freqgan.errors import UserError
from freqgan.runs.directory import RunDirectory
from freqgan.runs.files import Checkpoint, read_checkpoint


def load_system(run: str, *, checkpoint: str, allow: list[str]) -> tuple[Any, Checkpoint]:
    """The system of a run with its raw and averaged weights, on the CPU, and the checkpoint they come from.

    Of an export, both are the generator's exported weights, and the discriminator is as it was born.

    Args:
        run: the run's directory.
        checkpoint: last, best, or a file.
        allow: names of the user's own classes that the stored config may build.

    Raises:
        UserError: no such run or checkpoint, a config that is refused, or a checkpoint of another model.
    """
    stored = config.load_run(run, allow)
    path = RunDirectory(Path(run)).checkpoint(checkpoint)
    content = read_checkpoint(path)
    system = config.build_model(stored, seed=stored["seed"])
    try:
        if content.get("generator_only"):
            for part in ("generator", *system.FOR_USE):
                system.get_submodule(part).load_state_dict(_of_part(content, part))
            system.ema.module.load_state_dict(_of_part(content, "generator"))
        else:
            system.load_state_dict(content["state_dict"] | content["ema"])
    except RuntimeError as error:
        first = str(error).splitlines()[1].strip() if "\n" in str(error) else str(error)
        raise UserError(f"{path} does not fit the model of {run}/config.yaml ({first})") from error
    return system.eval(), content


def _of_part(content: Checkpoint, part: str) -> dict[str, Any]:
    state: dict[str, Any] = content["state_dict"]
    return {name.removeprefix(f"{part}."): value for name, value in state.items() if name.startswith(f"{part}.")}
