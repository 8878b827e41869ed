import logging
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from freqgan.callbacks import Divergence, Journal
from freqgan.errors import DivergedError
from tests.callbacks.stand_ins import new_run, new_system, step


def new_watch(folder: Path, *, every_steps: int = 2) -> Divergence:
    run = new_run(folder)
    return Divergence(run, Journal(run, [], every_steps=1), every_steps=every_steps)


def told(**terms: float) -> dict[str, torch.Tensor]:
    return {name.replace("__", "/"): torch.tensor(value) for name, value in terms.items()}


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("name", ["generator.weight", "discriminator.bias", "ema.module.weight"])
@pytest.mark.fault("divergence", "NaN or infinity")
def test_a_number_that_is_not_finite_is_noticed_at_the_next_look(tmp_path: Path, name: str, value: float) -> None:
    toy, watch = new_system(), new_watch(tmp_path)
    outputs = toy.run(2)[1]
    toy.state_dict()[name].view(-1)[-1] = value
    with pytest.raises(DivergedError, match=rf"{name} is not finite at images_seen=16"):
        watch.on_train_batch_end(toy.trainer, toy, outputs, {}, 0)


@pytest.mark.fault("divergence", "collapse or exploding band")
def test_an_exploding_band_is_noticed(tmp_path: Path) -> None:
    toy, watch = new_system(), new_watch(tmp_path)
    for energy in (900.0, 1000.0):
        step(toy, watch, terms=told(bands__HH1__energy=energy))
    step(toy, watch, terms={})  # a step that tells nothing of bands
    with pytest.raises(DivergedError, match="bands/HH1/energy is above 1000 at images_seen=32"):
        step(toy, watch, terms=told(bands__HH1__energy=1001.0))


@pytest.mark.fault("divergence", "collapse or exploding band")
def test_a_generator_without_gradient_is_noticed(tmp_path: Path) -> None:
    toy, watch = new_system(), new_watch(tmp_path)
    for norm in (0.0, 1e-6, 0.0):
        step(toy, watch, terms=told(gradient_norm__generator=norm))
    with pytest.raises(DivergedError, match="for 2 steps the discriminator has given the generator no gradient"):
        step(toy, watch, terms=told(gradient_norm__generator=0.0))


@pytest.mark.fault("divergence", "collapse or exploding band")
def test_a_discriminator_that_is_never_wrong_is_told_of_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    toy, watch = new_system(), new_watch(tmp_path)
    for _ in range(6):
        step(toy, watch, terms=told(discriminator__accuracy=1.0))
    (record,) = (record for record in caplog.records if record.levelno == logging.WARNING)
    assert record.getMessage().startswith("discriminator/accuracy=1.0000 in the steps up to 16 images: ")


def test_a_good_run_is_left_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    toy, watch = new_system(), new_watch(tmp_path)
    for _ in range(6):
        step(toy, watch)
    assert not caplog.records
    assert not (watch.run.path / "diverged").exists()


def test_it_continues_what_it_had_added_up(tmp_path: Path) -> None:
    toy, watch = new_system(), new_watch(tmp_path)
    step(toy, watch, terms=told(gradient_norm__generator=0.5))
    again = new_watch(tmp_path / "again")
    again.load_state_dict(watch.state_dict())
    step(toy, again, terms=told(gradient_norm__generator=0.0))  # alone it would be nothing in all steps


def test_the_batch_is_kept(tmp_path: Path) -> None:
    toy, watch = new_system(), new_watch(tmp_path)
    batch: dict[str, Any] = {"image": torch.rand(2, 3, 4, 4) * 2 - 1, "index": torch.tensor([7, 5]), "name": ["a", "b"]}
    watch.on_train_batch_start(toy.trainer, toy, batch, 0)
    watch.on_exception(toy.trainer, toy, DivergedError("the discriminator diverged"))
    kept = torch.load(watch.run.path / "diverged" / "images_0_0.pt", weights_only=True)
    assert kept["why"] == "the discriminator diverged"
    assert (kept["index"].tolist(), kept["name"]) == ([7, 5], ["a", "b"])
    assert torch.equal(kept["image"], batch["image"])
    with Image.open(watch.run.path / "diverged" / "images_0_0_image.png") as picture:
        assert picture.width >= 512


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError("else")])
def test_no_batch_is_kept_of_another_end(tmp_path: Path, error: BaseException) -> None:
    toy, watch = new_system(), new_watch(tmp_path)
    step(toy, watch)
    watch.on_exception(toy.trainer, toy, error)
    assert not (watch.run.path / "diverged").exists()


@pytest.mark.fault("divergence", "NaN or infinity")
def test_a_disk_that_takes_no_batch_does_not_hide_the_divergence(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    toy, watch = new_system(), new_watch(tmp_path)
    (watch.run.path / "diverged").touch()
    watch.on_train_batch_start(toy.trainer, toy, {"index": torch.tensor([7])}, 0)
    watch.on_exception(toy.trainer, toy, DivergedError("nan"))
    assert "what the run stumbled over is not kept" in caplog.text
