"""`freqgan translate`: pictures of one domain made into the other's by a run, a file or a whole folder."""

from functools import partial
from typing import Any

from omegaconf import DictConfig

from freqgan import config
from freqgan.image_to_image import load, make_pictures
from freqgan.inference import Restorer
from freqgan.systems.translating import Translating


def main(cfg: DictConfig) -> None:
    """Writes every picture that is not there yet, and says what became of all."""
    make_pictures(config.resolve(cfg), load_translator)


def load_translator(settings: dict[str, Any]) -> Restorer:
    """The run's network of the direction with its weights in place.

    Raises:
        UserError: no such run, one of a model that translates nothing or not in this direction, or tiles of what cannot
            be cut.
    """
    fix = "use a run of model=pix2pix, encoder_decoder, cyclegan or dualgan, or of label_to_image without labels"
    loaded = load(settings, Translating, f"translates no pictures: {fix}")  # type: ignore[type-abstract]
    system = loaded.system
    how = {"direction": system.direction(settings["direction"]), "weights": settings["weights"]}
    return Restorer(
        restore=loaded.at_use(partial(system.translate, **how, seed=settings["seed"])),
        scale=1,
        halo=system.halo,
        stride=system.stride,
        channels=loaded.channels,
        grey=settings["grey"],
        transparency=settings["transparency"],
        tile=settings["tile"],
        memory_mib=settings["memory_mib"],
    )
