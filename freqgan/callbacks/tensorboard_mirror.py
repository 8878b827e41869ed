"""TensorBoard as a mirror of the journal."""

from collections.abc import Mapping
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

    def start(self, run: RunDirectory, config: dict[str, Any]) -> None:
        """Opens the event file; a continued run adds to its curves."""
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(run.path / "tensorboard"))

    def row(self, values: Mapping[str, float], images_seen: int) -> None:
        """Writes scalars."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, images_seen)

    def picture(self, key: str, path: Path, images_seen: int) -> None:
        """Writes a picture."""
        self._writer.add_image(key, np.asarray(Image.open(path, formats=["PNG"])), images_seen, dataformats="HWC")

    def finish(self, exit_status: int) -> None:
        """Closes the event file."""
        self._writer.close()
