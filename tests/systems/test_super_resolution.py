"""Super-resolution of random photographs by a small network, without a Trainer."""

from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from freqgan.errors import UserError
from freqgan.features import EfficientNetLite0
from freqgan.losses import BCE, WGANGP, PerceptualLoss, RelativisticAverage
from freqgan.metrics import GenerationProtocol, NoEvaluation
from freqgan.networks import SRCNN, BranchSR, VGGDiscriminator
from freqgan.ops.resample import resize
from freqgan.systems import SGD, Adam, Clock, SuperResolution
from freqgan.systems.batches import detached
from freqgan.systems.rules import Rows
from tests.systems.stepping import NORMS, without_trainer

SIZE = 16
PIXEL: Any = {"generator": {"pixel": 1.0}, "discriminator": {}}
ALL: Any = {
    "generator": {"pixel": 1.0, "perceptual": 0.5, "adversarial": 0.25},
    "discriminator": {"adversarial": 1.0},
}


def network(**settings: Any) -> BranchSR:
    small: Any = {"kernels": (3, 5), "channels": 4, "fused_channels": 4, "image_channels": 4, "start": "plain"}
    return BranchSR(**small | settings)


def system(terms: Any = PIXEL, **settings: Any) -> SuperResolution:
    torch.manual_seed(0)
    settings = {
        "generator": network(),
        "discriminator": partial(VGGDiscriminator, channels=4, max_channels=4, stages=2, norm="none"),
        "perceptual": PerceptualLoss(EfficientNetLite0(image_size=32), layers={"stem": 1.0, "expand2": 2.0}),
        "loss": RelativisticAverage(),
        "image_size": SIZE,
        "examples": 3,
        "optim": SGD(lr=0.1, momentum=0.0),
        "terms": terms,
        "seed": 3,
        "clock": Clock(images=10**6),
    } | settings
    built = SuperResolution(**settings)
    built.ema.restart(built.generator)
    return without_trainer(built)


