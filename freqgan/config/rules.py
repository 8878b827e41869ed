"""Rules between fields of a training config whose every field is right by itself."""

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from freqgan.config.targets import TARGET, build, build_model, locate
from freqgan.errors import UserError
from freqgan.runs.prerequisites import same_encoders

Config = Mapping[str, Any]
NO_EVALUATION = "freqgan.metrics.NoEvaluation"


def budget_is_limited(config: Config) -> Iterator[str]:
    """Some limit ends the training."""
    if config["budget"]["images"] is None and config["budget"]["minutes"] is None:
        yield "budget.images and budget.minutes are both null, training would never end: set one of them"


def budget_holds_a_batch(config: Config) -> Iterator[str]:
    """The budget is at least one step."""
    images, batch = config["budget"]["images"], config["data"].get("batch_size")
    if images is not None and isinstance(batch, int) and images < batch:
        fix = f"set budget.images={batch} or data.batch_size={images}"
        yield f"budget.images={images} is less than the one batch of data.batch_size={batch}: {fix}"


def overrides_belong_to_resume(config: Config) -> Iterator[str]:
    """`resume_override` says what may differ from the run that is resumed."""
    if config["resume_override"] and config["resume"] is None:
        yield "resume_override needs a run to resume: set resume=auto, resume=must or resume=<run directory>"


def stop_has_something_to_go_by(config: Config) -> Iterator[str]:
    """The rule that may end a run before its budget is in its ranges, and what it watches is measured."""
    stop, metrics = config.get("stop") or {}, config.get("metrics") or {}
    try:
        build(stop)
    except UserError as error:
        yield from error.lines
    measured = metrics.get("_target_", NO_EVALUATION) != NO_EVALUATION
    if stop.get("_target_") == "freqgan.callbacks.Plateau" and not measured:
        yield "stop=plateau waits for evaluations, and there are none: set metrics=generation or stop=none"


def stage_can_be_built(config: Config) -> Iterator[str]:
    """What training does to samples agrees with the facts of the data."""
    try:
        build(config["data"].get("augment"))
    except UserError as error:
        yield from error.lines


def scales_agree(config: Config) -> Iterator[str]:
    """A model enlarges by the factor that low images are made for."""
    generator, scale = config["model"].get("generator") or {}, (config["data"].get("augment") or {}).get("scale")
    scales = generator.get("scales") or [generator.get("scale")]
    if scale is not None and scales[-1] not in (None, scale):
        name, value = ("scales", sorted({1, scale})) if "scales" in generator else ("scale", scale)
        fix = f"set data.scale={scales[-1]} or model.generator.{name}={str(value).replace(' ', '')}"
        yield f"data.scale={scale}, and the model enlarges by {scales[-1]}: {fix}"


def captions_can_be_matched(config: Config) -> Iterator[str]:
    """Encoders read one caption of an image at a time, and there are others in the batch to tell it from."""
    data, model = config["data"], config["model"]
    if "encoders" not in model:
        return
    if (data.get("augment") or {}).get("caption") != "one":
        yield "model.encoders read one caption for each image: set data.augment.caption=one, of data that have captions"
    least, batch = 2 * model.get("accumulate", 1), data.get("batch_size")
    if isinstance(batch, int) and batch < least:
        yield f"data.batch_size={batch} leaves a caption no others to be told from: set it to at least {least}"


def metrics_fit_the_model(config: Config) -> Iterator[str]:
    """The protocol judges what the model makes; protocols and models of others may say nothing of it."""
    metrics, model = config.get("metrics") or {}, locate(config["model"][TARGET])
    kind = getattr(locate(metrics[TARGET]), "KIND", None) if TARGET in metrics else None
    fitting = getattr(model, "JUDGES", (kind,))
    if kind not in (None, *fitting):
        yield f"metrics={kind} does not judge what {model.__name__} makes: set metrics={fitting[0]}"


def others_judge(config: Config) -> Iterator[str]:
    """R-precision is not judged by the encoders that the model learns from."""
    yield from same_encoders(config.get("metrics") or {}, config["model"])


def folders_can_be_written(config: Config) -> Iterator[str]:
    """Runs and caches have a place: the part of their path that exists is a folder of this user's."""
    for name in ("output_dir", "cache_dir"):
        path = Path(config["paths"][name]).expanduser().absolute()
        there = next(folder for folder in (path, *path.parents) if folder.exists())
        if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
            lack = "is a file" if there.is_file() else "cannot be written to"
            yield f"paths.{name}={config['paths'][name]}: {there} {lack}, set paths.{name}=<folder>"


def phases_load_what_is_there(config: Config) -> Iterator[str]:
    """The runs whose weights a phase begins with; a resumed run may have read them before they went."""
    for number, phase in enumerate(config["model"].get("phases") or [] if config["resume"] is None else []):
        run = (phase.get("load") or {}).get("run")
        if isinstance(run, str) and not Path(run).expanduser().exists():
            yield f"model.phases.{number}.load.run={run} is not there: name a run directory or a checkpoint file"


def model_fits(config: Config) -> Iterator[str]:
    """The transform cuts the image size into bands, and the model's networks can be built for them."""
    import torch

    size = config["data"].get("image_size")
    try:
        transform = build(config.get("transform"))
        if transform is not None and isinstance(size, int):
            transform.bands((size, size))
        with torch.device("meta"):
            build_model(config, transform=transform)
    except UserError as error:
        yield from error.lines


RULES: tuple[Callable[[Config], Iterator[str]], ...] = (
    budget_is_limited,
    budget_holds_a_batch,
    overrides_belong_to_resume,
    stop_has_something_to_go_by,
    stage_can_be_built,
    scales_agree,
    captions_can_be_matched,
    metrics_fit_the_model,
    others_judge,
    folders_can_be_written,
    phases_load_what_is_there,
    model_fits,
)
