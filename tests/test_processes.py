"""Any number of processes is one run: the weights of one process, for every system and every rule of the game.

The processes are forked, with the environment that torchrun or srun gives them.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from freqgan.runs import RunDirectory, read_checkpoint
from freqgan.vocabulary import Vocabulary, shipped_conf
from tests.forked import SHORT, TINY, commands, only_run, paths, srun, torchrun
from tests.models import BATCH_NORMS, MODELS, with_encoders

Launcher = Callable[..., list[dict[str, str]]]

# gloo's threads start only in the forked processes.
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")

# Of models that are options of conf/model.
VARIANTS = {
    "plain": [],
    "wgan_gp": ["loss=wgan_gp", "model.n_critic=2"],
    "r1": ["model.terms.discriminator.r1=1.0", "model.every.r1=4"],
    "accumulate": ["model.accumulate=2"],
    "clip": ["model.clip=0.5"],
    "generator_first": ["model.order=generator_first"],
}
# Of those among them with batch norm, whose statistics are those of all processes.
BATCH_NORM = {"frequency_gan": BATCH_NORMS, "branch_sr": ["model.discriminator.norm=batch"]}
# Of models that match captions: a part of the batch is another one on two processes, and its captions with it.
MATCHING = {name: variant for name, variant in VARIANTS.items() if name != "accumulate"}
# The vectors that spectral norm goes on with make much of a last digit of the penalty's second derivatives.
MATCHING["wgan_gp"] = [
    *(*VARIANTS["wgan_gp"], "model.discriminator.norm=batch", "loss.gradient_penalty=1.0", "optim.lr=0.001"),
]
OTHERS = {
    "image_text_encoder": {"batch_norm": ["optim.lr=0.002"], "clip": VARIANTS["clip"]},  # it has no discriminator
    "segmenter": {"batch_norm": [], "clip": VARIANTS["clip"]},  # nor has this
    "staged_text_gan": MATCHING,
    "stacked_text_gan": MATCHING,
}
SIXTEEN_STEPS = [
    *("budget.images=64", "optim=sgd", "hardware.precision=float32", "log_every_steps=4", "checkpoint.keep=20"),
]
SEVERAL = ["hardware=multi_node", "hardware.accelerator=cpu", "hardware.threads=1"]
OPTIONS = Vocabulary((shipped_conf(),)).options("model")
LAST = ("to_image.weight", "to_image.0.weight", "to_overall.weight", "to_classes.weight")
FAST = ("r1", "batch_norm")  # the others are slow tests


def cases() -> Iterator[Any]:
    """Every option under every variant, those with batch norm also under two of them with it; other models as is."""
    for model, settings in MODELS.items():
        variants = OTHERS.get(model, VARIANTS) if model in OPTIONS else {"plain": []}
        if norm := BATCH_NORM.get(model):
            variants = variants | {"batch_norm": norm, "batch_norm_r1": [*norm, *VARIANTS["r1"]]}
        for name, variant in variants.items():
            marks = [] if name in FAST else [pytest.mark.slow]
            yield pytest.param([*settings, *variant], id=f"{model}-{name}", marks=marks)


def run_of(folder: Path, places: list[dict[str, str]], *settings: str) -> tuple[RunDirectory, list[str]]:
    """A run of so many processes, and what each of them said."""
    folder.mkdir(exist_ok=True)
    several = SEVERAL if places != [{}] else []
    outcomes = commands(["train", *SHORT, *paths(folder), *SIXTEEN_STEPS, *several, *settings], folder, places)
    assert [status for status, _ in outcomes] == [0] * len(places), outcomes
    return RunDirectory(only_run(folder)), [output for _, output in outcomes]


def weights(run: RunDirectory) -> dict[str, torch.Tensor]:
    content = read_checkpoint(run.path / "checkpoints" / "last.ckpt")
    assert content["clock"]["images_seen"] == 64
    carried = {f"carried.{i}.{name}": rows for i, of in enumerate(content["carried"]) for name, rows in of.items()}
    return {**content["state_dict"], **content["ema"], **carried}


def test_every_model_takes_part() -> None:
    assert {f"model={option}" for option in OPTIONS} == {settings[0] for settings in MODELS.values()}
    assert set(OPTIONS) <= set(MODELS)


@pytest.mark.parametrize("settings", list(cases()))
def test_two_processes_have_the_weights_of_one(settings: list[str], tmp_path: Path) -> None:
    settings = with_encoders(settings)
    alone, _ = run_of(tmp_path / "one", [{}], *settings)
    together, _ = run_of(tmp_path / "two", torchrun(2), *settings)
    expected = weights(alone)
    start = read_checkpoint(alone.path / "checkpoints" / "images_0.ckpt")["state_dict"]
    moved = [(expected[name] - start[name]).abs().max() for name in start if name.endswith(LAST)]
    assert max(moved) > 1e-4, "equal weights say nothing if they have hardly moved"
    for name, value in weights(together).items():
        torch.testing.assert_close(value, expected[name], rtol=0, atol=1e-5, msg=lambda text, n=name: f"{n}: {text}")


@pytest.mark.slow
@pytest.mark.parametrize("launcher", [torchrun, srun], ids=lambda launcher: launcher.__name__)
def test_processes_on_two_machines_leave_one_record(launcher: Launcher, tmp_path: Path) -> None:
    judged = ["metrics=generation_small", "metrics.num_images=21", "metrics.num_real=40", "metrics.batch_size=4"]
    settings = [*MODELS["frequency_gan"], *judged, "evaluation.at_start=none", "evaluation.every_images=64"]
    alone, _ = run_of(tmp_path / "one", [{}], *settings)
    together, (first, second) = run_of(tmp_path / "two", launcher(2, machines=2), *settings)
    assert "64/64 images" in first
    assert second == ""
    assert pictures(together) == pictures(alone) != []
    rows, expected = without_times(together), without_times(alone)
    assert any("val/fd_efficientnet_lite0_n21_real40" in row for row in rows)
    for row, other in zip(rows, expected, strict=True):
        assert row == pytest.approx(other, rel=1e-3, abs=1e-4)


def pictures(run: RunDirectory) -> list[str]:
    return sorted(path.name for path in (run.path / "samples").iterdir())


def without_times(run: RunDirectory) -> list[dict[str, float]]:
    return [{name: value for name, value in row.items() if not name.startswith("time/")} for row in run.metrics]


def test_a_mistake_is_told_by_one_process(tmp_path: Path) -> None:
    mistake = ["data=image_folder", "data.root=nowhere"]
    scenes = [setting for setting in TINY if not setting.startswith(("data=scenes", "data.source"))]
    outcomes = commands(["train", *scenes, *paths(tmp_path), *SEVERAL, *mistake], tmp_path, torchrun(2))
    assert [status for status, _ in outcomes] == [2, 2]
    assert outcomes[0][1].startswith("freqgan: data.root=nowhere is not there")
    assert outcomes[0][1].count("\n") == 1
    assert outcomes[1][1] == ""


def test_what_a_launcher_started_and_hardware_has_not_is_one_line(tmp_path: Path) -> None:
    ((status, output),) = commands(["train", *TINY, *paths(tmp_path)], tmp_path, torchrun(2)[:1])
    assert status == 2
    assert output.startswith(
        "freqgan: torchrun started 2 processes (machines: 1), and hardware has 1 (machines: 1): set "
    )
    assert output.count("\n") == 1
    status, output = commands(["train", *TINY, *paths(tmp_path), *SEVERAL], tmp_path, [{}])[0]
    assert status == 2
    assert output.startswith("freqgan: hardware.num_nodes=auto means processes on several machines")
    assert output.count("\n") == 1
