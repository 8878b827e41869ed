"""Label-to-image synthesis: what both players learn from, and what results follow from."""

from functools import partial
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from torch import Tensor

from freqgan.errors import UserError
from freqgan.features import EfficientNetLite0
from freqgan.losses import Hinge, PerceptualLoss, feature_matching
from freqgan.metrics import GenerationProtocol, NoEvaluation, RestorationProtocol, TranslationProtocol
from freqgan.networks import CoarseToFine, UNet
from freqgan.ops.instances import boundaries, instance_means, one_hot, regions
from freqgan.systems import Adam
from tests.systems import translations
from tests.systems.labels import CLASSES, COARSE, GAN, JUDGES, SIZE, batch, outputs_of, renamed, scenes, system
from tests.systems.stepping import NORMS


def test_the_generator_sees_classes_and_boundaries() -> None:
    built, of = system(), batch()
    region = regions(of["label_map"], of["instance_map"])
    given = torch.cat((one_hot(of["label_map"], CLASSES), boundaries(region)), 1)
    made = outputs_of(built, of)
    assert torch.equal(made["condition"], given)
    torch.testing.assert_close(made["image"], built.generator(given))
    assert made["real"] is of["image"]


@pytest.mark.parametrize(("loss", "weight"), [(None, 0.5), (Hinge(), None)], ids=["lsgan", "hinge"])
def test_terms_are_those_of_the_paper(loss: Any, weight: float | None) -> None:
    built = system(**({} if loss is None else {"loss": loss}))
    made = outputs_of(built, batch())
    judges: Any = built.discriminator
    assert len(judges.scales) == 3
    fake = judges(torch.cat((made["condition"], made["image"]), 1))
    real = judges(torch.cat((made["condition"], batch()["image"]), 1))
    plays: list[Tensor]
    if weight is None:
        plays, judged = (
            [-f[-1].mean() for f in fake],
            [(1 - r[-1]).relu().mean() + (1 + f[-1]).relu().mean() for r, f in zip(real, fake, strict=True)],
        )
    else:
        plays = [(f[-1] - 1).square().mean() for f in fake]
        judged = [
            weight * ((r[-1] - 1).square().mean() + f[-1].square().mean()) for r, f in zip(real, fake, strict=True)
        ]
    total = sum(plays) * (1 if weight else 2) + 10 * feature_matching(fake, real)
    torch.testing.assert_close(built.weighted("generator", built.generator_terms(batch(), made)), total)
    torch.testing.assert_close(built.weighted("discriminator", built.discriminator_terms(batch(), made)), sum(judged))


def test_both_players_learn_from_one_pass_of_the_generator() -> None:
    built, passes = system(), list[Any]()
    built.generator.register_forward_hook(lambda module, given, made: passes.append(made))
    before = {name: value.clone() for name, value in built.state_dict().items()}
    log = built.training_step(batch(), 0)
    assert len(passes) == 1
    after = built.state_dict()
    moved = {name.split(".")[0] for name in after if not torch.equal(after[name], before[name])}
    assert moved == {"generator", "discriminator", "ema"}
    scales = [f"scale{n}" for n in (1, 2, 4)]
    assert {*log} - NORMS == {
        *("generator/feature_matching",),
        *(f"{player}/{scale}/adversarial" for player in ("generator", "discriminator") for scale in scales),
        *(f"discriminator/{scale}/accuracy" for scale in scales),
    }


def test_steps_learn() -> None:
    only: Any = {"generator": {"l1": 1.0}, "discriminator": {}}
    built = system(terms=only, optim=Adam(lr=0.01))
    assert built.discriminator is None
    logs = [built.training_step(batch(), 0) for _ in range(20)]
    assert logs[-1]["generator/l1"] < 0.8 * logs[0]["generator/l1"]


def test_names_of_instances_leave_the_result_as_it_is() -> None:
    built, of = system(), batch()
    ids = of["instance_map"]
    made = built.synthesize_labels(of["label_map"], ids)
    assert torch.equal(built.synthesize_labels(of["label_map"], renamed(ids)), made)
    other = outputs_of(system(features=2), of | {"instance_map": renamed(ids)})
    assert torch.equal(outputs_of(system(features=2), of)["image"], other["image"])


