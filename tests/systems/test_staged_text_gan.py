"""What the source says of the three stages, as proofs on a small system."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from freqgan.errors import UserError
from freqgan.features import EfficientNetLite0
from freqgan.losses import WGANGP, RelativisticAverage
from freqgan.metrics import NoEvaluation, RestorationProtocol
from freqgan.networks import StageDiscriminator, TextGenerator
from freqgan.systems import SGD, Adam, StagedTextGAN
from freqgan.systems.batches import detached
from freqgan.systems.text_tasks import STAGES
from freqgan.text import Text
from tests.systems.small_text import (
    CAPTIONS,
    SIZE,
    STACKED,
    TERMS,
    batch,
    generator,
    pair,
    reached,
    ready,
    system,
)
from tests.systems.stepping import NORMS

OTHERS = ["one shape", "a green star", "a blue square above a red circle", "two shapes", "a red star", "a red circle"]


def told(built: StagedTextGAN, text: Text) -> dict[str, Any]:
    """The outputs of a step in which captions are encoded as this text."""
    built.encoders.pair.encode_text = lambda captions: text  # type: ignore[method-assign]
    return ready(built)


def both_terms(built: StagedTextGAN, given: dict[str, Any]) -> dict[str, Tensor]:
    outputs = ready(built, given)
    terms = {f"generator/{n}": x for n, x in built.generator_terms(given, outputs).items()}
    return terms | {f"discriminator/{n}": x for n, x in built.discriminator_terms(given, detached(outputs)).items()}


def matched(built: StagedTextGAN, image: Tensor, text: Text) -> Tensor:
    """γ₃ · cosine of whole images and sentences, two-way cross-entropy."""
    overall = built.encoders.pair.image_features(image).overall
    logits = 10 * F.normalize(overall, dim=1) @ F.normalize(text.sentence, dim=1).T
    right = torch.arange(len(logits))
    return F.cross_entropy(logits, right) + F.cross_entropy(logits.T, right)


def test_image_1_and_its_losses_are_the_same_for_any_caption() -> None:
    outcomes = [(ready(system(), given), both_terms(system(), given)) for given in (batch(), batch(captions=OTHERS))]
    (ours, terms), (others, other_terms) = outcomes
    assert torch.equal(ours["images"]["stage1"], others["images"]["stage1"])
    for player in ("generator", "discriminator"):
        assert torch.equal(terms[f"{player}/stage1/adversarial"], other_terms[f"{player}/stage1/adversarial"])
        assert not torch.equal(terms[f"{player}/stage2/adversarial"], other_terms[f"{player}/stage2/adversarial"])
    for stage in ("stage2", "stage3"):
        assert not torch.equal(ours["images"][stage], others["images"][stage])


def test_words_change_image_3_alone_and_padding_none() -> None:
    built = system()
    text = built.encoders.pair.encode_text(CAPTIONS)
    before = told(built, text)["images"]
    other_words = told(built, replace(text, words=text.words.roll(1, 0)))["images"]
    assert torch.equal(before["stage1"], other_words["stage1"])
    assert torch.equal(before["stage2"], other_words["stage2"])
    assert not torch.equal(before["stage3"], other_words["stage3"])
    noise = torch.where(text.mask[..., None], text.words, torch.full_like(text.words, 9.0))
    outputs = told(built, replace(text, words=noise))
    assert torch.equal(before["stage3"], outputs["images"]["stage3"])
    torch.testing.assert_close(outputs["conditions"]["stage3"], built.game.conditions(text)["stage3"])
    longer = replace(text, words=F.pad(noise, (0, 0, 0, 3), value=5.0), mask=F.pad(text.mask, (0, 3)))
    torch.testing.assert_close(told(built, longer)["images"]["stage3"], before["stage3"])


class Constant(nn.Module):
    """The same logit for every task of every image."""

    def __init__(self, value: float, **settings: Any) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.tensor(value))
        self.tasks = settings["realism"]

    def forward(self, image: Tensor, *conditions: Tensor) -> Tensor:
        return self.value.expand(len(image), self.tasks + len(conditions))


def test_all_losses_by_hand() -> None:
    """With D(·) = σ(0.7): −½ log D for each generator, −½ log D − ½ log(1 − D) for each discriminator."""
    built = system(discriminator=lambda **settings: Constant(0.7, **settings))
    outputs = ready(built)
    terms = built.generator_terms(batch(), outputs)
    d = torch.tensor(0.7).sigmoid()
    for stage in STAGES:
        torch.testing.assert_close(terms[f"{stage}/adversarial"], -d.log() / 2)
    sentence = {n: matched(built, outputs["images"][f"stage{n}"], outputs["said"].text) for n in (2, 3)}
    torch.testing.assert_close(terms["sentence_2"], sentence[2])
    torch.testing.assert_close(terms["sentence_3"], sentence[3])
    assert {*terms} == {*(f"{stage}/adversarial" for stage in STAGES), "sentence_2", "sentence_3", "words_3"}
    total = -1.5 * d.log() + sentence[2] + 4 * sentence[3] + terms["words_3"]
    torch.testing.assert_close(built.weighted("generator", terms), total)
    judged = built.discriminator_terms(batch(), detached(outputs))
    assert {*judged} == {f"{stage}/adversarial" for stage in STAGES}
    for value in judged.values():
        torch.testing.assert_close(value, -d.log() / 2 - (1 - d).log() / 2)


@pytest.mark.parametrize("design", ["staged", "stacked"])
def test_a_discriminator_sees_what_its_task_names(design: str) -> None:
    built = system(**(STACKED if design == "stacked" else {}))
    calls: list[tuple[str, Tensor, tuple[Tensor, ...]]] = []
    for stage, judge in built.game.judges.items():
        judge.register_forward_pre_hook(lambda _, given, stage=stage: calls.append((stage, given[0], given[1:])))
    given = batch()
    outputs = ready(built, given)
    built.generator_terms(given, outputs)
    built.discriminator_terms(given, detached(outputs))
    text = outputs["said"].text
    mean = torch.stack([words[mask].mean(0) for words, mask in zip(text.words, text.mask, strict=True)])
    assert len(calls) == 3 * 3  # generated images for the generator, real and generated ones for the discriminators
    for stage, image, conditions in calls:
        real = torch.equal(image, outputs["real"][stage])
        if design == "stacked":
            assert len(conditions) == 1 + real
            assert torch.equal(conditions[0], text.sentence)
            assert not real or torch.equal(conditions[1], text.sentence.roll(-1, 0))
        else:
            right = {"stage1": [], "stage2": [text.sentence], "stage3": [mean]}[stage]
            assert len(conditions) == len(right)
            for condition, expected in zip(conditions, right, strict=True):
                torch.testing.assert_close(condition, expected)


@pytest.mark.parametrize("fusion", ["attention", "dynamic_memory"])
@pytest.mark.parametrize("stage_input", ["hidden_features", "reencoded_image"])
def test_a_stage_s_losses_train_that_stage_alone(fusion: str, stage_input: str) -> None:
    built = system(made=generator(fusion=fusion, stage_input=stage_input, augmentation=3))
    given = batch()
    outputs = ready(built, given)
    terms = built.generator_terms(given, outputs)
    for name, value in terms.items():
        stage = name.split("/")[0] if "/" in name else f"stage{name[-1]}"
        assert reached(built.generator, value) == {stage}, name
    judged = built.discriminator_terms(given, detached(outputs))
    assert built.discriminator is not None
    for name, value in judged.items():
        assert reached(built.discriminator, value) == {name.split("/")[0]}


def test_joint_gradients_reach_the_stages_before() -> None:
    built = system(gradients="joint")
    terms = built.generator_terms(batch(), ready(built))
    assert reached(built.generator, terms["stage1/adversarial"]) == {"stage1"}
    assert reached(built.generator, terms["stage2/adversarial"] + terms["sentence_2"]) == {"stage1", "stage2"}
    assert reached(built.generator, terms["words_3"]) == {*STAGES}


def test_encoders_rest_while_the_gan_trains() -> None:
    built = system(optim=Adam(lr=0.002))
    before = {name: value.clone() for name, value in built.state_dict().items()}
    built.train()
    logs = [built.training_step(batch(), 0) for _ in range(10)]
    assert not any(module.training for module in built.encoders.modules())
    assert all(weight.grad is None for weight in built.encoders.parameters())
    optimized = {id(w) for optimizer in built.optimizers() for group in optimizer.param_groups for w in group["params"]}
    assert not optimized & {id(weight) for weight in built.encoders.parameters()}
    moved = {name.split(".")[0] for name, value in built.state_dict().items() if not torch.equal(value, before[name])}
    assert moved == {"generator", "discriminator", "ema"}
    assert {*logs[0]} - NORMS == {
        *(f"{player}/{stage}/adversarial" for player in ("generator", "discriminator") for stage in STAGES),
        *(f"generator/{name}" for name in ("sentence_2", "sentence_3", "words_3")),
        *(f"discriminator/{stage}/accuracy" for stage in STAGES),
    }


@pytest.mark.parametrize("seed", [3, 4, 5])
def test_a_step_makes_images_match_their_captions_better(seed: int) -> None:
    terms: Any = {"generator": {"sentence_3": 1.0}, "discriminator": {"adversarial": 0.0}}
    built = system(terms, seed=seed, optim=SGD(lr=0.1, momentum=0.0))

    def loss() -> float:
        built.clock.images_seen = 0  # the same noise
        return built.generator_terms(batch(), ready(built))["sentence_3"].item()

    before = loss()
    built.training_step(batch(), 0)
    assert loss() < before


def test_a_player_s_turn_leaves_no_gradient_in_the_other() -> None:
    built = system()
    assert built.discriminator is not None
    built.training_step(batch(), 0)
    after = [weight.grad.clone() for weight in built.discriminator.parameters() if weight.grad is not None]
    alone = system({"generator": {}, "discriminator": TERMS["discriminator"]})
    assert alone.discriminator is not None
    alone.training_step(batch(), 0)
    for ours, theirs in zip(after, [w.grad for w in alone.discriminator.parameters()], strict=True):
        torch.testing.assert_close(ours, theirs)


def test_real_images_of_each_stage_are_means_of_their_pixels() -> None:
    real = ready(system())["real"]
    image = batch()["image"]
    assert torch.equal(real["stage3"], image)
    for stage, factor in (("stage2", 2), ("stage1", 4)):
        side = SIZE // factor
        expected = image.view(6, 3, side, factor, side, factor).mean((3, 5))
        torch.testing.assert_close(real[stage], expected)


def test_lazy_penalties_and_relative_losses_take_part() -> None:
    terms: Any = TERMS | {"discriminator": {"adversarial": 1.0, "r1": 1.0, "gradient_penalty": 1.0}}
    log = system(terms, loss=WGANGP(), **STACKED).training_step(batch(), 0)
    for stage in STAGES:
        assert log[f"discriminator/{stage}/r1"] > 0
        assert log[f"discriminator/{stage}/gradient_penalty"] > 0
    log = system(loss=RelativisticAverage(), **STACKED).training_step(batch(), 0)
    assert all(value.isfinite() for value in log.values())


def test_a_code_about_the_sentence_has_its_divergence() -> None:
    built = system(made=generator(augmentation=3, conditions=["sentence", "sentence", "words"]))
    outputs = ready(built)
    terms = built.generator_terms(batch(), outputs)
    assert {name for name in terms if name.endswith("/divergence")} == {"stage1/divergence", "stage2/divergence"}
    mean, log_variance = outputs["distributions"]["stage2"]
    expected = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).mean()
    torch.testing.assert_close(terms["stage2/divergence"], expected)


def test_terms_of_no_weight_are_not_computed() -> None:
    built = system({"generator": {"adversarial": 1.0}, "discriminator": {"adversarial": 1.0}})
    built.encoders.pair.image_features = None  # type: ignore[method-assign, assignment]
    assert {*built.generator_terms(batch(), ready(built))} == {f"{stage}/adversarial" for stage in STAGES}


def test_a_single_image_has_no_other_to_be_told_from() -> None:
    with pytest.raises(UserError, match=r"no others that they could be told from: set data\.batch_size"):
        system().training_step(batch(1), 0)


@pytest.mark.parametrize("caption", [None, [CAPTIONS]])
def test_a_batch_needs_a_caption_for_each_image(caption: Any) -> None:
    given = {"image": batch(1)["image"]} | ({"caption": caption} if caption else {})
    with pytest.raises(UserError, match=r"set data\.augment\.caption=one"):
        system().training_step(given, 0)


def test_a_picture_depends_on_its_caption_and_noise_alone() -> None:
    """Neither on its neighbours' captions, however long, nor on its place."""
    built = system()
    for _ in range(3):
        built.training_step(batch(), 0)
    pictures = built.sample(0, 6, seed=7)
    torch.testing.assert_close(torch.cat([built.sample(n, 1, seed=7) for n in range(6)]), pictures)
    text = built.encoders.pair.encode_text(CAPTIONS)
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    noise = torch.randn(6, built.generator.noise_dim)
    with built.kept_generator("ema") as network, torch.no_grad():
        straight = network(noise, sentence=text.sentence, words=text.words, mask=text.mask)[-1].image
        moved = text.rows(order)
        mixed = network(noise[order], sentence=moved.sentence, words=moved.words, mask=moved.mask)[-1].image
    torch.testing.assert_close(mixed, straight[order])


