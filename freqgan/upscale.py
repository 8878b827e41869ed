"""`freqgan upscale`: pictures enlarged by a run's generator, a file or a whole folder."""

from functools import partial
from typing import Any

from omegaconf import DictConfig

from freqgan import config
from freqgan.image_to_image import load, make_pictures
from freqgan.inference import Restorer
from freqgan.systems.restoring import Restoring


def main(cfg: DictConfig) -> None:
    """Writes every picture that is not there yet, and says what became of all."""
    make_pictures(config.resolve(cfg), load_restorer)


def load_restorer(settings: dict[str, Any]) -> Restorer:
    """The run's generator with its weights in place.

    Raises:
        UserError: no such run, or one of a model that enlarges nothing.
    """
    lack = "enlarges no pictures: use a run of model=branch_sr"
    loaded = load(settings, Restoring, lack)  # type: ignore[type-abstract]
    return Restorer(
        restore=loaded.at_use(partial(loaded.system.restore, weights=settings["weights"])),
        scale=loaded.system.scale,
        halo=loaded.system.halo,
        channels=loaded.channels,
        tile=settings["tile"],
        memory_mib=settings["memory_mib"],
    )