def test_instances_of_one_class_that_touch_change_it() -> None:
    built = system()
    labels, ids = torch.ones(1, SIZE, SIZE, dtype=torch.int64), torch.zeros(1, SIZE, SIZE, dtype=torch.int64)
    one = built.synthesize_labels(labels, ids)
    ids[..., SIZE // 2 :] = 1
    assert (built.synthesize_labels(labels, ids) - one).abs().max() > 1e-3
    without = system(inputs="none")
    assert torch.equal(without.synthesize_labels(labels, ids), without.synthesize_labels(labels, 0 * ids))


def test_pixels_of_no_class_have_a_result_too() -> None:
    labels = batch()["label_map"]
    labels[:, :4] = 255
    assert system().synthesize_labels(labels).isfinite().all()
    assert system().training_step(batch() | {"label_map": labels}, 0)["generator/feature_matching"].isfinite()


@pytest.mark.parametrize("size", [(16, 16), (20, 37), (5, 64)])
def test_results_are_of_any_size_and_of_their_own_map_alone(size: tuple[int, int]) -> None:
    built = system()
    labels = torch.randint(CLASSES, (3, *size), generator=torch.Generator().manual_seed(1))
    made = built.synthesize_labels(labels)
    assert made.shape == (3, 3, *size)
    assert made.abs().max() <= 1
    assert not made.requires_grad
    assert torch.equal(built.synthesize_labels(labels[1:2]), made[1:2])


def test_looks_are_read_off_the_real_image_in_training() -> None:
    built, of = system(features=2), batch()
    encoder: Any = built.generator.encoder
    region = regions(of["label_map"], of["instance_map"])
    made = outputs_of(built, of)
    given = torch.cat((made["condition"], instance_means(encoder.network(of["image"]), region)), 1)
    torch.testing.assert_close(made["image"], built.generator(given))
    assert made["condition"].shape[1] == CLASSES + 1  # the discriminators do not see them
    before = {name: value.clone() for name, value in encoder.named_parameters()}
    built.training_step(of, 0)
    assert all(not torch.equal(value, before[name]) for name, value in encoder.named_parameters() if value.ndim > 1)


@pytest.mark.parametrize("at_test", ["fixed", "as_in_training"])
def test_noise_at_test_is_a_function_of_the_seed(at_test: Literal["fixed", "as_in_training"]) -> None:
    unet = partial(UNet, image_size=SIZE, channels=4, norm="instance", at_test=at_test)
    built = system(generator=partial(CoarseToFine, coarse=unet, enhancers=()))
    labels, ids = (batch()[name] for name in ("label_map", "instance_map"))
    state = torch.get_rng_state()
    first, again, other = (built.synthesize_labels(labels, ids, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(first, again)
    assert built.generator.varied == (at_test == "as_in_training")
    assert torch.equal(first, other) != built.generator.varied


def test_a_label_map_has_as_many_results_as_looks(tmp_path: Path) -> None:
    built = system(features=2, num_classes=9, clusters=4)
    data = scenes(tmp_path)
    state = torch.get_rng_state()
    built.calibrate(data)
    built.remember(data)
    assert torch.equal(torch.get_rng_state(), state)
    for network in (built.generator, built.ema.module):
        encoder: Any = network.encoder
        assert encoder.counts[0] == 4
        assert encoder.counts.max() == 4
        assert encoder.centres[0].abs().sum() > 0
    labels, ids = (built.examples.batch(0, 1)[name] for name in ("label_map", "instance_map"))
    results = [built.synthesize_labels(labels, ids, seed=seed) for seed in range(6)]
    assert len({result.numpy().tobytes() for result in results}) > 3
    assert torch.equal(built.synthesize_labels(labels, ids, seed=5), results[5])
    chosen = {
        (int(label), int(i)): 0 for label, i in {*zip(labels.flatten().tolist(), ids.flatten().tolist(), strict=True)}
    }
    first = built.synthesize_labels(labels, ids, looks=chosen, seed=1)
    assert torch.equal(built.synthesize_labels(labels, ids, looks=chosen, seed=2), first)
    assert not torch.equal(built.synthesize_labels(labels, ids, looks=chosen | {(0, 0): 1}), first)
    assert {*built.pictures(3, seed=0)} == {"images", "input_result_target", "looks"}


def test_classes_of_things_are_refused_where_data_tell_instances(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"model\.things=\[1\]: the data have instance maps, or derive them: set it to \[\]"
    ):
        system(num_classes=9, things=[1]).calibrate(scenes(tmp_path))


def test_samples_are_results_for_examples(tmp_path: Path) -> None:
    built = system(num_classes=9)
    built.calibrate(scenes(tmp_path))
    kept = built.examples.batch(0, 3)
    made = built.sample(1, 2, seed=5)
    assert torch.equal(made, built.synthesize_labels(kept["label_map"][1:], kept["instance_map"][1:]))
    pictures = built.pictures(64, seed=5)
    assert {name: tuple(x.shape) for name, x in pictures.items()} == {
        "images": (3, 3, SIZE, SIZE),
        "input_result_target": (3, 3, SIZE, 3 * SIZE),
    }
    assert torch.equal(pictures["input_result_target"][..., 2 * SIZE :], kept["image"])
    assert len({*built.sample_ids(64, seed=5)}) == 3
    built.aim({})
    with pytest.raises(UserError, match="reference is for models that draw images of chance"):
        built.aim({"reference": "picture.png"})
    built.remember(None)  # there is nothing to remember without features


def test_without_labels_an_image_is_made_of_an_image(tmp_path: Path) -> None:
    built = system(num_classes=None)
    pair = {"image": batch()["image"], "image_b": batch(seed=1)["image"]}
    made = outputs_of(built, pair)
    torch.testing.assert_close(made["image"], built.generator(pair["image"]))
    assert made["real"] is pair["image_b"]
    assert built.training_step(pair, 0)["generator/feature_matching"] > 0
    assert (built.directions, built.stride, built.halo) == (("ab",), built.generator.stride, None)
    torch.testing.assert_close(built.translate(pair["image"])[1:2], built.translate(pair["image"][1:2], direction="ab"))
    with pytest.raises(UserError, match="direction=ba: this model translates ab"):
        built.translate(pair["image"], direction="ba")
    with pytest.raises(UserError, match="it was trained without labels"):
        built.synthesize_labels(batch()["label_map"])
    with pytest.raises(UserError, match="makes no images of images: use freqgan sample"):
        system().translate(pair["image"])
    data = translations.data()
    built.calibrate(data)
    assert {*built.pictures(2, seed=0)} == {"images", "input_result_target"}
    how: Any = {"split": "val", "seed": 1, "weights": "ema", "cache_dir": tmp_path}
    assert built.measure(TranslationProtocol(), data, **how)["psnr_rgb_crop0_ab"] > 0


def test_results_for_the_label_maps_are_judged(tmp_path: Path) -> None:
    built = system(num_classes=9)
    how: Any = {"split": "train", "seed": 1, "weights": "ema", "cache_dir": tmp_path}
    assert built.measure(NoEvaluation(), scenes(tmp_path), **how) == {}
    with pytest.raises(UserError, match="set metrics=label_to_image"):
        built.measure(RestorationProtocol(), scenes(tmp_path), **how)
    protocol = GenerationProtocol(EfficientNetLite0(image_size=32), num_images=20, num_real=20, kid_subset_size=20)
    values = built.measure(protocol, scenes(tmp_path), **how)
    assert min(value for name, value in values.items() if name.startswith("fd_")) > 0
    assert built.measure(protocol, scenes(tmp_path), **how) == values


def test_pix2pix_is_a_setting() -> None:
    unet = partial(CoarseToFine, coarse=partial(UNet, image_size=SIZE, channels=4, dropout=0.0), enhancers=())
    terms: Any = {"generator": {"adversarial": 1.0, "l1": 100.0}, "discriminator": {"adversarial": 0.5}}
    built = system(generator=unet, discriminator=partial(JUDGES, scales=1), inputs="none", terms=terms)
    assert {*built.training_step(batch(), 0)} - NORMS == {
        *("generator/l1", "generator/scale1/adversarial"),
        *("discriminator/scale1/adversarial", "discriminator/scale1/accuracy"),
    }


def test_a_perceptual_loss_may_play_with_it() -> None:
    loss = PerceptualLoss(EfficientNetLite0(image_size=32), layers={"stem": 1.0})
    terms: Any = {"generator": GAN["generator"] | {"perceptual": 10.0}, "discriminator": {"adversarial": 1.0}}
    built = system(perceptual=loss, terms=terms)
    made = outputs_of(built, batch())
    torch.testing.assert_close(
        built.generator_terms(batch(), made)["perceptual"], loss(made["image"], batch()["image"])
    )
    assert "perceptual" not in system(perceptual=loss).generator_terms(batch(), made)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"discriminator": None}, r"terms\.generator\.adversarial needs a network"),
        (
            {"terms": {"generator": {"perceptual": 1.0}, "discriminator": {}}},
            r"terms\.generator\.perceptual needs a network",
        ),
        (
            {"features": 3, "num_classes": None},
            r"features=3 are of instances .* none: set data\.num_classes .* or model",
        ),
        (
            {
                "generator": partial(CoarseToFine, coarse=COARSE, enhancers=()),
                "phases": [{"frozen": ["generator.coarse"]}],
            },
            r"generator\.coarse rests, and there are no enhancers: set model\.phases=\[\]",
        ),
    ],
)
def test_what_does_not_go_together_is_refused(given: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        system(**given)


def test_every_network_is_a_row() -> None:
    rows = system(features=2).describe()
    assert [row["network"] for row in rows] == ["coarse", "enhancer 0", "encoder", "discriminators"]
    assert [row["makes"] for row in rows][:2] == ["1/2 of the size", "twice the size"]


def test_parts_of_a_batch_are_the_batch() -> None:
    whole, parts = (system(accumulate=n, order="discriminator_first") for n in (1, 2))
    for built in (whole, parts):
        built.training_step(batch(4), 0)
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(value, parts.state_dict()[name], rtol=0, atol=1e-5)
