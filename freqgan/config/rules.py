"""Rules between fields of a training config whose every field is right by itself."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from freqgan.config.targets import build, build_model
from freqgan.errors import UserError

Config = Mapping[str, Any]


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
    model_fits,
)