def test_samples_are_made_of_the_kept_captions_in_turn() -> None:
    built = system()
    made = built.imagine(4, 4, seed=1)
    assert made.text.tokens[:2] == [["a", "blue", "star"], ["one", "shape"]]
    assert made.text.tokens[2:] == [["a", "red", "circle"], ["a", "blue", "square", "above", "a", "red", "circle"]]
    assert [tuple(output.image.shape) for output in made.stages] == [(4, 3, side, side) for side in (8, 16, 32)]
    assert torch.equal(built.sample(4, 4, seed=1), made.stages[-1].image)
    assert not torch.equal(built.sample(4, 4, seed=2), built.sample(4, 4, seed=1))
    assert built.sample_ids(2, seed=1) == ["a red circle, noise 1/0", f"{CAPTIONS[1]}, noise 1/1"]


def test_pictures_show_all_stages_of_a_caption_side_by_side() -> None:
    built = system()
    pictures = built.pictures(5, seed=1)
    assert {name: tuple(x.shape) for name, x in pictures.items()} == {
        "images": (5, 3, SIZE, SIZE),
        "stages": (5, 3, SIZE, 3 * SIZE),
    }
    assert torch.equal(pictures["stages"][..., 2 * SIZE :], pictures["images"])
    first = built.imagine(0, 5, seed=1).stages[0].image
    assert torch.equal(pictures["stages"][..., :SIZE][..., ::4, ::4], first)


