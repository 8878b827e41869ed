"""Runs that have to be there before another one is trained: `freqgan check` tells of them, `freqgan train` refuses."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from freqgan.runs.directory import newest_run
from freqgan.vocabulary import shipped_conf

_ENCODERS = "image_text_encoder"  # experiments that train a pair of encoders


def missing_runs(settings: Mapping[str, Any]) -> Iterator[str]:
    """One line for each run that a training config names and that is not there, with the command that makes it."""
    model = settings.get("model", {})
    place = model.get("encoders_run")
    if "encoders_run" not in model or (place is not None and newest_run(place) is not None):
        return
    if place is None:
        yield f"model.encoders_run is not set: train encoders, {_command(place)}, and set it to their run directory"
    else:
        yield f"model.encoders_run={place} holds no finished run: train them, {_command(place)}, or name their run"


def _command(place: str | None) -> str:
    """What trains encoders whose runs lie in a folder of that name; otherwise an example that needs no data."""
    for file in sorted((shipped_conf() / "experiment" / _ENCODERS).glob("*.yaml")):
        if place is not None and yaml.safe_load(file.read_text(encoding="utf-8")).get("name") == Path(place).name:
            return f"`freqgan train experiment={_ENCODERS}/{file.stem}`"
    return f"as `freqgan train experiment={_ENCODERS}/scenes` does for scenes"
