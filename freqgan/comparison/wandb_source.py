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
        raise UserError("W&B knows no key on this machine: run `wandb login`, or set WANDB_API_KEY") from error
    except wandb.errors.Error as error:
        raise FreqganError(f"W&B does not answer ({error})") from error
    runs: dict[str, Run] = {}
    for path, (entity, project, kind, name) in zip(paths, parts, strict=True):
        try:
            for found in _find(api, f"{entity}/{project}", kind, name):
                place = "/".join((entity, project, found.id))
                runs.setdefault(place, _of_wandb(place, found))
        except ValueError as error:
            raise UserError(f"W&B has no {path}: wanted {FORMS}") from error
        except wandb.errors.Error as error:
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
    """The client's run objects."""
    if kind == "runs":
        yield api.run(f"{project}/{name}")
    else:
        yield from api.runs(project, filters={"group": name} if kind else {}, lazy=False)


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
    """Rows of numbers; a resumed run goes back to its checkpoint, and what it had logged behind it does not count."""
    rows: list[dict[str, Any]] = []
    for logged in history:
        row = {key: NUMBERS.get(value, value) if isinstance(value, str) else value for key, value in logged.items()}
        row = {key: value for key, value in row.items() if isinstance(value, int | float) and not key.startswith("_")}
        images = row.get("images_seen")
        if images is None:
            continue
        while rows and rows[-1]["images_seen"] > images:
            rows.pop()
        rows.append(row)
    return rows
