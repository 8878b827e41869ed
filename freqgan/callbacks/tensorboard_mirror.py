"""TensorBoard as a mirror of the journal."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, final

import numpy as np
from PIL import Image

from freqgan.callbacks.journal import Mirror
from freqgan.runs import RunDirectory


@final
class TensorBoardMirror(Mirror):
    """Event files in `tensorboard/` of the run's directory; the axis is images seen."""

    def __init__(self) -> None:
        self._writer: Any = None

    def start(self, run: RunDirectory, config: dict[str, Any]) -> dict[str, Any]:
        """Opens an event file; a continued run adds to its curves, in place of what it had behind its checkpoint."""
        rows = run.metrics
        self._open(run, purge_step=int(rows[-1]["images_seen"]) + 1 if rows else None)
        return {}

    def _open(self, run: RunDirectory, *, purge_step: int | None = None) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(run.path / "tensorboard"), purge_step=purge_step)

    def row(self, values: Mapping[str, float], images_seen: int) -> None:
        """Writes scalars."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, images_seen)

    def pictures(self, paths: Mapping[str, Path], images_seen: int) -> None:
        """Writes pictures."""
        for key, path in paths.items():
            self._writer.add_image(key, np.asarray(Image.open(path, formats=["PNG"])), images_seen, dataformats="HWC")

    def checkpoint(self, path: Path, images_seen: int, names: Sequence[str]) -> None:
        """Nothing: TensorBoard shows no files."""

    def evaluation(self, path: Path, images_seen: int) -> None:
        """Nothing: its numbers came as a row."""

    def judged(
        self,
        run: RunDirectory,
        checkpoint: Path,
        values: Mapping[str, float],
        about: Mapping[str, Any],
        pictures: Mapping[str, Path],
    ) -> None:
        """Adds numbers and pictures to the run's event files, under `evaluate/`."""
        self._open(run)
        self.row({f"evaluate/{name}": value for name, value in values.items()}, about["images_seen"])
        self.pictures({f"evaluate/{key}": path for key, path in pictures.items()}, about["images_seen"])
        self.finish(0)

    def finish(self, exit_status: int) -> None:
        """Closes the event file."""
        self._writer.close()
