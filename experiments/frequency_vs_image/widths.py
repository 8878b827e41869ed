"""Finds the widths at which every arm has as many parameters as `identity`, each player for itself.

    python experiments/frequency_vs_image/widths.py [--write]

Two widths are set: `channels`, which doubles at every halving, is the least one with enough parameters, and
`max_channels` cuts off what is too much. With --write they go into the arms' files, to be looked at and committed.
"""

import argparse
import re
from bisect import bisect_left
from pathlib import Path

import torch
from omegaconf import DictConfig

from freqgan.config import build_model, resolve
from freqgan.config.application import compose

CONF = Path(__file__).parent / "conf"
SETS = ("frequency_vs_image",)
BASELINE = "identity"
PLAYERS = ("generator", "discriminator")
WIDEST = 2**13
TOLERANCE = 0.02


def arms(folder: str) -> list[str]:
    """The arms of a set, the baseline first."""
    names = sorted(file.stem for file in (CONF / "experiment" / folder).glob("*.yaml"))
    return sorted(names, key=lambda name: name != BASELINE)


def settings_of(folder: str, arm: str) -> DictConfig:
    return compose("train", [f"experiment={folder}/{arm}"], folder=str(CONF))


def parameters(settings: DictConfig, player: str) -> int:
    """Trained numbers of a player; nothing is allocated."""
    with torch.device("meta"):
        system = build_model(resolve(settings), seed=1)
    return sum(p.numel() for p in system.players()[player].parameters())


def set_widths(settings: DictConfig, player: str, widths: tuple[int, int]) -> None:
    settings.model[player].update(zip(("channels", "max_channels"), widths, strict=True))


def fitted(settings: DictConfig, player: str, target: int) -> tuple[int, int]:
    """`channels` and `max_channels` whose parameters are nearest to the target; ends the script if none are near."""
    settings = settings.copy()

    def count(channels: int, widest: int) -> int:
        set_widths(settings, player, (channels, widest))
        return parameters(settings, player)

    channels = 4 + bisect_left(range(4, WIDEST), target, key=lambda channels: count(channels, WIDEST))
    above = 1 + bisect_left(range(1, WIDEST), target, key=lambda widest: count(channels, widest))
    nearest = min((max(1, above - 1), above), key=lambda widest: abs(count(channels, widest) - target))
    if abs(count(channels, nearest) / target - 1) > TOLERANCE:
        raise SystemExit(f"no widths give this {player} {target:,} parameters within {TOLERANCE:.0%}")
    return channels, nearest


def written(file: Path, player: str, widths: tuple[int, int]) -> None:
    """Replaces a player's line."""
    line = f"  {player}: {{channels: {widths[0]}, max_channels: {widths[1]}}}"
    text, found = re.subn(rf"^  {player}: {{channels: \d+, max_channels: \d+}}$", line, file.read_text(), flags=re.M)
    if found != 1:
        raise SystemExit(f"{file} has no line '{line}' to replace")
    file.write_text(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sets", nargs="*", default=SETS)
    parser.add_argument("--write", action="store_true", help="put the widths into the arms' files")
    given = parser.parse_args()
    for folder in given.sets:
        baseline, *others = arms(folder)
        targets = {player: parameters(settings_of(folder, baseline), player) for player in PLAYERS}
        print(f"{folder}/{baseline}: " + ", ".join(f"{player} {n:,}" for player, n in targets.items()))
        for arm in others:
            settings = settings_of(folder, arm)
            for player, target in targets.items():
                if settings.model[player] is None:
                    continue  # the baseline's own
                channels, widest = fitted(settings, player, target)
                set_widths(settings, player, (channels, widest))
                off = parameters(settings, player) / target - 1
                print(
                    f"{folder}/{arm}: model.{player}.channels={channels} model.{player}.max_channels={widest}", end=""
                )
                print(f"  # {off:+.2%}")
                if given.write:
                    written(CONF / "experiment" / folder / f"{arm}.yaml", player, (channels, widest))


if __name__ == "__main__":
    main()
