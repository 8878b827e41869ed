"""What each run of the study learnt from, and which pictures it is tested on."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from freqgan import config
from freqgan.comparison import Run, read_local
from freqgan.config.application import compose

CONF = Path(__file__).parent / "conf"
PICTURES = Path("outputs/deblur_generalisation/pictures")
DEGRADATIONS = ("gaussian_blur", "random_gaussian", "resize", "blur_mixture")
LEARNT = ("people", "photographs", "earth")
TESTED = ("people", "people_by_another", "photographs", "earth", "scenes")
SIZES = ("photographs_100", "photographs_1000", "photographs_all")
SEEN = "photographs_100"  # which all of these hold
METHODS = {  # by system and generator
    "PairedTranslation EncoderDecoder": "encoder_decoder",
    "PairedTranslation UNet": "pix2pix",
    "UnpairedTranslation ResNetGenerator": "cyclegan",
    "UnpairedTranslation UNet": "dualgan",
}


@dataclass(frozen=True, order=True)
class Arm:
    """Runs that differ in their seed alone.

    Args:
        method: one of `METHODS`.
        kind: folder of the pictures that it learnt from.
        degradation: that it learnt to undo.
    """

    method: str
    kind: str
    degradation: str


@dataclass(frozen=True, order=True)
class Test:
    """Pictures and what is done to them.

    Args:
        folder: below the study's pictures.
        degradation: of `conf/data/degradation`.
        by_networks: whether results are judged by features too, which takes longer.
    """

    folder: str
    degradation: str
    by_networks: bool = False

    @property
    def name(self) -> str:
        """Of the folder of its results."""
        return f"{self.folder.replace('/', '_')}_{self.degradation}"


def tests_of(arm: Arm) -> Iterator[Test]:
    """Every test of an arm: of a matrix of degradations, of kinds of pictures, or of numbers of them."""
    if arm.kind in SIZES:
        yield Test("test/photographs", arm.degradation, by_networks=True)
        yield Test(f"train/{SEEN}", arm.degradation)
        return
    for degradation in DEGRADATIONS:
        yield Test(f"test/{arm.kind}", degradation)
    if arm.degradation == "gaussian_blur":
        tests = [Test(f"test/{kind}{grey}", "gaussian_blur") for kind in TESTED for grey in ("", "_grey")]
        yield from (test for test in tests if test.folder != f"test/{arm.kind}")


def finished(places: Sequence[str]) -> list[tuple[Run, Arm]]:
    """Every finished run that is one of the study's arms."""
    runs = [run for run in read_local(places) if run.state == "finished"]
    return [(run, arm_of(run.config)) for run in runs]


def arm_of(settings: Mapping[str, Any]) -> Arm:
    """The arm of a resolved config."""
    model, data = settings["model"], settings["data"]
    classes = (node["_target_"].rpartition(".")[2] for node in (model, model["generator"]))
    nodes = {name: degradation_node(name) for name in DEGRADATIONS}
    degradation = next(name for name, node in nodes.items() if node == data["augment"]["degradation"])
    return Arm(METHODS[" ".join(classes)], Path(data["root"]).name, degradation)


@cache
def degradation_node(name: str) -> Any:
    return pairs_config("", name)["augment"]["degradation"]


def pairs_config(folder: str, degradation: str) -> dict[str, Any]:
    """Of the data of a test."""
    settings = ["data=restoration", f"data/degradation={degradation}", f"data.root={PICTURES / folder}"]
    data: dict[str, Any] = config.resolve(compose("train", settings, folder=str(CONF)))["data"]
    return data


def pairs(test: Test) -> Any:
    """The data module of a test, whose split is `all`."""
    data = config.build(pairs_config(test.folder, test.degradation))
    data.prepare_data()
    return data
