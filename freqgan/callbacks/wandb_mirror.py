"""Weights & Biases as a mirror of the journal: online with an account, offline without one, never in the way."""

import logging
import netrc
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, final

from freqgan.callbacks.journal import Mirror
from freqgan.runs import RunDirectory

log = logging.getLogger(__name__)


@final
class WandbMirror(Mirror):
    """One W&B run per training run, in the run's own directory.

    Args:
        project: W&B project.
        entity: W&B account or team; null for the default one.
        mode: `auto` is online where a key is configured, unless WANDB_MODE says otherwise.
        init_timeout: seconds after which an unreachable server is given up and the run is kept offline.
    """

    def __init__(
        self,
        *,
        project: str = "freqgan",
        entity: str | None = None,
        mode: Literal["auto", "online", "offline"] = "auto",
        init_timeout: float = 20.0,
    ) -> None:
        self.project = project
        self.entity = entity
        self.mode = mode
        self.init_timeout = init_timeout
        self._run: Any = None

    def start(self, run: RunDirectory, config: dict[str, Any]) -> None:
        """Opens the W&B run; offline if the server cannot be reached."""
        import wandb

        mode = os.environ.get("WANDB_MODE") or (self.mode if self.mode != "auto" else default_mode())
        settings = wandb.Settings(
            console="off", disable_git=True, disable_code=True, silent=True, init_timeout=self.init_timeout
        )
        record = run.record
        arguments: dict[str, Any] = {
            "project": self.project,
            "entity": self.entity,
            "name": f"{config['name']}/{run.path.name}",
            "group": config["group"],
            "job_type": config["job_type"],
            "tags": config["tags"],
            "config": config | {"run": record},
            "dir": str(run.path),
            "settings": settings,
        }
        known = {"id": record["wandb_id"], "resume": "allow"} if "wandb_id" in record and mode == "online" else {}
        try:
            self._run = wandb.init(**{"mode": mode} | arguments | known)
        except Exception as error:
            log.warning("W&B could not be reached (%s); the run is kept offline", error)
            mode = "offline"
            self._run = wandb.init(**{"mode": mode} | arguments)
        self._run.define_metric("images_seen")
        self._run.define_metric("*", step_metric="images_seen")
        run.write_record(wandb_id=self._run.id, wandb_mode=mode)

    def row(self, values: Mapping[str, float], images_seen: int) -> None:
        """Logs scalars; W&B's own step counts rows, `images_seen` is the axis."""
        self._run.log(dict(values))

    def picture(self, key: str, path: Path, images_seen: int) -> None:
        """Logs a picture."""
        import wandb

        self._run.log({key: wandb.Image(str(path)), "images_seen": images_seen})

    def finish(self, exit_status: int) -> None:
        """Closes the W&B run with the exit status of the command."""
        self._run.finish(exit_code=exit_status)


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
