"""Weights of another run for parts of this one's networks."""

from collections.abc import Mapping
from pathlib import Path
from typing import cast

from torch import Tensor, nn

from freqgan.errors import UserError
from freqgan.runs.directory import RunDirectory
from freqgan.runs.files import read_checkpoint
from freqgan.systems.rules import Load, Player


def loaded(load: Load | None, networks: Mapping[Player, nn.Module]) -> list[tuple[str, dict[str, Tensor]]]:
    """The parts that a phase fills, by name, and their weights on the CPU.

    Args:
        load: what to read; nothing if None.
        networks: by player.

    Raises:
        UserError: no such run or checkpoint, or weights that do not fit.
    """
    if not load:
        return []
    path, state = _state(load)
    found = []
    for ours, theirs in load.get("parts", {"generator": "generator"}).items():
        weights = {name.removeprefix(f"{theirs}."): x for name, x in state.items() if name.startswith(f"{theirs}.")}
        if not weights:
            outer = sorted({".".join(name.split(".")[:2]) for name in state})
            raise UserError(f"model.phases: load.parts: {path} has no {theirs}, it has {', '.join(outer)}")
        refuse_misfit(path, ours, submodule(networks, ours), theirs, weights)
        found.append((ours, weights))
    return found


def submodule(networks: Mapping[Player, nn.Module], name: str) -> nn.Module:
    """A network by its player's name, or a part of it, as in `generator.coarse`."""
    player, _, inner = name.partition(".")
    return networks[cast(Player, player)].get_submodule(inner)


def take(load: Load | None, networks: Mapping[Player, nn.Module], average: nn.Module) -> None:
    """Fills the parts of a load, and those of the generator's average with the same."""
    for part, weights in loaded(load, networks):
        submodule(networks, part).load_state_dict(weights)
        if part.partition(".")[0] == "generator":
            submodule({"generator": average}, part).load_state_dict(weights)


def refuse_misfit(path: Path, ours: str, module: nn.Module, theirs: str, weights: Mapping[str, Tensor]) -> None:
    """Raises a UserError unless weights are exactly those of a module.

    Args:
        path: the checkpoint they are from.
        ours: what the module is called.
        module: to be filled.
        theirs: what the weights are called in the checkpoint.
        weights: without that name.
    """
    own = module.state_dict()
    different = [n for n in sorted(own.keys() | weights.keys()) if n not in own or n not in weights]
    different += [n for n in own if n in weights and own[n].shape != weights[n].shape]
    if different:
        raise UserError(
            f"{theirs} of {path} does not fit {ours} of this model: {len(different)} weights differ, the first is "
            f"{different[0]}: choose other parts, or the same settings for both"
        )


def _state(load: Load) -> tuple[Path, dict[str, Tensor]]:
    path = Path(load["run"]).expanduser()
    if path.is_dir():
        path = RunDirectory(path).checkpoint(load.get("checkpoint", "last"))
    elif not path.is_file():
        raise UserError(f"model.phases: load.run={path} is not there: name a run directory or a checkpoint file")
    content = read_checkpoint(path)
    state: dict[str, Tensor] = dict(content["state_dict"])
    if load.get("weights", "ema") == "ema":
        average, prefix = content["ema"], "ema.module."
        state |= {f"generator.{n.removeprefix(prefix)}": x for n, x in average.items() if n.startswith(prefix)}
    return path, state
