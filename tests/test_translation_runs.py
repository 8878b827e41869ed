"""The four methods on the same data: what `model=` changes and what it does not, and whole runs."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from freqgan import config
from freqgan.config.application import compose
from freqgan.networks import EncoderDecoder, ResNetGenerator, UNet
from freqgan.runs import RunDirectory, read_checkpoint
from freqgan.systems.estimate import step_cost
from tests.forked import command, only_run, paths, signal_at, tensors
from tests.models import MODELS

# Network, game, optimiser and schedule of the paper; and what the method draws.
METHODS: dict[str, tuple[Any, str, str, str]] = {
    "encoder_decoder": (EncoderDecoder, "BCE", "Adam constant", "paired"),
    "pix2pix": (UNet, "BCE", "Adam constant", "paired"),
    "cyclegan": (ResNetGenerator, "LSGAN", "Adam linear_decay", "unpaired"),
    "dualgan": (UNet, "WGANGP", "RMSprop constant", "unpaired"),
}
PAIRS = ["data=scenes", "data.source.domain=pair", "data.source.length=60", "data.image_size=32", "data.batch_size=2"]
SHORT = [
    *("data=scenes", "data.source.length=60", "data.image_size=16", "data.batch_size=4", "samples.count=4"),
    *("logger=none", "hardware=cpu", "hardware.threads=1", "budget.images=32", "checkpoint.every_images=8"),
    *("metrics.features=null", "metrics.perceptual=null", "evaluation.at_start=none"),
    "evaluation.every_images=32",
]


def composed(*arguments: str) -> dict[str, Any]:
    settings = compose("train", [*arguments])
    config.check(settings)
    return config.resolve(settings)


@pytest.mark.parametrize("method", METHODS)
def test_a_method_comes_with_the_game_and_the_optimiser_of_its_paper(method: str) -> None:
    network, game, optimiser, draws = METHODS[method]
    settings = composed(*PAIRS, f"model={method}")
    assert settings["loss"]["_target_"].endswith(f".{game}")
    assert f"{settings['optim']['_target_'].rpartition('.')[2]} {settings['optim']['schedule']}" == optimiser
    with torch.device("meta"):
        system = config.build_model(settings, seed=1)
    assert isinstance(system.network("ab"), network)
    assert draws == system.DRAWS
    images = {name: torch.empty(2, 3, 32, 32, device="meta") for name in ("image", "image_b")}
    assert step_cost(system, images).flops > 0


def test_what_is_asked_for_wins_over_the_paper() -> None:
    settings = composed(*PAIRS, "model=cyclegan", "loss=hinge", "optim=rmsprop")
    assert (settings["loss"]["_target_"], settings["optim"]["_target_"]) == (
        "freqgan.losses.Hinge",
        "freqgan.systems.RMSprop",
    )
    restored = composed("model=branch_sr", "data=scenes")
    assert restored["loss"]["_target_"] == "freqgan.losses.NonSaturating"


@pytest.mark.parametrize("experiment", ["pix2pix", "cyclegan"])
def test_the_model_alone_changes_between_methods(experiment: str, tmp_path: Path) -> None:
    folders = [f"paths.output_dir={tmp_path}", f"paths.cache_dir={tmp_path}"]
    shared, fingerprints = [], set()
    for method in METHODS:
        settings = composed(f"experiment={experiment}/scenes", f"model={method}", *folders)
        shared.append({name: settings[name] for name in ("data", "metrics", "evaluation", "budget")})
        data = config.build_data(settings)
        assert data.draws == METHODS[method][3]
        fingerprints.add(data.fingerprint())
    assert all(each == shared[0] for each in shared)
    assert len(fingerprints) == 1


@pytest.mark.parametrize("method", METHODS)
def test_data_of_one_domain_are_refused_before_anything_is_written(method: str, tmp_path: Path) -> None:
    status, output = command(["train", *SHORT, *paths(tmp_path), f"model={method}"], tmp_path)
    assert status == 2, output
    assert "data.source.domain=pair" in output.replace("\n", " ")
    assert not (tmp_path / "tiny").exists()


@pytest.fixture(scope="module", params=[pytest.param("pix2pix", marks=pytest.mark.slow), "cyclegan"])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """Killed in the middle of a step, and continued."""
    folder = tmp_path_factory.mktemp("runs")
    settings = ["train", *SHORT, *paths(folder), *MODELS[request.param]]
    status, output = command(settings, folder, before=signal_at(5))
    assert status == -signal.SIGKILL, output
    status, output = command([*settings, "resume=must"], folder)
    assert status == 0, output
    assert "resumed at 16 images from" in output.replace("\n", " ")
    return RunDirectory(only_run(folder))


@pytest.mark.fault("resume", "kill -9 in a step")
def test_it_ends_where_it_would_have_ended(run: RunDirectory, tmp_path: Path) -> None:
    model = run.config["model"]["_target_"].rpartition(".")[2]
    settings = MODELS["pix2pix" if model == "PairedTranslation" else "cyclegan"]
    status, output = command(["train", *SHORT, *paths(tmp_path), *settings], tmp_path)
    assert status == 0, output
    theirs, ours = (
        tensors(read_checkpoint(path / "checkpoints" / "last.ckpt")) for path in (only_run(tmp_path), run.path)
    )
    assert ours.keys() == theirs.keys()
    assert [name for name in ours if ours[name] != theirs[name]] == []
    pools = [name for name in ours if name.startswith("/state_dict/pools")]
    assert len(pools) == (2 if model == "UnpairedTranslation" else 0)
    assert all(ours[name][1] == (6, 3, 16, 16) for name in pools)


def test_it_leaves_strips_and_numbers(run: RunDirectory) -> None:
    names = {path.name for path in (run.path / "samples").iterdir()}
    strips = {"a_b_a", "b_a_b"} if "pool" in run.config["model"] else {"input_result_target"}
    assert {f"{name}_000000032.png" for name in (*strips, "images")} <= names
    directions = ("ab", "ba") if "pool" in run.config["model"] else ("ab",)
    judged = [row for row in run.metrics if "val/psnr_y_crop0_ab" in row]
    assert judged[-1]["images_seen"] == 32
    assert {f"val/ssim_y_crop0_{direction}" for direction in directions} <= judged[-1].keys()
    assert ("val/cycle_error_ba" in judged[-1]) == (len(directions) == 2)


def test_it_leaves_galleries(run: RunDirectory) -> None:
    galleries = ["a_to_b", "b_to_a"] if "pool" in run.config["model"] else ["a_to_b"]
    shown = sorted(path.name for path in (run.path / "evaluation").glob("gallery*"))
    assert shown == ["gallery.html", *(f"gallery_{name}_000000032.png" for name in galleries)]
    page = (run.path / "evaluation" / "gallery.html").read_text()
    assert [name for name in ("a_to_b", "b_to_a") if f"<h2>{name.replace('_', ' ')}</h2>" in page] == galleries
    assert page.count('<tr><th scope="row"') == 4 * len(galleries)


def test_what_is_judged_besides_leaves_the_evaluation_of_training_alone(run: RunDirectory, tmp_path: Path) -> None:
    folder, common = run.path / "evaluation", [f"paths.cache_dir={tmp_path}", "hardware=cpu", "hardware.threads=1"]
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    status, output = command(["evaluate", f"run={run.path}", *common, "data.source.length=30", "weights=raw"], tmp_path)
    assert status == 0, output
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before
    (other,) = [path for path in folder.iterdir() if path.is_dir()]
    assert sorted(path.name for path in other.iterdir()) == sorted(before)
    judged = json.loads(next(other.glob("*.json")).read_text())
    assert other.name == f"{judged['data_fingerprint']}_raw"
    assert judged["data_fingerprint"] != run.record["data_fingerprint"]


def test_it_is_judged_again_as_in_training(run: RunDirectory, tmp_path: Path) -> None:
    arguments = [f"run={run.path}", f"paths.cache_dir={tmp_path}", f"output={tmp_path}", "hardware=cpu"]
    status, output = command(["evaluate", *arguments, "hardware.threads=1"], tmp_path)
    assert status == 0, output
    (file,) = tmp_path.glob("translation*.json")
    values = json.loads(file.read_text())
    trained = [row for row in run.metrics if "val/psnr_y_crop0_ab" in row][-1]
    assert f"{tmp_path / 'gallery.html'}" in output.replace("\n", "")
    assert (tmp_path / "gallery_a_to_b_000000032.png").is_file()
    assert values["psnr_y_crop0_ab"] == pytest.approx(trained["val/psnr_y_crop0_ab"], abs=1e-3)