def test_parts_of_ten_rows_have_two_or_more_each() -> None:
    said = [f"a red circle and {shapes}" for shapes in ("one", "two", "three", "four", "five", "six")] + CAPTIONS[1:5]
    built = system(accumulate=4)
    log = built.training_step({"image": torch.zeros(10, 3, SIZE, SIZE), "caption": said}, 0)
    assert log["generator/sentence_2"].isfinite()


def test_given_captions_take_the_place_of_kept_ones() -> None:
    built = system()
    built.aim({"captions": "a green circle\n\na purple star\n"})
    made = built.imagine(0, 3, seed=1)
    assert made.text.tokens == [["a", "green", "circle"], ["a", "star"], ["a", "green", "circle"]]
    assert made.text.unknown == [[], ["purple"], []]
    built.aim({"captions": CAPTIONS[0]})
    assert torch.equal(built.sample(0, 1, seed=1), system().sample(0, 1, seed=1))


def test_protocols_of_samples_judge_it(tmp_path: Path) -> None:
    data: Any = SimpleNamespace(fingerprint=lambda: "these")
    how: Any = {"split": "val", "seed": 1, "weights": "ema", "cache_dir": tmp_path}
    with pytest.raises(UserError, match="set metrics=text_to_image"):
        system().measure(RestorationProtocol(EfficientNetLite0()), data, **how)
    assert system().measure(NoEvaluation(), data, **how) == {}


