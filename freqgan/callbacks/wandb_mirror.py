"""Weights & Biases as a mirror of the journal: online with an account, offline without one, never in the way.

What W&B 0.31 does, and what is done about it:

- Of two globs that fit a metric it takes one at random: every metric is defined by its own name.
- Asked for a metric's minimum and last value it makes them a dictionary, which its sweeps cannot optimise: the summary
  has the last value under the metric's name, and the best one under `best/<metric>`.
- A row that it has already cannot be taken back: a continued run, whose rows begin again at its checkpoint, sends only
  what lies beyond the last one of their kind that the server has.
- It cannot resume offline: each start is then a run of its own, a fragment. `run.json` lists them all.
"""

import filecmp
import logging
import math
import netrc
import operator
import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, final

from PIL import Image

from freqgan.callbacks import wandb_lineage as lineage
from freqgan.callbacks.journal import Mirror
from freqgan.limits import Count, Positive
from freqgan.metrics import higher_is_better
from freqgan.runs import Cells, RunDirectory

log = logging.getLogger(__name__)

LEFT_OUT = ("paths", "hardware", "logger", "callbacks", "resume", "resume_override", "group", "job_type", "tags")
FACTS = ("data_fingerprint", "git", "versions", "machine")
SEEN = "images_seen"


@final
class WandbMirror(Mirror):
    """One W&B run per training run, in the run's own directory.

    Args:
        project: W&B project.
        entity: W&B account or team; null for the default one.
        mode: `auto` is online where a key is configured, unless WANDB_MODE says otherwise.
        checkpoints: which checkpoints are uploaded. Every one becomes an artifact that says what it is; `reference`
            adds where it lies on this machine.
        table_rows: samples of every grid that also go into a table, by their ids.
        init_timeout: seconds after which an unreachable server is given up and the run is kept offline.
        finish_timeout: seconds that the end of a run waits for uploads; `wandb sync` sends what is left.
    """

    def __init__(
        self,
        *,
        project: str = "freqgan",
        entity: str | None = None,
        mode: Literal["auto", "online", "offline"] = "auto",
        checkpoints: lineage.Upload = "none",
        table_rows: Count = 16,
        init_timeout: Positive = 20.0,
        finish_timeout: Positive = 60.0,
    ) -> None:
        self.project = project
        self.entity = entity
        self.mode = mode
        self.checkpoints = checkpoints
        self.table_rows = table_rows
        self.init_timeout = init_timeout
        self.finish_timeout = finish_timeout
        self.patience = 3 * init_timeout + finish_timeout
        self._run: Any = None
        self._place: RunDirectory | None = None
        self._sent: dict[str, int] = {}
        self._best: dict[str, float] = {}
        self._judged: dict[str, float] = {}
        self._defined: set[str] = set()
        self._data_dir: str | None = None
        self._traced = True

    def start(self, run: RunDirectory, config: dict[str, Any]) -> dict[str, Any]:
        """Opens the W&B run, the one it was before if that was online; offline if the server cannot be reached."""
        self._place = run
        record = run.record
        fragments = list(record.get("wandb_fragments", []))
        before = next((part["id"] for part in reversed(fragments) if part["mode"] == "online"), None)
        # An agent of a W&B sweep has chosen the id already.
        known = {"id": before, "resume": "allow"} if before and "WANDB_SWEEP_ID" not in os.environ else {}
        mode = self._open(run, config, job_type=config["job_type"], online=known)
        for row in run.metrics:
            self._improved(row)
        self._note_what_is_there()
        fingerprint = record.get("data_fingerprint")
        if fingerprint is not None:
            self._trace(lambda: lineage.used(self._run, lineage.data_artifact(fingerprint, config.get("data", {}))))
        if mode in ("online", "offline"):
            folder = Path(self._run.dir).resolve().parent.relative_to(run.path.resolve())
            fragments.append({"id": self._run.id, "mode": mode, "folder": str(folder)})
        return {"wandb_id": self._run.id, "wandb_mode": mode, "wandb_fragments": fragments}

    def row(self, values: Mapping[str, float], images_seen: int) -> None:
        """Logs scalars; W&B's own step counts rows, `images_seen` is the axis."""
        names = [name for name in values if "/" in name and not name.startswith("time/")]
        self._log(names[0].partition("/")[0] if names else "time", values, images_seen)
        if best := self._improved(values):
            self._run.summary.update({f"best/{name}": value for name, value in best.items()})

    def pictures(self, paths: Mapping[str, Path], images_seen: int) -> None:
        """Logs grids, and a table of the first samples by their ids."""
        import wandb

        assert self._place is not None
        cells = Cells.read(self._place.path / "samples")
        of = f": {cells.ids[0]} … {cells.ids[-1]}" if cells else ""
        captions = {key: f"{images_seen} images seen{of if key.startswith('samples/') else ''}" for key in paths}
        images = {key: wandb.Image(str(path), caption=captions[key]) for key, path in paths.items()}
        self._log("samples", images, images_seen)
        if cells is not None and self.table_rows and "samples/images" in paths:
            table = partial(self._table, paths["samples/images"], cells, images_seen)
            self._trace(lambda: self._log("table", {"samples/table": table()}, images_seen))

    def checkpoint(self, path: Path, images_seen: int, names: Sequence[str]) -> None:
        """Logs an artifact, with the metrics of this moment."""
        assert self._place is not None
        run, best = self._place, "best" in names
        values = self._judged if self._judged.get(SEEN) == images_seen else {SEEN: images_seen}
        artifact = partial(lineage.checkpoint_artifact, run, path, upload=self.checkpoints, best=best, values=values)
        self._trace(lambda: lineage.made(self._run, artifact(), names))

    def evaluation(self, path: Path, images_seen: int) -> None:
        """Logs an artifact with the numbers."""
        assert self._place is not None
        artifact = partial(lineage.evaluation_artifact, self._place, path.stem, self._judged)
        self._trace(lambda: lineage.made(self._run, artifact(), [f"images_{images_seen}"]))

    def judged(
        self,
        run: RunDirectory,
        checkpoint: Path,
        values: Mapping[str, float],
        about: Mapping[str, Any],
        pictures: Mapping[str, Path],
    ) -> None:
        """A W&B run of job type `evaluate` in the training run's group, which uses the checkpoint's artifact."""
        import wandb

        self._open(run, run.config | {"judged": dict(about)}, job_type="evaluate", online={})
        self._log("val", {f"val/{name}": value for name, value in values.items()}, about[SEEN])
        self._log("gallery", {key: wandb.Image(str(path)) for key, path in pictures.items()}, about[SEEN])
        best = run.path / "checkpoints" / "best.ckpt"
        is_best = best.exists() and filecmp.cmp(best, checkpoint, shallow=False)
        seen, names = {SEEN: about[SEEN]}, [f"images_{about[SEEN]}"]
        used = partial(lineage.checkpoint_artifact, run, checkpoint, upload=self.checkpoints, best=is_best, values=seen)
        made = partial(lineage.evaluation_artifact, run, about["protocol"], {**about, **values})
        self._trace(lambda: lineage.used(self._run, used(), names))
        self._trace(lambda: lineage.made(self._run, made(), names))
        self.finish(0)

    def finish(self, exit_status: int) -> None:
        """Closes the W&B run with the exit status of the command."""
        try:
            self._run.finish(exit_code=exit_status)
        except TimeoutError:
            folder = Path(self._run.dir).parent
            log.warning("W&B has not taken everything in %g s: `wandb sync %s`", self.finish_timeout, folder)
        finally:
            if os.environ.get("WANDB_DATA_DIR") == self._data_dir:
                os.environ.pop("WANDB_DATA_DIR", None)

    def _open(self, run: RunDirectory, config: dict[str, Any], *, job_type: str, online: dict[str, Any]) -> str:
        """Opens a W&B run, offline if the server cannot be reached, and returns its mode."""
        import wandb

        mode = os.environ.get("WANDB_MODE") or (self.mode if self.mode != "auto" else default_mode())
        arguments = {
            "project": self.project,
            "entity": self.entity,
            "name": f"{config['name']}/{run.path.name}",
            "group": config["group"] or config["name"],
            "job_type": job_type,
            "tags": config["tags"],
            "config": searchable(config, run.record),
            "dir": str(run.path),
            "settings": self._settings(),
        }
        if "WANDB_DATA_DIR" not in os.environ:
            # Files that wait for their upload stay with the run, and not in the home directory.
            os.environ["WANDB_DATA_DIR"] = self._data_dir = str(run.path.resolve() / "wandb" / "data")
        try:
            self._run = wandb.init(**{"mode": mode} | arguments | (online if mode == "online" else {}))
        except Exception as error:
            if mode != "online":
                raise
            reason = (str(error) or type(error).__name__).splitlines()[0]
            log.warning("W&B could not be reached (%s); the run is kept offline", reason)
            mode = "offline"
            self._run = wandb.init(**{"mode": mode} | arguments)
        self._run.define_metric(SEEN)
        return mode

    def _settings(self) -> Any:
        import wandb

        return wandb.Settings(
            console="off",
            disable_git=True,
            disable_code=True,
            silent=True,
            x_save_requirements=False,  # run.json has the versions that matter
            init_timeout=self.init_timeout,
            finish_timeout=self.finish_timeout,
            finish_timeout_raises=True,
            x_transaction_log_flush_interval=0.2,  # seconds of rows that `kill -9` may take
        )

    def _note_what_is_there(self) -> None:
        """How far a continued W&B run has come already, by kind of row."""
        end, there = f"/{SEEN}", dict(self._run.summary)
        self._sent = {name.removesuffix(end): int(value) for name, value in there.items() if name.endswith(end)}
        if self._sent:
            log.info("W&B has rows up to %d images: they are not sent again", max(self._sent.values()))

    def _log(self, kind: str, values: Mapping[str, Any], images_seen: int) -> None:
        """Sends one row, unless the server has it."""
        if not values or images_seen <= self._sent.get(kind, -1):
            return
        row = {**values, SEEN: images_seen, f"{kind}/{SEEN}": images_seen}
        for name in sorted(row.keys() - self._defined - {SEEN}):
            self._run.define_metric(name, step_metric=SEEN, hidden=name.endswith(f"/{SEEN}"))
        self._defined |= row.keys()
        self._run.log(row)

    def _improved(self, row: Mapping[str, float]) -> dict[str, float]:
        """The metrics of a row that are better than ever; it is kept as the newest one that has any."""
        found = {name.removeprefix("val/"): value for name, value in row.items() if name.startswith("val/")}
        if found:
            self._judged = {SEEN: row[SEEN]} | found
        better = {True: operator.gt, False: operator.lt}
        best = {
            name: value
            for name, value in found.items()
            if not math.isnan(value)
            if name not in self._best or better[higher_is_better(name)](value, self._best[name])
        }
        self._best |= best
        return best

    def _trace(self, step: Callable[[], None]) -> None:
        """Logs an artifact, for which W&B asks its server first; where that fails, the numbers go on without."""
        if self._traced:
            try:
                step()
            except Exception as error:
                log.warning("W&B artifacts are left out from here on: %s", error)
                self._traced = False

    def _table(self, grid: Path, cells: Cells, images_seen: int) -> Any:
        import wandb

        caption = ["caption"] if cells.captions else []
        table = wandb.Table(columns=["id", *caption, "image", SEEN])
        with Image.open(grid, formats=["PNG"]) as picture:
            for number, name in enumerate(cells.ids[: self.table_rows]):
                image = wandb.Image(picture.crop(cells.box(number)))
                table.add_data(name, *cells.captions[number : number + 1], image, images_seen)
        return table


def searchable(config: Mapping[str, Any], record: Mapping[str, Any]) -> dict[str, Any]:
    """A config as W&B filters by it (`config.optim.lr`), with where the numbers come from as `run`.

    What W&B has fields for, and where things lie on this machine, is left out.
    """
    kept = {key: value for key, value in config.items() if key not in LEFT_OUT}
    kept["data"] = {key: value for key, value in config.get("data", {}).items() if key != "cache_dir"}
    return kept | {"run": {key: record[key] for key in FACTS if key in record}}


def default_mode() -> str:
    """Online where a key is configured by environment or netrc, offline otherwise."""
    if os.environ.get("WANDB_API_KEY"):
        return "online"
    host = os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai").split("//")[-1].split("/")[0]
    try:
        known = netrc.netrc(os.environ.get("NETRC")).authenticators(host)
    except (OSError, netrc.NetrcParseError):
        known = None
    return "online" if known else "offline"
