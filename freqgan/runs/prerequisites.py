"""Runs that have to be there before another one is trained: `freqgan check` tells of them, `freqgan train` refuses."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from freqgan.runs.directory import RunDirectory, newest_run
from freqgan.vocabulary import shipped_conf

_ENCODERS = "image_text_encoder"  # experiments that train a pair of encoders
_SEGMENTER = "segmenter"  # those that train one
_COMMAND = "# Command: "  # that an experiment's header names
LABEL_TO_IMAGE = "freqgan.metrics.LabelToImageProtocol"


def missing_runs(settings: Mapping[str, Any]) -> Iterator[str]:
    """One line for each run that a training config names and that is not there, with the command that makes it."""
    model, metrics = settings.get("model", {}), settings.get("metrics") or {}
    place = model.get("encoders_run")
    if "encoders_run" in model and place is None:
        yield f"model.encoders_run is not set: train encoders, {_command(place)}, and set it to their run directory"
    elif place is not None and newest_run(place) is None:
        yield f"model.encoders_run={place} holds no finished run: train them, {_command(place)}, or name their run"
    yield from missing_judge(metrics)


def missing_judge(metrics: Mapping[str, Any]) -> Iterator[str]:
    """One line if encoders or a segmenter are named that are to judge, and are not there."""
    place = metrics.get("judge_run")
    if place is None or newest_run(place) is not None:
        return
    if metrics.get("_target_") == LABEL_TO_IMAGE:
        fix = f"train a segmenter, {_segmenter(place)}, name its run, or set it to null for no mean IoU"
    else:
        fix = f"train some, {_command(None, judge=True)}, name their run, or set it to null for no R-precision"
    yield f"metrics.judge_run={place} holds no finished run: {fix}"


def same_encoders(metrics: Mapping[str, Any], model: Mapping[str, Any]) -> Iterator[str]:
    """One line if the encoders that are to judge are those that the model learns from."""
    judge, own = metrics.get("judge_run"), model.get("encoders_run")
    if judge is None or own is None:
        return
    judges, teachers = (newest_run(place) or RunDirectory(Path(place).expanduser()) for place in (judge, own))
    if judges.path.resolve() == teachers.path.resolve():
        lack = f"metrics.judge_run={judge} has the encoders of model.encoders_run, who would judge their pupil"
        fix = f"train others, {_command(own, judge=True)}, and name their run, or set it to null for no R-precision"
        yield f"{lack}: {fix}"


def no_judge(metrics: Mapping[str, Any], model: Mapping[str, Any]) -> Iterator[str]:
    """One line if R-precision or mean IoU are left out for want of encoders or a segmenter that are to judge."""
    if "judge_run" not in metrics or metrics["judge_run"] is not None:
        return
    if metrics.get("_target_") == LABEL_TO_IMAGE:
        fix = f"train a segmenter on the same data, {_segmenter(None)}, and set it to its run directory"
        yield f"metrics.judge_run is not set, mean IoU and accuracies are left out: {fix}"
    elif "encoders_run" in model:
        command = _command(model["encoders_run"], judge=True)
        fix = f"train encoders that are not the model's, {command}, and set it to their run directory"
        yield f"metrics.judge_run is not set, R-precision is left out: {fix}"


def _command(place: str | None, *, judge: bool = False) -> str:
    """What trains encoders whose runs lie in a folder of that name; otherwise an example that needs no data.

    Args:
        place: the folder.
        judge: whether others are wanted, who are to judge what is trained with those.
    """
    name = Path(place).name if place is not None else None
    known = next((option for option, own in _options(_ENCODERS) if own == name), None)
    option, name = (known, name) if known else ("scenes", f"{_ENCODERS}_scenes")
    command = f"`freqgan train experiment={_ENCODERS}/{option}{f' name={name}_judge seed=2' if judge else ''}`"
    return command if known else f"as {command} does for scenes"


def _segmenter(place: str | None) -> str:
    """What trains a segmenter whose runs lie in a folder of that name; otherwise an example that needs no data."""
    name = Path(place).name if place is not None else None
    known = next((option for option, own in _options(_SEGMENTER) if own == name), None)
    option = known or "scenes"
    file = shipped_conf() / "experiment" / _SEGMENTER / f"{option}.yaml"
    header = file.read_text(encoding="utf-8").splitlines()
    (command,) = (line.removeprefix(_COMMAND) for line in header if line.startswith(_COMMAND))
    return f"`{command}`" if known else f"as `{command}` does for scenes"


def _options(kind: str) -> Iterator[tuple[str, str]]:
    """Every experiment of a kind, with the name of the folder that its runs go into."""
    for file in sorted((shipped_conf() / "experiment" / kind).glob("*.yaml")):
        yield file.stem, yaml.safe_load(file.read_text(encoding="utf-8")).get("name", "")