def images(count: int = 4, side: int = SIZE, seed: int = 5) -> Tensor:
    return resize(torch.rand(count, 3, side // 2, side // 2, generator=torch.Generator().manual_seed(seed)) * 2 - 1, 2)


def batch(count: int = 4) -> dict[str, Tensor]:
    image = images(count)
    return {"image": image, "image_low": resize(image, (SIZE // 4, SIZE // 4))}


def ready(built: SuperResolution, count: int = 4) -> dict[str, Any]:
    return built.forward_part((batch(count), Rows(0, count, count)), graph=True)


def data(pairs: list[dict[str, Tensor]]) -> Any:
    return SimpleNamespace(
        evaluation_pairs=lambda split, limit=None: iter(pairs[:limit]), fingerprint=lambda: "these images"
    )


def test_what_images_should_be_is_the_original_at_their_scale() -> None:
    outputs = ready(system())
    real = batch()["image"]
    assert {s: x.shape for s, x in outputs["images"].items()} == {s: (4, 3, 4 * s, 4 * s) for s in (1, 2, 4)}
    assert torch.equal(outputs["targets"][4], real)
    for scale in (1, 2):
        torch.testing.assert_close(outputs["targets"][scale], resize(real, (4 * scale, 4 * scale)))
    assert outputs["image"] is outputs["images"][4]


def test_terms_are_those_of_the_source_summed_over_scales() -> None:
    built = system(ALL)
    outputs = ready(built)
    terms = built.generator_terms(batch(), outputs)
    pairs = [(outputs["images"][s], outputs["targets"][s]) for s in (1, 2, 4)]
    torch.testing.assert_close(terms["pixel"], sum((x - y).abs().mean() for x, y in pairs))
    assert built.perceptual is not None
    torch.testing.assert_close(terms["perceptual"], sum(built.perceptual(x, y) for x, y in pairs))
    assert built.discriminator is not None
    fake, real = built.discriminator(outputs["image"]), built.discriminator(batch()["image"])
    more_real = [(real - fake.mean()).sigmoid(), (fake - real.mean()).sigmoid()]
    torch.testing.assert_close(terms["adversarial"], -(1 - more_real[0]).log().mean() - more_real[1].log().mean())
    total = terms["pixel"] + 0.5 * terms["perceptual"] + 0.25 * terms["adversarial"]
    torch.testing.assert_close(built.weighted("generator", terms), total)


def test_the_adversarial_loss_is_of_the_last_image_alone() -> None:
    built = system(ALL)
    outputs = ready(built)
    term = built.generator_terms(batch(), outputs)["adversarial"]
    gradients = torch.autograd.grad(term, [outputs["images"][s] for s in (1, 2, 4)], allow_unused=True)
    assert gradients[0] is gradients[1] is None
    assert gradients[2] is not None
    assert gradients[2].abs().sum() > 0


@pytest.mark.parametrize("loss", [RelativisticAverage(), BCE()], ids=lambda loss: type(loss).__name__)
def test_real_images_are_judged_in_the_generators_turn_only_where_it_looks_at_them(loss: Any) -> None:
    built = system(ALL, loss=loss)
    assert built.discriminator is not None
    seen: list[Tensor] = []
    built.discriminator.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    built.generator_terms(batch(), ready(built))
    assert len(seen) == (2 if loss.relative else 1)


def test_the_last_scale_alone_computes_no_other() -> None:
    built = system(supervision="last")
    outputs = ready(built)
    assert [*outputs["images"]] == [*outputs["targets"]] == [4]
    torch.testing.assert_close(outputs["image"], ready(system())["image"])
    built.training_step(batch(), 0)
    assert all(w.grad is None for w in built.generator.reconstruction[0].to_image.parameters())


def test_a_discriminator_is_built_where_some_phase_wants_it() -> None:
    assert system(PIXEL).discriminator is None
    silent: Any = {"generator": {"adversarial": 0.0}, "discriminator": {"adversarial": 0.0}}
    later = system(ALL, phases=[{"until": 0.5, "terms": silent}, {}])
    assert later.discriminator is not None
    log = later.training_step(batch(), 0)
    assert {*log} - NORMS == {"generator/pixel", "generator/perceptual", "phase"}
    assert system(ALL, phases=[{"terms": silent}]).discriminator is None


@pytest.mark.parametrize("part", ["discriminator", "perceptual"])
def test_a_term_without_its_network_is_refused(part: str) -> None:
    with pytest.raises(UserError, match=r"model\.terms\.generator\.\w+ needs a network: set it to 0 or choose one"):
        system(ALL, **{part: None})


def test_steps_train_and_log_every_term() -> None:
    terms = ALL | {"discriminator": {"adversarial": 1.0, "r1": 1.0}}
    built = system(terms, every={"r1": 2}, optim=Adam(lr=0.002))
    before = {name: value.clone() for name, value in built.state_dict().items()}
    logs = [built.training_step(batch(), 0) for _ in range(15)]
    assert {*logs[0]} - NORMS == {
        *(f"generator/{term}" for term in ("pixel", "perceptual", "adversarial")),
        *(f"discriminator/{term}" for term in ("adversarial", "r1", "accuracy")),
    }
    assert "discriminator/r1" not in logs[1]
    assert 0 <= logs[0]["discriminator/accuracy"] <= 1
    assert logs[-1]["generator/pixel"] < 0.9 * logs[0]["generator/pixel"]
    moved = {name.split(".")[0] for name, value in built.state_dict().items() if not torch.equal(value, before[name])}
    assert moved == {"generator", "discriminator", "ema"}


def test_a_critic_has_its_penalty() -> None:
    terms: Any = ALL | {"discriminator": {"adversarial": 1.0, "gradient_penalty": 1.0}}
    log = system(terms, loss=WGANGP(), n_critic=2).training_step(batch(), 0)
    assert {*log} - NORMS == {f"discriminator/{term}" for term in ("adversarial", "gradient_penalty", "accuracy")}


def test_without_low_images_the_bicubic_reduction_is_enlarged() -> None:
    built, whole = system(), batch()
    torch.testing.assert_close(built.low_of({"image": whole["image"]}), whole["image_low"])
    with pytest.raises(UserError, match=r"made for a factor of 2, the model for 4: set data\.scale=4"):
        built.low_of({"image": whole["image"], "image_low": resize(whole["image"], 0.5)})


def test_sizes_that_the_scale_does_not_divide_are_refused() -> None:
    with pytest.raises(UserError, match=r"data\.image_size=18 is not divisible by the model's scale 4: set it to 16"):
        system(image_size=18)


@pytest.mark.parametrize("weights", ["ema", "raw"])
def test_restoring_computes_the_last_image_alone_within_its_range(weights: Any) -> None:
    built = system()
    with torch.no_grad():
        for weight in built.ema.parameters():
            weight.mul_(3)
    low = images(2, 10)
    result = built.restore(low, weights=weights)
    network = built.ema.module if weights == "ema" else built.generator
    torch.testing.assert_close(result, network.upscale(low).detach().clamp(-1, 1))
    assert not result.requires_grad
    assert (built.scale, built.halo) == (4, built.generator.halo)


def calibrated() -> SuperResolution:
    built = system()
    built.calibrate(data([{"image": images(1, 16 + 2 * i, seed=i)} for i in range(5)]))
    return built


def test_samples_are_results_for_examples_whatever_the_seed() -> None:
    built = calibrated()
    assert len(built.examples) == 3
    results = built.sample(0, 5, seed=1)
    assert torch.equal(results, built.sample(0, 5, seed=2))
    torch.testing.assert_close(results[3:], results[:2])
    low = built.examples.batch(1, 1)["image_low"]
    torch.testing.assert_close(results[1:2], built.restore(low))
    pictures = built.pictures(64, seed=1)
    assert {name: tuple(x.shape) for name, x in pictures.items()} == {
        "images": (3, 3, SIZE, SIZE),
        "input_result_target": (3, 3, SIZE, 3 * SIZE),
    }
    torch.testing.assert_close(pictures["input_result_target"][..., SIZE : 2 * SIZE], pictures["images"])
    assert built.sample_ids(64, seed=1) == built.sample_ids(64, seed=2) == built.examples.ids(3)


def test_wishes_are_refused() -> None:
    system().aim({})
    with pytest.raises(UserError, match="reference is for models that draw images"):
        system().aim({"reference": "picture.png"})


def test_protocols_judge_what_they_are_made_for(tmp_path: Path) -> None:
    built = system()
    how: Any = {"split": "val", "seed": 1, "weights": "ema", "cache_dir": tmp_path}
    with pytest.raises(UserError, match="set metrics=restoration"):
        built.measure(GenerationProtocol(EfficientNetLite0()), data([]), **how)
    assert built.measure(NoEvaluation(), data([]), **how) == {}


def test_rows_of_the_step_do_not_depend_on_parts() -> None:
    whole, parts = (system(accumulate=n, generator=network()) for n in (1, 2))
    parts.load_state_dict(whole.state_dict())
    for built in (whole, parts):
        built.training_step(batch(), 0)
    for name, value in whole.generator.state_dict().items():
        torch.testing.assert_close(value, parts.generator.state_dict()[name])


def test_a_network_of_one_image_obeys_the_same_contract() -> None:
    built = system(generator=SRCNN())
    assert [*ready(built)["images"]] == [4]
    assert built.describe() == [{"network": "generator", "makes": "4x", "parameters": 8129}]


def test_outputs_are_cut_from_their_graph_for_the_discriminator() -> None:
    cut = detached(ready(system()))
    assert not any(x.requires_grad for x in cut["images"].values())
