"""What a W&B run was made from and what it made: data → run → checkpoint → evaluation, as W&B artifacts.

An artifact's version is named by its content, so the same content is the same version, whichever run logs or uses it:
a file of facts that follow from the content alone is in each of them, and the checkpoint itself only where it is asked
for. All of it works offline too, and is sent by `wandb sync`.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from freqgan.runs import RunDirectory

Upload = Literal["none", "reference", "best", "all"]
DATA_FACTS = ("source", "image_size", "channels", "num_classes", "val_fraction")


def data_artifact(fingerprint: str, data: Mapping[str, Any]) -> Any:
    """The data that a fingerprint names, described by the config's `data` and not uploaded."""
    facts = {name: data[name] for name in DATA_FACTS if data.get(name) is not None}
    return _artifact(f"data-{fingerprint}", "dataset", {"fingerprint": fingerprint}, metadata=facts)


def checkpoint_artifact(run: RunDirectory, path: Path, *, upload: Upload, best: bool, values: Mapping[str, Any]) -> Any:
    """A checkpoint, a version of the one artifact that a run's checkpoints are.

    Args:
        run: names the artifact.
        path: the checkpoint.
        upload: which checkpoints are uploaded; `reference` notes their place on this machine.
        best: whether it is the best one so far.
        values: further facts, such as its metrics.
    """
    facts = {"images_seen": values["images_seen"], "sha256": _sha256(path), "bytes": path.stat().st_size}
    artifact = _artifact(f"checkpoint-{_name(run)}", "model", facts, metadata=values)
    if upload == "all" or (upload == "best" and best):
        artifact.add_file(str(path), name="model.ckpt")  # a copy is kept until it is sent: the run prunes its files
    elif upload == "reference":
        artifact.add_reference(path.resolve().as_uri(), name="model.ckpt")
    return artifact


def evaluation_artifact(run: RunDirectory, protocol: str, facts: Mapping[str, Any]) -> Any:
    """The numbers of one evaluation."""
    return _artifact(f"evaluation-{_name(run)}", "evaluation", {"protocol": protocol, **facts}, metadata=facts)


def made(wandb_run: Any, artifact: Any, aliases: Sequence[str]) -> None:
    """The run made this."""
    wandb_run.log_artifact(artifact, aliases=list(aliases))


def used(wandb_run: Any, artifact: Any, aliases: Sequence[str] = ()) -> None:
    """The run was made from this.

    `use_artifact` refuses offline runs, and online waits for the server; this is the message that it sends.
    """
    wandb_run._log_artifact(artifact, aliases=list(aliases) or None, is_user_created=True, use_after_commit=True)


def _artifact(name: str, kind: str, facts: Mapping[str, Any], *, metadata: Mapping[str, Any]) -> Any:
    import wandb

    artifact = wandb.Artifact(name[:128], type=kind, metadata=dict(metadata) | dict(facts))
    with artifact.new_file(f"{kind}.json") as file:
        json.dump(facts, file, sort_keys=True)
    return artifact


def _name(run: RunDirectory) -> str:
    """A run in the names of its artifacts: they outlive the fragments that a run is kept in offline."""
    return re.sub("[^a-zA-Z0-9_.-]", "_", f"{run.path.resolve().parent.name}-{run.path.name}")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
