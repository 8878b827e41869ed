"""Runs on Weights & Biases, read through its public API."""

import math
import re
from collections.abc import Iterator, Sequence
from typing import Any

from freqgan.comparison.run import Run
from freqgan.errors import FreqganError, UserError

TIMEOUT = 30  # seconds that a request may take
STATES = {"crashed": "killed", "pending": "waiting", "preempted": "interrupted", "preempting": "running"}
FORMS = "entity/project, entity/project/<run id> or entity/project/groups/<group>"
JUDGED = "judged"  # in the config of what `freqgan evaluate` logs
NUMBERS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}  # as W&B writes them


def read_wandb(paths: Sequence[str]) -> list[Run]:
    """Every run that the paths name, once each.

    Args:
        paths: entity/project, entity/project/<run id>, entity/project/runs/<run id>,
            entity/project/groups/<group>, or the address of such a page.

    Raises:
        UserError: no account, no such path, or no run there.
        FreqganError: the server does not answer.
    """
    import wandb

    parts = [parse(path) for path in paths]
    try:
        api = wandb.Api(timeout=TIMEOUT)
    except (wandb.errors.UsageError, wandb.errors.AuthenticationError) as error:
        raise UserError(f"W&B cannot be asked ({error}): run `wandb login`, or set WANDB_API_KEY") from error
    except wandb.errors.Error as error:
        raise FreqganError(f"W&B does not answer ({error})") from error
    runs: dict[str, Run] = {}
    for path, (entity, project, kind, name) in zip(paths, parts, strict=True):
        try:
            for found in _find(api, f"{entity}/{project}", kind, name):
                place = "/".join((entity, project, found.id))
                runs.setdefault(place, _of_wandb(place, found))
        except (ValueError, wandb.errors.Error) as error:
            if isinstance(error, ValueError) or isinstance(getattr(error, "exc", None), ValueError):
                raise UserError(f"W&B has no {path}: wanted {FORMS}") from error
            raise FreqganError(f"W&B does not answer for {path} ({error})") from error
    if not runs:
        raise UserError(f"W&B has no runs in {', '.join(paths)}")
    return list(runs.values())


def parse(path: str) -> tuple[str, str, str, str]:
    """Entity, project, and a run's or group's name if there is one.

    >>> parse("me/freqgan/groups/sizes")
    ('me', 'freqgan', 'groups', 'sizes')
    >>> parse("https://wandb.ai/me/freqgan/runs/ab12cd?nw=x")
    ('me', 'freqgan', 'runs', 'ab12cd')

    Raises:
        UserError: the path has another form.
    """
    match re.sub(r"^https?://[^/]*/|[?#].*$", "", path).strip("/").split("/"):
        case [entity, project] | [entity, project, ("workspace" | "table" | "runs" | "groups")] if entity and project:
            return entity, project, "", ""
        case [entity, project, ("runs" | "groups") as kind, name, *_] if entity and project:
            return entity, project, kind, name
        case [entity, project, name] if entity and project:
            return entity, project, "runs", name
    raise UserError(f"{path} is no path on W&B: wanted {FORMS}")


def _find(api: Any, project: str, kind: str, name: str) -> Iterator[Any]:
    """The client's run objects; of many, those that trained."""
    if kind == "runs":
        yield api.run(f"{project}/{name}")
        return
    for run in api.runs(project, filters={"group": name} if kind else {}, lazy=False):
        if JUDGED not in run.config:
            yield run


def _of_wandb(place: str, found: Any) -> Run:
    config = dict(found.config)
    record = config.pop("run", None)
    record = dict(record) if isinstance(record, dict) else {}
    return Run(
        place=place,
        name=found.name or found.id,
        state=STATES.get(found.state, found.state),
        config=config,
        record=record,
        rows=_rows(found.scan_history()),
    )


def _rows(history: Any) -> list[dict[str, Any]]:
    """Rows of numbers in the order of images seen; of what a resumed run logged twice, the later counts."""
    rows: dict[Any, dict[str, Any]] = {}
    for logged in history:
        row = {key: NUMBERS.get(value, value) if isinstance(value, str) else value for key, value in logged.items()}
        row = {key: value for key, value in row.items() if isinstance(value, int | float) and not key.startswith("_")}
        if "images_seen" in row:
            rows.setdefault(row["images_seen"], {}).update(row)
    return [rows[images] for images in sorted(rows)]
