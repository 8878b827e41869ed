"""What is exported draws the same pictures, in both formats, and tells nothing of the machine that it is from."""

import json
import shutil
from pathlib import Path

import pytest
import yaml

from freqgan.config.places import without_places
from freqgan.runs import RunDirectory, read_checkpoint
from tests.forked import command, only_run, train

CPU = ["hardware=cpu", "hardware.threads=1", "n=2"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("machine")
    status, output = train(folder, "transform=wavelet_haar", "budget.images=8", "samples.every_images=1000")
    assert status == 0, output
    run = RunDirectory(only_run(folder))
    stored = run.config
    stored["data"]["root"] = str(folder / "home")
    run.write_config(stored)
    return run.path


def pictures(run: Path, folder: Path) -> dict[str, bytes]:
    status, output = command(["sample", f"run={run}", f"output={folder / 'out'}", *CPU], folder)
    assert status == 0, output
    return {path.name: path.read_bytes() for path in (folder / "out").iterdir()}


@pytest.mark.parametrize(
    ("given", "files"),
    [
        ("ckpt", {"checkpoints/last.ckpt"}),
        ("safetensors", {"checkpoints/last.safetensors", "checkpoints/last.json"}),
    ],
)
def test_it_draws_the_same_pictures_and_tells_nothing_of_the_machine(
    run: Path, tmp_path: Path, given: str, files: set[str]
) -> None:
    small = tmp_path / "small"
    status, output = command(["export", f"run={run}", f"format={given}", f"output={small}"], tmp_path)
    assert status == 0, output
    assert f" MiB, for `freqgan sample run={small}`" in output
    there = {str(path.relative_to(small)) for path in small.rglob("*") if path.is_file()}
    assert there == {"config.yaml", "run.json", *files}
    own = [str(run.parents[1]), str(Path.home())]
    for path in small.rglob("*"):
        assert path.is_dir() or not any(text.encode() in path.read_bytes() for text in own), path
    assert yaml.safe_load((small / "config.yaml").read_text())["data"]["root"] == "home"
    (tmp_path / "a").mkdir()
    assert pictures(small, tmp_path) == pictures(run, tmp_path / "a")


def test_another_format_takes_the_place_of_the_first(run: Path, tmp_path: Path) -> None:
    export = ["export", f"run={run}", f"output={tmp_path / 'small'}"]
    assert command(export, tmp_path)[0] == 0
    status, output = command([*export, "format=safetensors"], tmp_path)
    assert (status, output.count("\n")) == (2, 1)
    assert "last.ckpt exists: set overwrite=true" in output
    status, output = command([*export, "format=safetensors", "overwrite=true", "weights=raw"], tmp_path)
    assert status == 0, output
    folder = tmp_path / "small" / "checkpoints"
    assert {path.name for path in folder.iterdir()} == {"last.safetensors", "last.json"}
    facts = json.loads((folder / "last.json").read_text())
    assert facts.keys() == {"ema", "clock", "generator_only", "sha256"}
    raw = read_checkpoint(run / "checkpoints" / "last.ckpt")["state_dict"]
    state = read_checkpoint(folder / "last.safetensors")["state_dict"]
    assert state
    assert all(x.equal(raw[name]) for name, x in state.items())


def test_places_keep_their_last_part_alone() -> None:
    source = {"_target_": "freqgan.data.EarthTiles", "files": ["/of/me/day.jpg", "water.png"], "levels": 3}
    encoder = {"_target_": "freqgan.text.PretrainedEncoder", "name": "clip:/of/me/clip"}
    config = {"root": "s3://key:secret@host/bucket/photos?token=1", "val_root": "~/photos", "cache_dir": "/a/b"}
    bare = without_places(config | {"source": source, "encoder": encoder, "name": "/x"})
    assert bare == {
        "root": "photos",
        "val_root": "photos",
        "cache_dir": "b",
        "source": source | {"files": ["day.jpg", "water.png"]},
        "encoder": encoder | {"name": "clip:clip"},
        "name": "/x",
    }


@pytest.mark.parametrize("lost", [None, "run.json", "checkpoints/last.ckpt"])
def test_no_export_takes_the_place_of_a_run(run: Path, tmp_path: Path, lost: str | None) -> None:
    other = Path(shutil.copytree(run, tmp_path / "other"))
    if lost is not None:
        (other / lost).unlink()
    before = {path: path.read_bytes() for path in other.rglob("*") if path.is_file()}
    status, output = command(["export", f"run={run}", f"output={other}", "overwrite=true"], tmp_path)
    assert status == 2, output
    assert f"output={other} is a run that was trained: name another folder" in output
    assert {path: path.read_bytes() for path in other.rglob("*") if path.is_file()} == before
