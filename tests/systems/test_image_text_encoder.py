"""The image-text encoder on random images, without a Trainer."""

from pathlib import Path
from typing import Any

import pytest
import torch

from freqgan.errors import UserError
from freqgan.features import EfficientNetLite0
from freqgan.losses import allowed_pairs, sentence_matching, word_region_matching
from freqgan.metrics import GenerationProtocol, NoEvaluation, RetrievalProtocol
from freqgan.systems import SGD, Adam, Clock, ImageTextEncoder
from freqgan.systems.rules import Rows
from tests.systems.pairs import CAPTIONS, SIZE, data, encoder_pair, images
from tests.systems.stepping import NORMS, without_trainer

TERMS: Any = {"generator": {"sentence": 1.0, "word": 0.5}, "discriminator": {}}


def system(**settings: Any) -> ImageTextEncoder:
    settings = {
        "encoders": encoder_pair(),
        "image_size": SIZE,
        "examples": 3,
        "optim": SGD(lr=0.1, momentum=0.0),
        "terms": TERMS,
        "seed": 3,
        "clock": Clock(images=10**6),
    } | settings
    built = ImageTextEncoder(**settings)
    built.calibrate(data())
    built.ema.restart(built.generator)
    return without_trainer(built)


def batch(**more: Any) -> dict[str, Any]:
    return {"image": images(), "caption": [*CAPTIONS], **more}


def terms(built: ImageTextEncoder, given: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    outputs = built.forward_part((given, Rows(0, 5, 5)), graph=True)
    return outputs, built.generator_terms(given, outputs)


def test_terms_are_the_two_losses_with_their_weights() -> None:
    gammas = {"gamma1": 3.0, "gamma2": 2.0, "gamma3": 7.0}
    built = system(encoders=encoder_pair(gammas=gammas))
    outputs, found = terms(built, batch())
    features, text = outputs["features"], outputs["said"].text
    torch.testing.assert_close(found["sentence"], sentence_matching(features.overall, text.sentence, gamma3=7.0))
    word = word_region_matching(features.regions, text.words, text.mask, **gammas)
    torch.testing.assert_close(found["word"], word)
    torch.testing.assert_close(built.weighted("generator", found), found["sentence"] + 0.5 * word)
    assert built.notes["batch/wrong_captions"] == 4


def test_equal_captions_and_classes_are_not_told_apart() -> None:
    built = system()
    repeated = [*CAPTIONS[:3], CAPTIONS[0], CAPTIONS[4]]
    given = batch(caption=repeated, **{"class": torch.tensor([0, 1, 1, 2, 3])})
    outputs, found = terms(built, given)
    allowed = allowed_pairs(repeated, given["class"])
    assert allowed.sum() == 25 - 4
    vectors = outputs["features"].overall, outputs["said"].text.sentence
    torch.testing.assert_close(found["sentence"], sentence_matching(*vectors, allowed=allowed))
    assert found["sentence"] != sentence_matching(*vectors)
    assert built.notes["batch/wrong_captions"] == pytest.approx(4 - 4 / 5)


def test_a_term_without_weight_is_not_computed() -> None:
    built = system(terms={"generator": {"sentence": 1.0, "word": 0.0}, "discriminator": {}})
    assert {*terms(built, batch())[1]} == {"sentence"}


def test_steps_train_both_towers_and_find_the_captions(tmp_path: Path) -> None:
    built = system(optim=Adam(lr=0.01), ema_halflife=1.0)
    before = {name: value.clone() for name, value in built.generator.named_parameters()}
    logs = [built.training_step(batch(), 0) for _ in range(30)]
    assert {*logs[0]} - NORMS == {"generator/sentence", "generator/word", "batch/wrong_captions"}
    assert logs[-1]["generator/sentence"] < 0.5 * logs[0]["generator/sentence"]
    assert all(not torch.equal(value, before[name]) for name, value in built.generator.named_parameters())
    values = built.measure(RetrievalProtocol(), data(), split="val", seed=1, weights="ema", cache_dir=tmp_path)
    assert values["retrieval_r1_text_to_image"] > 0.5


def test_one_image_has_no_other_to_be_told_from() -> None:
    built = system()
    with pytest.raises(UserError, match=r"set data\.batch_size to at least 2"):
        built.training_step({"image": images(1), "caption": CAPTIONS[:1]}, 0)


def test_all_captions_at_once_are_refused() -> None:
    with pytest.raises(UserError, match=r"set data\.augment\.caption=one"):
        terms(system(), batch(caption=[[caption] for caption in CAPTIONS]))


def test_samples_are_the_images_that_captions_find() -> None:
    built = system()
    with torch.no_grad():
        for weight in built.ema.module.image.parameters():
            weight.normal_()
    examples = built.examples.batch(0, 3)["image"]
    found = built.sample(1, 3, seed=1)
    sentences, overall = built.sentences_of(CAPTIONS[:3]), built.overall_of(examples)
    nearest = torch.cosine_similarity(sentences[:, None], overall[None], dim=2).argmax(1)
    torch.testing.assert_close(found, examples[nearest][[1, 2, 0]])
    pictures = built.pictures(64, seed=1)
    torch.testing.assert_close(pictures["images"], examples[nearest])
    assert pictures["true_then_nearest"].shape == (3, 3, SIZE, 4 * SIZE)
    torch.testing.assert_close(pictures["true_then_nearest"][..., :SIZE], examples)
    torch.testing.assert_close(pictures["true_then_nearest"][..., SIZE : 2 * SIZE], examples[nearest])
    assert [name.partition(": ")[2] for name in built.sample_ids(64, seed=1)] == CAPTIONS[:3]


def test_examples_and_words_are_part_of_the_state() -> None:
    built, other = system(), system(encoders=encoder_pair(seed=1))
    other.load_state_dict(built.state_dict())
    assert other.sample_ids(3, seed=1) == built.sample_ids(3, seed=1)
    assert torch.equal(other.pictures(3, seed=1)["images"], built.pictures(3, seed=1)["images"])
    assert torch.equal(other.generator.settings, other.generator.digest())


def test_weights_are_averaged_or_raw() -> None:
    built = system()
    built.training_step(batch(), 0)
    for weights, pair in {"ema": built.ema.module, "raw": built.generator}.items():
        pair.eval()
        torch.testing.assert_close(built.overall_of(images(), weights=weights), pair.image_features(images()).overall)  # type: ignore[arg-type]
        pair.train()


def test_other_wishes_and_protocols_are_refused(tmp_path: Path) -> None:
    built = system()
    built.aim({})
    with pytest.raises(UserError, match="reference is for models that draw images"):
        built.aim({"reference": "picture.png"})
    how: Any = {"split": "val", "seed": 1, "weights": "ema", "cache_dir": tmp_path}
    assert built.measure(NoEvaluation(), data(), **how) == {}
    with pytest.raises(UserError, match="set metrics=retrieval"):
        built.measure(GenerationProtocol(EfficientNetLite0()), data(), **how)


def test_it_says_what_it_is_made_of() -> None:
    rows = system().describe()
    assert [row["encoder"] for row in rows] == ["image", "text"]
    assert sum(int(row["parameters"]) for row in rows) == system().trained_parameters
