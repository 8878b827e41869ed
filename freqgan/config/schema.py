"""The root of each verb's config: its groups and settings, before anything is looked up or built.

What is inside a node (`data`, `model`, …) is its constructor's matter: see `freqgan.config.signature`.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import to_json

from freqgan.config.targets import as_node
from freqgan.config.wording import Problem, paths, problems
from freqgan.limits import Count


def _folder_name(name: str) -> str:
    if not all(part.isalnum() for part in name.replace("_", "-").replace(".", "-").split("-") if part):
        raise ValueError("letters, digits, '-', '_' and '.' only: it names a folder")
    if not name[:1].isalnum() or len(name) > 100:
        raise ValueError("at most 100 characters, the first one a letter or a digit")
    return name


Node = Annotated[dict[str, Any], AfterValidator(as_node)]
Option = Annotated[dict[str, Any], AfterValidator(lambda node: node and as_node(node))] | None  # {}: none
Nodes = dict[str, Option]
Seed = Annotated[int, Field(ge=0)]
Text = Annotated[str, Field(min_length=1)]
FolderName = Annotated[str, AfterValidator(_folder_name)]


class Section(BaseModel):
    """Keys are closed, and values are not converted."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Paths(Section):
    """Run directories go below `output_dir` or to `run_dir`, what can be made again below `cache_dir`."""

    output_dir: Text
    cache_dir: Text
    run_dir: Text | None = None


class Budget(Section):
    """Training ends at whichever limit comes first."""

    images: Count | None
    minutes: Annotated[float, Field(gt=0)] | None


class Evaluation(Section):
    """When the metrics are computed (null: every fifth of the budget), and how much before the first step."""

    every_images: Count | None
    at_start: Literal["full", "small", "none"]


class Samples(Section):
    """When the grid of fixed noise is drawn (null: every tenth of the budget), and of how many samples."""

    every_images: Count | None
    count: Annotated[int, Field(ge=1, le=1024)]


class Checkpoint(Section):
    """When a checkpoint is written (null: every tenth of the budget), and which are kept."""

    every_images: Count | None
    keep: Count
    milestones_every_images: Count | None


class Rollback(Section):
    """How often a run may go back after a divergence, and the factor on its learning rate each time."""

    most: Count
    lr_factor: Annotated[float, Field(gt=0, le=1)]


class Train(Section):
    """Root of `train`, `check` and each job of `plan`."""

    data: Node
    model: Node
    transform: Option = None
    loss: Option = None
    optim: Node
    callbacks: Nodes | None = None
    logger: Nodes | None = None
    metrics: Option = None
    stop: Option = None
    hardware: Node
    paths: Paths

    name: FolderName
    group: str | None
    job_type: str
    tags: list[str]
    seed: Seed
    budget: Budget
    evaluation: Evaluation
    samples: Samples
    checkpoint: Checkpoint
    log_every_steps: Count
    on_divergence: Literal["stop", "rollback"]
    rollback: Rollback
    resume: str | None
    resume_override: list[str]


class Sweep(Section):
    """How the jobs of a sweep are found and run."""

    engine: Node
    search: Node
    name: FolderName | None
    parameters: dict[str, Any]
    retry: Literal["failed", "all"]
    minutes: Annotated[float, Field(gt=0)] | None


class SweepRoot(Section):
    """The `sweep` section alone: the rest is each job's own matter."""

    sweep: Sweep


class AfterTraining(Section):
    """What verbs that read a run have in common."""

    hardware: Node
    paths: Paths
    checkpoint: Text
    weights: Literal["ema", "raw"]
    allow_targets: list[str]


class Evaluate(AfterTraining):
    """Root of `evaluate`."""

    run: str | None
    seed: Seed
    output: str | None
    data: Node
    metrics: Node
    logger: Nodes | None = None
    images: str | None
    split: Literal["train", "val", "all"] | None
    n: Count | None


class Sample(AfterTraining):
    """Root of `sample`."""

    run: Text
    seed: Seed
    output: str | None
    n: Count
    target: str | None
    reference: str | None
    captions: str | list[Text] | None
    labels: Text | None
    instances: Text | None
    looks: dict[str, Annotated[int, Field(ge=0)]]
    fit: Literal["crop", "resize", "pad", "whole"] | None
    seeds: Count


class Edit(AfterTraining):
    """Root of `edit`."""

    run: Text
    seed: Seed
    labels: Text | None
    instances: Text | None
    things: list[str | int] | None
    step: Count | None
    max_pixels: Count
    max_mib: Count
    host: Text
    port: Annotated[int, Field(ge=0, le=65535)]


class ImageToImage(AfterTraining):
    """What verbs that put pictures through a run's generator have in common; root of `upscale`."""

    run: Text
    input: Text
    output: Text
    format: Literal["png", "keep"]
    quality: Annotated[int, Field(ge=1, le=100)]
    overwrite: bool
    tile: Count | None
    memory_mib: Count
    max_pixels: Count


class Translate(ImageToImage):
    """Root of `translate`."""

    direction: Literal["ab", "ba"] | None
    grey: Literal["colour", "keep"]
    transparency: Literal["keep", "white"]
    seed: Seed


class Export(Section):
    """Root of `export`."""

    paths: Paths
    run: str
    checkpoint: str
    weights: Literal["ema", "raw"]
    output: str | None
    format: Literal["ckpt", "safetensors"]
    overwrite: bool
    allow_targets: list[str]


class Runs(Section):
    """Root of `runs`."""

    paths: Paths
    name: FolderName | None
    n: Count | Literal["all"]


class Doctor(Section):
    """Root of `doctor`."""

    paths: Paths
    format: Literal["text", "json"]


class Compare(Section):
    """Root of `compare`."""

    paths: Paths
    runs: list[Text]
    source: Literal["local", "wandb"]
    metric: str | None
    at_images: Annotated[int, Field(ge=0)] | None
    at_seconds: Annotated[float, Field(ge=0)] | None
    baseline: str | None
    incomparable: Literal["refuse", "mark"]
    samples: Annotated[int, Field(ge=0, le=1024)]
    output: str | None


class Workspace(Section):
    """Root of `workspace`."""

    paths: Paths
    run: Text
    title: Text
    project: Text | None
    entity: Text | None
    output: str | None
    apply: bool


class Pack(Section):
    """Root of `pack`."""

    paths: Paths
    root: Text
    output: Text
    prefix: FolderName
    shard_mib: Annotated[float, Field(gt=0)]
    on_error: Literal["raise", "skip"]
    max_pixels: Count


ROOTS: Mapping[str, type[Section]] = {
    **dict.fromkeys(("train", "check", "plan"), Train),
    "evaluate": Evaluate,
    "sample": Sample,
    "edit": Edit,
    "upscale": ImageToImage,
    "translate": Translate,
    "export": Export,
    "compare": Compare,
    "runs": Runs,
    "doctor": Doctor,
    "workspace": Workspace,
    "pack": Pack,
}


def root_problems(config: Mapping[str, Any], root: type[Section]) -> Iterator[Problem]:
    """One problem for each unknown, missing or mistyped key of the root and its sections."""
    try:
        root.model_validate_json(to_json(config, inf_nan_mode="constants"))
    except ValidationError as error:
        elsewhere = [path for path in paths(config) if "." in path]
        yield from problems(error.errors(), config, "", root, elsewhere)
