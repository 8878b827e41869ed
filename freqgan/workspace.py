"""`freqgan workspace`: how W&B shows runs like a given one: samples, quality, a section for every band, the course."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from freqgan import config
from freqgan.errors import FreqganError, UserError
from freqgan.runs import RunDirectory, write_json
from freqgan.terminal import table_console

AXIS = "images_seen"


def main(cfg: DictConfig) -> None:
    """Writes the description of a workspace, and saves it at W&B where that is asked for."""
    settings = config.resolve(cfg)
    run = RunDirectory(Path(settings["run"]))
    project = settings["project"] or next(
        (node["project"] for node in (run.config.get("logger") or {}).values() if node and "project" in node), "freqgan"
    )
    view = workspace(run, title=settings["title"], project=project, entity=settings["entity"] or "")
    path = Path(settings["output"] or run.path / "workspace.json")
    write_json(path, described(view))
    table_console().print(f"workspace {settings['title']} is described in {path}")
    if settings["apply"]:
        table_console().print(f"saved at {saved(view)}")


def workspace(run: RunDirectory, *, title: str, project: str, entity: str) -> Any:
    """A workspace whose panels show what a run has logged; it serves every run that logs the same.

    Raises:
        UserError: the run has logged nothing, or the package that knows W&B's format is not installed.
    """
    try:
        from wandb_workspaces import workspaces as ws
    except ModuleNotFoundError as error:
        raise UserError("wandb-workspaces is not installed: pip install 'freqgan[workspace]'") from error
    keys = sorted({key for row in run.metrics for key in row})
    if not keys:
        raise UserError(f"run={run.path} has logged nothing yet: name a run that has, `freqgan runs` lists them")
    grids = {path.stem.rpartition("_")[0] for path in (run.path / "samples").glob("*_*.png")}
    sections = [
        ws.Section(name=name, panels=panels, is_open=True)
        for name, panels in [*general(keys, grids), *of_bands(keys, grids)]
        if panels
    ]
    about = ws.WorkspaceSettings(x_axis=AXIS, group_by_prefix="last")
    return ws.Workspace(name=title, entity=entity, project=project, sections=sections, settings=about)


def general(keys: Sequence[str], grids: Iterable[str]) -> list[tuple[str, list[Any]]]:
    """Samples, the metrics of whole images, and the course of the training."""
    from wandb_workspaces.reports import v2 as wr

    quality = [key for key in keys if key.startswith("val/") and not key.startswith("val/band_")]
    course = {
        "updates": [key for key in keys if key == "train/generator_updates"],
        "images per second": [key for key in keys if key == "time/images_per_second"],
        "learning rates": [key for key in keys if key.endswith("/lr")],
    }
    table = wr.WeavePanelSummaryTable(table_name="samples/table")
    samples = [wr.MediaBrowser(media_keys=["samples/images"]), table] if "images" in grids else []
    return [
        ("Samples", samples),
        ("Quality", [lines(key.removeprefix("val/"), [key]) for key in quality]),
        ("Course", [lines(title, found) for title, found in course.items() if found]),
    ]


def of_bands(keys: Sequence[str], grids: Iterable[str]) -> list[tuple[str, list[Any]]]:
    """For every band that the players meet on, their terms, its distance from real ones, and its samples."""
    from wandb_workspaces.reports import v2 as wr

    bands = dict.fromkeys(key.split("/")[2] for key in keys if key.startswith("train/") and key.count("/") == 3)
    sections: list[tuple[str, list[Any]]] = []
    for band in bands:
        panels = [lines(f"{band} terms", [key for key in keys if key.startswith("train/") and f"/{band}/" in key])]
        panels += [lines(f"{band} distance", [key]) for key in keys if key.startswith(f"val/band_distance_{band}_")]
        panels += [wr.MediaBrowser(media_keys=[f"samples/{band}"])] if band in grids else []
        sections.append((f"Band {band}", panels))
    return sections


def lines(title: str, keys: Sequence[str]) -> Any:
    """A line plot over images seen."""
    from wandb_workspaces.reports import v2 as wr

    return wr.LinePlot(title=title, x=AXIS, y=list(keys))


def described(view: Any) -> dict[str, Any]:
    """A workspace as W&B's API takes it."""
    model = view._to_model()
    spec = json.loads(model.spec.model_dump_json(by_alias=True, exclude_none=True))
    about = {"entityName": model.entity, "projectName": model.project, "displayName": model.display_name}
    return about | {"type": "project-view", "spec": spec}


def saved(view: Any) -> str:
    """Saves a workspace at W&B and returns its address.

    Raises:
        FreqganError: W&B does not take it, or there is no account.
    """
    import wandb

    try:
        view.entity = view.entity or wandb.Api().default_entity
        return str(view.save().url)
    except Exception as error:
        why = (str(error) or type(error).__name__).splitlines()[0]
        raise FreqganError(
            f"W&B did not take the workspace ({why}): `wandb login`, then set entity and project"
        ) from error
