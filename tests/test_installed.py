"""Installed as a wheel, in another directory: the configs travel with the package, and the user's own are found."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest
import yaml

from freqgan.runs import RunDirectory

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
MINE = """\
# @package _global_
# Question: are my own settings found?
defaults:
  - override /data: scenes
  - override /transform: identity
name: mine
data: {image_size: 16, source: {length: 64}}
model: {generator: {channels: 4}, discriminator: {channels: 4}}
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds the installed wheel and nothing else."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    here = ["--no-build-isolation"] if importlib.util.find_spec("hatchling") else []  # else pip fetches the builder
    subprocess.run([*pip, "wheel", "--no-deps", *here, "--wheel-dir", str(folder), str(ROOT)], check=True)
    (wheel,) = folder.glob("freqgan-*.whl")
    target = ["--target", str(folder / "site")]
    subprocess.run([*pip, "install", "--no-deps", "--no-index", *target, str(wheel)], check=True)
    return folder


@pytest.fixture
def working_directory(tmp_path: Path) -> Path:
    folder = tmp_path / "elsewhere"
    (folder / "conf" / "experiment").mkdir(parents=True)
    (folder / "conf" / "experiment" / "mine.yaml").write_text(MINE)
    return folder


def freqgan(installed: Path, folder: Path, *arguments: str) -> str:
    site = installed / "site"
    environment = os.environ | {"PYTHONPATH": str(site), "OMP_NUM_THREADS": "1", "FREQGAN_CACHE": str(folder / "cache")}
    program = [str(site / "bin" / "freqgan"), *arguments]
    done = subprocess.run(program, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_config_and_module_is_in_the_wheel(installed: Path) -> None:
    (wheel,) = installed.glob("freqgan-*.whl")
    with ZipFile(wheel) as archive:
        inside = {name for name in archive.namelist() if name.startswith("freqgan/")}
    kinds = (".py", ".html", ".css", ".js")
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "freqgan").rglob("*") if path.suffix in kinds}
    configs = {f"freqgan/{path.relative_to(ROOT)}" for path in (ROOT / "conf").rglob("*.yaml")}
    assert inside == modules | configs


def test_help_lists_the_groups_and_the_users_own_experiment(installed: Path, working_directory: Path) -> None:
    text = freqgan(installed, working_directory, "train", "--help")
    for word in ("model", "transform", "loss", "data", "hardware", "frequency_gan/openmoji", "are my own settings"):
        assert word in text


def test_two_steps_of_the_users_own_experiment(installed: Path, working_directory: Path) -> None:
    freqgan(installed, working_directory, "train", "experiment=mine", "debug=steps", "name=mine")
    (run,) = (RunDirectory(path.parent) for path in working_directory.glob("outputs/mine/*/run.json"))
    assert run.state() == "finished"
    assert run.record["images_seen"] == 8
    assert run.record["git"] == {"commit": None, "dirty": None}
    assert yaml.safe_load((run.path / "config.yaml").read_text())["data"]["image_size"] == 16
    freqgan(installed, working_directory, "sample", f"run={run.path.relative_to(working_directory)}", "n=2")
    assert len(list(run.path.glob("samples/seed1_*/*.png"))) == 2
    assert len(list(run.path.glob("samples/seed1_*.png"))) == 1
    assert sorted(path.name for path in working_directory.iterdir()) == ["conf", "outputs"]