def test_a_row_per_stage_describes_it() -> None:
    built = system(d3={"condition": "word_mean_and_sentence", "realism": True})
    rows = built.describe()
    assert [row["stage"] for row in rows] == [*STAGES]
    assert [row["makes"] for row in rows] == ["8x8", "16x16", "32x32"]
    assert [row["judged by"] for row in rows] == ["realism", "sentence", "realism and word mean and sentence"]
    assert sum(int(row["generator"]) + int(row["discriminator"]) for row in rows) == built.trained_parameters


def test_the_published_configuration_has_its_parameters() -> None:
    """AttnGAN's for CUB: 7.08 M in the generator; discriminators of width 64, both heads on the sentence."""
    attngan = generator(latent_dim=100, upsamplings=4, channels=32, residuals=2, augmentation=100)
    attngan.keywords["conditions"] = ["sentence", "words", "words"]
    with torch.device("meta"):
        built = system(made=attngan, encoders=pair_of_256(), image_size=256, discriminator=_wide, **STACKED)
    assert [int(row["generator"]) for row in built.describe()] == [6_548_592, 268_000, 268_000]
    assert sum(int(row["generator"]) for row in built.describe()) == 7_084_592


def _wide(**settings: Any) -> StageDiscriminator:
    return StageDiscriminator(channels=64, **settings)


def pair_of_256() -> Any:
    with torch.device("cpu"):
        return pair(256)


def test_a_discriminator_without_a_task_is_refused() -> None:
    with pytest.raises(UserError, match=r"model\.d2 has nothing to judge: set model\.d2\.realism=true"):
        system(d2={"condition": "none", "realism": False})


def test_altered_captions_for_discriminators_have_to_be_made() -> None:
    with pytest.raises(UserError, match=r"model\.mismatched=altered needs captions that are altered: set "):
        system(mismatched="altered")


def test_discriminators_see_real_images_with_altered_captions() -> None:
    plain, built = system(), system(mismatched="altered", altered=2)
    said = SimpleNamespace(captions=lambda split: [[f"a {color} circle"] for color in ("red", "green")])
    built.encoders.reader.learn(said)
    first, found = (one.discriminator_terms(batch(), detached(ready(one))) for one in (plain, built))
    assert first["stage1/adversarial"] == found["stage1/adversarial"]  # realism alone
    assert all(first[f"stage{n}/adversarial"] != found[f"stage{n}/adversarial"] for n in (2, 3))


def test_sizes_that_do_not_halve_are_refused() -> None:
    with pytest.raises(UserError, match="upsamplings=1"):
        system(image_size=36)
    assert isinstance(system().generator, TextGenerator)
