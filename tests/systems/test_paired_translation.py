"""Translation learnt from pairs: the encoder–decoder's loss alone, and pix2pix's."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from freqgan.data import DataModule, Scenes, TwoViews
from freqgan.errors import UserError
from freqgan.features import EfficientNetLite0
from freqgan.metrics import GenerationProtocol, LabelToImageProtocol, NoEvaluation, TranslationProtocol
from freqgan.networks import UNet
from freqgan.systems import Adam
from freqgan.systems.gradients import bound_weights
from tests.systems.stepping import NORMS
from tests.systems.translations import PIX2PIX, SIZE, batch, data, encoder_decoder, images, outputs_of, pix2pix


def test_the_loss_of_the_base_model_is_half_of_the_squared_error_and_nothing_else() -> None:
    built = encoder_decoder()
    assert built.discriminator is None
    made = outputs_of(built, batch())
    terms = built.generator_terms(batch(), made)
    difference = built.generator(batch()["image"]) - batch()["image_b"]
    assert set(terms) == {"l2"}
    torch.testing.assert_close(built.weighted("generator", terms), 0.5 * difference.square().sum() / 4)
    assert [*built.players()] == ["generator"]
    assert {*built.training_step(batch(), 0)} - NORMS == {"generator/l2"}


def test_pix2pix_has_the_terms_of_the_paper() -> None:
    built = pix2pix(generator=partial(UNet, image_size=SIZE, channels=4, norm="instance", dropout=0.0))
    assert built.discriminator is not None
    a, b = batch()["image"], batch()["image_b"]
    made = outputs_of(built, batch())
    fake = built.generator(a)
    torch.testing.assert_close(made["image"], fake)
    real_logits, fake_logits = (built.discriminator(torch.cat((a, image), 1)) for image in (b, fake))
    terms = built.generator_terms(batch(), made)
    torch.testing.assert_close(terms["l1"], (fake - b).abs().mean())
    torch.testing.assert_close(terms["adversarial"], -fake_logits.sigmoid().log().mean())
    torch.testing.assert_close(built.weighted("generator", terms), terms["adversarial"] + 100 * terms["l1"])
    judged = built.discriminator_terms(batch(), made)
    expected = -real_logits.sigmoid().log().mean() - (1 - fake_logits.sigmoid()).log().mean()
    torch.testing.assert_close(built.weighted("discriminator", judged), expected / 2)


def test_a_discriminator_may_judge_results_alone() -> None:
    built = pix2pix(conditional=False)
    assert built.discriminator is not None
    assert next(built.discriminator.parameters()).shape[1] == 3
    assert next(pix2pix().discriminator.parameters()).shape[1] == 6  # type: ignore[union-attr]
    made = outputs_of(built, batch())
    expected = F.binary_cross_entropy_with_logits(judged := built.discriminator(made["image"]), torch.ones_like(judged))
    torch.testing.assert_close(built.generator_terms(batch(), made)["adversarial"], expected)


def test_penalties_are_on_the_gradient_of_the_image_and_not_of_what_it_is_made_of() -> None:
    built = pix2pix(terms=PIX2PIX | {"discriminator": {"adversarial": 0.5, "r1": 1.0}})
    pair = torch.cat((batch()["image"], batch()["image_b"]), 1).requires_grad_()
    (gradient,) = torch.autograd.grad(built.discriminator(pair).flatten(1).mean(1).sum(), pair)
    terms = built.discriminator_terms(batch(), outputs_of(built, batch()))
    torch.testing.assert_close(terms["r1"], gradient[:, 3:].flatten(1).square().sum(1).mean() / 2)


def test_the_other_direction_swaps_the_domains() -> None:
    there, back = encoder_decoder(), encoder_decoder(direction="ba")
    swapped = {"image": batch()["image_b"], "image_b": batch()["image"]}
    torch.testing.assert_close(
        there.generator_terms(batch(), outputs_of(there, batch()))["l2"],
        back.generator_terms(swapped, outputs_of(back, swapped))["l2"],
    )
    assert (there.directions, back.directions) == (("ab",), ("ba",))
    assert back.describe()[0]["makes"] == "b to a"


def test_steps_change_both_players_and_learn() -> None:
    built = pix2pix(optim=Adam(lr=0.002))
    before = {name: value.clone() for name, value in built.state_dict().items()}
    grey = batch() | {"image_b": torch.full((4, 3, SIZE, SIZE), 0.5)}
    logs = [built.training_step(grey, 0) for _ in range(12)]
    assert {*logs[0]} - NORMS == {
        *("generator/l1", "generator/adversarial", "discriminator/adversarial", "discriminator/accuracy"),
    }
    assert logs[-1]["generator/l1"] < 0.9 * logs[0]["generator/l1"]
    moved = {name.split(".")[0] for name, value in built.state_dict().items() if not torch.equal(value, before[name])}
    assert moved == {"generator", "discriminator", "ema"}


def test_dropout_is_that_of_the_step() -> None:
    first, second, other = (pix2pix(seed=seed) for seed in (3, 3, 4))
    torch.manual_seed(1)
    logs = [built.training_step(batch(), 0) for built in (first, second, other)]
    assert logs[0]["generator/l1"] == logs[1]["generator/l1"] != logs[2]["generator/l1"]


def test_a_batch_of_one_domain_is_refused() -> None:
    with pytest.raises(UserError, match=r"one domain: choose a data set of two, as data=scenes data\.source\.domain="):
        pix2pix().training_step({"image": images()}, 0)


def test_an_adversarial_term_needs_a_discriminator() -> None:
    with pytest.raises(UserError, match=r"terms\.generator\.adversarial needs model\.discriminator: set it to 0 or"):
        pix2pix(discriminator=None)


def test_weights_of_a_critic_are_within_their_bound_after_a_step() -> None:
    built = pix2pix(weight_clip=0.01)
    assert built.discriminator is not None
    assert max(weight.abs().max() for weight in built.discriminator.parameters()) > 0.05
    built.training_step(batch(), 0)
    greatest = [weight.abs().max().item() for weight in built.discriminator.parameters()]
    assert max(greatest) == pytest.approx(0.01)
    assert max(weight.abs().max() for weight in built.generator.parameters()) > 0.05


def test_bounds_keep_what_is_within_them() -> None:
    weight = torch.nn.Parameter(torch.tensor([-2.0, -0.1, 0.0, 0.1, 2.0]))
    bound_weights([weight], 0.5)
    torch.testing.assert_close(weight.detach(), torch.tensor([-0.5, -0.1, 0.0, 0.1, 0.5]))


def test_an_images_translation_depends_on_it_and_the_seed_alone() -> None:
    built, given = pix2pix(), images(3, 20)
    state = torch.get_rng_state()
    whole = built.translate(given)
    assert torch.equal(torch.get_rng_state(), state)
    assert whole.shape == given.shape
    assert whole.abs().max() <= 1
    assert not whole.requires_grad
    assert torch.equal(built.translate(given[1:2]), whole[1:2])
    assert torch.equal(built.translate(given, seed=0), whole)
    assert not torch.equal(built.translate(given, seed=1), whole)


@pytest.mark.parametrize("weights", ["ema", "raw"])
def test_translation_is_by_the_weights_that_are_asked_for(weights: Any) -> None:
    built = encoder_decoder()
    with torch.no_grad():
        for weight in built.ema.parameters():
            weight.mul_(1.5)
    network = built.ema.module if weights == "ema" else built.generator
    torch.testing.assert_close(built.translate(images(), weights=weights), network.eval()(images()).detach())
    assert (built.stride, built.halo) == (4, network.halo)
    assert pix2pix().halo is None


def test_a_direction_that_was_not_learnt_is_refused() -> None:
    with pytest.raises(UserError, match="direction=ba: this model translates ab"):
        pix2pix().translate(images(), direction="ba")


def test_samples_are_translations_of_examples() -> None:
    built = pix2pix()
    built.calibrate(data())
    assert len(built.examples) == 3
    kept = built.examples.batch(0, 3)
    assert torch.equal(built.sample(1, 2, seed=5), built.translate(kept["image"][1:], seed=5))
    pictures = built.pictures(64, seed=5)
    assert {name: tuple(x.shape) for name, x in pictures.items()} == {
        "images": (3, 3, SIZE, SIZE),
        "input_result_target": (3, 3, SIZE, 3 * SIZE),
    }
    parts = pictures["input_result_target"].split(SIZE, -1)
    for part, expected in zip(parts, (kept["image"], pictures["images"], kept["image_b"]), strict=True):
        assert torch.equal(part, expected)
    assert built.sample_ids(64, seed=5) == built.examples.ids(3)
    built.aim({})
    with pytest.raises(UserError, match="reference is for models that draw images"):
        built.aim({"reference": "picture.png"})


def test_pairs_are_judged_in_the_direction_of_the_model(tmp_path: Path) -> None:
    built = encoder_decoder(direction="ba")
    how: Any = {"split": "val", "seed": 1, "weights": "ema", "cache_dir": tmp_path}
    values = built.measure(TranslationProtocol(), data(), **how)
    assert all(name.endswith(("_ba", "_untranslated")) for name in values)
    exact = TranslationProtocol().evaluate({"ba": built.translate}, data(), split="val", cache_dir=tmp_path)
    assert values == exact
    assert next(data().evaluation_domain("val", "b"))["image"].shape[-1] > SIZE
    assert built.measure(NoEvaluation(), data(), **how) == {}
    with pytest.raises(UserError, match="set metrics=translation"):
        built.measure(GenerationProtocol(EfficientNetLite0()), data(), **how)


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_dropout_at_test_is_diversity(dropout: float, tmp_path: Path) -> None:
    maps = partial(TwoViews, a="label_map", b="image", source=partial(Scenes, length=8))
    scenes = DataModule(source=maps, image_size=SIZE, num_classes=9, batch_size=2, val_fraction=0.5, cache_dir=tmp_path)
    features = EfficientNetLite0(image_size=32)
    protocol = LabelToImageProtocol(features, num_images=2, perceptual=features, kid_subset_size=2, kid_subsets=1)
    built = pix2pix(generator=partial(UNet, image_size=SIZE, channels=4, norm="instance", dropout=dropout))
    values = built.measure(protocol, scenes, split="val", seed=0, weights="raw", cache_dir=tmp_path)
    assert (values[f"diversity_{features.name}_n2_ab"] > 0) == (dropout > 0)


def test_parts_of_a_batch_are_the_batch() -> None:
    whole, parts = (encoder_decoder(accumulate=n) for n in (1, 2))
    for built in (whole, parts):
        built.training_step(batch(), 0)
    for name, value in whole.generator.state_dict().items():
        torch.testing.assert_close(value, parts.generator.state_dict()[name])


def test_a_resting_discriminator_is_not_computed() -> None:
    silent: Any = {"generator": {"adversarial": 0.0}, "discriminator": {"adversarial": 0.0}}
    built = pix2pix(phases=[{"until": 0.5, "terms": silent}, {}], terms=PIX2PIX)
    assert {*built.training_step(batch(), 0)} - NORMS == {"generator/l1", "phase"}


def test_exhibits_are_whole_pairs_of_the_data() -> None:
    built = pix2pix()
    (found,) = built.exhibits(data(), split="val", seed=5, weights="raw").items()
    gallery, exhibits = found
    assert gallery == "a_to_b"
    pairs = [*data().evaluation_pairs("val", limit=3)]
    assert [exhibit.name for exhibit in exhibits] == ["0", "1", "2"]
    for (_, pictures), pair in zip(exhibits, pairs, strict=True):
        assert [*pictures] == ["input", "result", "target"]
        assert torch.equal(pictures["input"], pair["image"][0])
        assert torch.equal(pictures["target"], pair["image_b"][0])
        assert torch.equal(pictures["result"], built.translate(pair["image"], weights="raw", seed=5)[0])
