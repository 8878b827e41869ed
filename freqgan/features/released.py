"""Weights that were released as one file on the web: out of torch.hub's cache, or downloaded into it once."""

import logging
import sys
from collections.abc import Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import final

import torch
from torch import Tensor, nn

from freqgan.errors import UserError

_log = logging.getLogger(__name__)


@final
@dataclass(frozen=True, kw_only=True)
class ReleasedFile:
    """A file of weights as their authors published it.

    Args:
        name: of the network, as it stands in a sentence.
        url: where the file comes from; its last part ends in the start of the file's SHA-256.
        megabytes: size of the file.
        otherwise: what to choose where it cannot be had.
    """

    name: str
    url: str
    megabytes: int
    otherwise: str

    @property
    def path(self) -> Path:
        """Where the file is or will be kept."""
        return Path(torch.hub.get_dir(), "checkpoints", self.url.rsplit("/", 1)[1])

    def load(self) -> dict[str, Tensor]:
        """The weights by name; a file that has to be downloaded is checked against the hash in its name.

        Raises:
            UserError: the file is not there and cannot be downloaded, or cannot be read.
        """
        if not self.path.exists():
            _log.info("downloading %s (%d MB) to %s", self.name, self.megabytes, self.path)
        try:
            with redirect_stdout(sys.stderr):
                weights: dict[str, Tensor] = torch.hub.load_state_dict_from_url(
                    self.url, map_location="cpu", progress=False, check_hash=True, weights_only=True
                )
        except Exception as error:  # the network, the disk and the file can each fail in a dozen ways
            raise UserError(
                f"{self.name} cannot be loaded from {self.path} ({type(error).__name__}: {error}): "
                f"put a copy of {self.url} there, or {self.otherwise}"
            ) from error
        return weights

    def fill(self, network: nn.Module, weights: Mapping[str, Tensor]) -> None:
        """Puts weights of this file into a network that has none of its own.

        Raises:
            UserError: they are not the network's.
        """
        try:
            network.load_state_dict(weights, assign=True)
        except RuntimeError as error:
            raise UserError(f"{self.name} at {self.path} is not the published one: delete it") from error
