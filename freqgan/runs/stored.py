"""Runs as other verbs use them: systems rebuilt from stored configs, with the weights of a checkpoint."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from freqgan import config
from freqgan.errors import DivergedError, FreqganError, UserError
from freqgan.metrics import JudgeEncoders, JudgeSegmenter, NoEvaluation
from freqgan.ops.finite import not_finite
from freqgan.runs.directory import RunDirectory, newest_run
from freqgan.runs.files import Checkpoint, read_checkpoint
from freqgan.runs.prerequisites import LABEL_TO_IMAGE, missing_judge, no_judge, same_encoders

_log = logging.getLogger(__name__)


def load_system(run: str, *, checkpoint: str, allow_targets: list[str]) -> tuple[Any, Checkpoint]:
    """The system of a run with its raw and averaged weights, on the CPU, and the checkpoint they come from.

    Of an export, both are the generator's exported weights, and the discriminator is as it was born.

    Args:
        run: the run's directory.
        checkpoint: last, best, or a file.
        allow_targets: names of the user's own classes that the stored config may build.

    Raises:
        UserError: no such run or checkpoint, a config that is refused, or a checkpoint of another model.
        DivergedError: a checkpoint whose numbers are not all finite.
    """
    stored = config.load_run(run, allow_targets, groups=("model", *config.PARTS))
    path = RunDirectory(Path(run)).checkpoint(checkpoint)
    content = read_checkpoint(path)
    try:
        with torch.device("meta"):
            _refuse_sizes(config.build_model(stored), content)  # before it takes memory
        system = config.build_model(stored, seed=stored["seed"])
        _fill(system, content)
    except FreqganError:
        raise
    except Exception as error:
        first = (str(error).splitlines()[1:] or [str(error) or type(error).__name__])[0].strip()
        raise UserError(f"{path} does not fit the model of {run}/config.yaml ({first})") from error
    for name in not_finite(system.state_dict()):
        raise DivergedError(f"{path} holds numbers that are not finite, first in {name}: choose another checkpoint")
    return system.eval(), content


def _fill(system: Any, content: Checkpoint) -> None:
    if content.get("generator_only"):
        for part in ("generator", *system.FOR_USE):
            system.get_submodule(part).load_state_dict(_of_part(content, part))
        system.ema.module.load_state_dict(_of_part(content, "generator"))
    else:
        system.load_state_dict(content["state_dict"] | content["ema"])


def _refuse_sizes(system: Any, content: Checkpoint) -> None:
    """Raises a ValueError if a weight has another size in the checkpoint, or is not in it."""
    state = content["state_dict"] | content["ema"]
    parts = ("generator.",) if content.get("generator_only") else ("",)
    weights = {name: x for name, x in system.state_dict(keep_vars=True).items() if isinstance(x, nn.Parameter)}
    for name, weight in weights.items():
        if name.startswith(parts) and (name not in state or state[name].shape != weight.shape):
            raise ValueError(f"{name} is {tuple(weight.shape)} there and another one here, or none")


def _of_part(content: Checkpoint, part: str) -> dict[str, Any]:
    state: dict[str, Any] = content["state_dict"]
    return {name.removeprefix(f"{part}."): value for name, value in state.items() if name.startswith(f"{part}.")}


def load_protocol(settings: Mapping[str, Any], model: Mapping[str, Any]) -> Any:
    """A protocol of `freqgan.metrics`, with the encoders or the segmenter of the run that is to judge.

    What is left out for want of a judge is told. Where `metrics` is None nothing is evaluated.

    Args:
        settings: root of a config that has `metrics`, and `allow_targets` and the number `n` where a verb takes them.
        model: of the system that is judged.

    Raises:
        UserError: there is no such run, it trained something else, or encoders that the model learns from.
    """
    metrics = settings["metrics"]
    if metrics is None:
        return NoEvaluation()
    parts: dict[str, Any] = {"num_images": settings["n"]} if settings.get("n") else {}
    if metrics.get("judge_run") is not None:
        if lines := [*missing_judge(metrics), *same_encoders(metrics, model)]:
            raise UserError(*lines)
        judge = _segmenter if metrics.get("_target_") == LABEL_TO_IMAGE else _encoders
        parts["judge"] = judge(metrics["judge_run"], settings.get("allow_targets") or [])
    for line in no_judge(metrics, model):
        _log.warning(line)
    return config.build(metrics, **parts)


def _encoders(place: str, allow_targets: list[str]) -> JudgeEncoders:
    """The encoders of a run's best checkpoint, or else of its last one."""
    run, system = _judge(place, allow_targets, "ImageTextEncoder", "image_text_encoder")
    with system.kept_generator("ema") as pair:
        identity = pair.hash()
    return JudgeEncoders(lambda images: system.to(images.device).overall_of(images), system.sentences_of, identity, run)


def _segmenter(place: str, allow_targets: list[str]) -> JudgeSegmenter:
    """The segmenter of a run's best checkpoint, or else of its last one."""
    run, system = _judge(place, allow_targets, "Segmenter", "segmenter")
    judge: JudgeSegmenter = system.judge(run)
    return judge


def _judge(place: str, allow_targets: list[str], wanted: str, model: str) -> tuple[str, Any]:
    """The run of this place, and its system; a UserError if it trained another one."""
    run = newest_run(place)
    assert run is not None
    model_node = config.load_run(run.path, allow_targets).get("model")
    trained = model_node.get("_target_") if isinstance(model_node, dict) else None
    if trained != f"freqgan.systems.{wanted}":
        raise UserError(f"metrics.judge_run={run.path} trained {trained}: name a run of model={model}")
    best = (run.path / "checkpoints" / "best.ckpt").is_file()
    system, _ = load_system(str(run.path), checkpoint="best" if best else "last", allow_targets=allow_targets)
    return str(run.path), system
