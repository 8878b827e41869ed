"""The segmenter on blocks of colour, without a Trainer."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from freqgan.errors import UserError
from freqgan.losses import rarity, segmentation_loss
from freqgan.metrics import NoEvaluation, RestorationProtocol, SegmentationProtocol
from freqgan.networks import SmallSegmenter
from freqgan.ops.palette import label_pictures
from freqgan.systems import SGD, Adam, Clock, Segmenter
from freqgan.systems.rules import Rows
from tests.systems.labels import CLASSES, SIZE, batch
from tests.systems.stepping import without_trainer

NETWORK = partial(SmallSegmenter, channels=8, max_channels=8, halvings=2, pyramid=8)
TERMS: Any = {"generator": {"cross_entropy": 1.0}, "discriminator": {}}


def coloured(count: int = 4, side: int = SIZE, seed: int = 0) -> dict[str, Tensor]:
    """Blocks whose brightness says their label."""
    given = batch(count, side, seed)
    return given | {"image": (given["label_map"][:, None] / CLASSES * 1.6 - 0.8).expand(-1, 3, -1, -1).clone()}


class Data:
    """Both splits are the same blocks."""

    def __init__(self, count: int = 3, side: int = SIZE) -> None:
        self.samples = coloured(count, side, seed=5)

    def evaluation_pairs(self, split: str, limit: int | None = None) -> Iterator[dict[str, Tensor]]:
        for number in range(len(self.samples["image"]))[:limit]:
            yield {name: value[number : number + 1] for name, value in self.samples.items()}

    def dataset(self, split: str) -> Any:
        return SimpleNamespace(class_names=("a", "b", "c", "d"))


def system(**given: Any) -> Segmenter:
    torch.manual_seed(0)
    settings = {
        "network": NETWORK,
        "num_classes": CLASSES,
        "image_size": SIZE,
        "examples": 3,
        "optim": SGD(lr=0.1, momentum=0.0),
        "terms": TERMS,
        "seed": 3,
        "clock": Clock(images=10**6),
    } | given
    built = Segmenter(**settings)
    built.calibrate(Data())
    built.ema.restart(built.generator)
    return without_trainer(built)


@pytest.fixture(scope="module")
def trained() -> Segmenter:
    built = system(optim=Adam(lr=0.02, betas=[0.9, 0.999]), ema_halflife=4.0)
    for step in range(60):
        built.training_step(coloured(seed=step), 0)
    return built


def terms(built: Segmenter, given: dict[str, Tensor]) -> dict[str, Tensor]:
    count = len(given["image"])
    outputs = built.forward_part((given, Rows(0, count, count)), graph=True)
    return built.generator_terms(given, outputs)


def test_the_term_is_the_cross_entropy_of_the_network() -> None:
    built, given = system(), coloured()
    expected = segmentation_loss(built.generator(given["image"]), given["label_map"])
    torch.testing.assert_close(terms(built, given), {"cross_entropy": expected})


def test_rare_classes_are_weighed_by_the_training_split() -> None:
    built, given = system(rare=1.02), coloured()
    weights = rarity([s["label_map"] for s in Data().evaluation_pairs("train")], CLASSES, least=1.02)
    torch.testing.assert_close(built.class_weights, weights)
    expected = segmentation_loss(built.generator(given["image"]), given["label_map"], weights)
    torch.testing.assert_close(terms(built, given)["cross_entropy"], expected)
    assert torch.equal(built.state_dict()["class_weights"], weights)


def test_it_learns(trained: Segmenter, tmp_path: Path) -> None:
    how: Any = {"split": "val", "seed": 1, "cache_dir": tmp_path}
    values = trained.measure(SegmentationProtocol(), Data(), weights="ema", **how)
    assert values["mean_iou"] > 0.8
    assert {name for name in values if name.startswith("iou_")} <= {f"iou_{name}" for name in "abcd"}
    assert trained.measure(SegmentationProtocol(), Data(), weights="raw", **how) != values


def test_images_of_other_sizes_are_judged_at_that_of_training(trained: Segmenter) -> None:
    large = coloured(2, 2 * SIZE)
    found = trained.segment(large["image"])
    assert found.shape == (2, 2 * SIZE, 2 * SIZE)
    reduced = F.interpolate(large["image"], (SIZE, SIZE), mode="bilinear", antialias=True)
    with trained.kept_generator("ema") as network:
        logits, own = network(reduced), network(large["image"])
    assert torch.equal(found, F.interpolate(logits, (2 * SIZE, 2 * SIZE), mode="bilinear").argmax(1))
    as_is = system(resize=False)
    as_is.load_state_dict(trained.state_dict())
    assert torch.equal(as_is.segment(large["image"]), own.argmax(1))


def test_grey_images_are_no_colours_to_it(trained: Segmenter) -> None:
    with pytest.raises(UserError, match=r"images of 3 channels, and these have 1: set data\.channels=3"):
        trained.segment(coloured()["image"][:, :1])


def test_pictures_are_image_result_and_labels(trained: Segmenter) -> None:
    pictures = trained.pictures(64, seed=1)
    examples = trained.examples.batch(0, 3)
    image, found, labels = pictures["input_result_target"].chunk(3, -1)
    torch.testing.assert_close(image, examples["image"])
    assert torch.equal(found, pictures["images"])
    assert torch.equal(found, label_pictures(trained.segment(examples["image"])))
    assert torch.equal(labels, label_pictures(examples["label_map"]))
    assert torch.equal(trained.sample(1, 3, seed=9), found[[1, 2, 0]])
    assert len(trained.sample_ids(3, seed=1)) == 3


def test_a_judge_is_its_averaged_weights(trained: Segmenter) -> None:
    judge, images = trained.judge("runs/s"), coloured()["image"]
    assert torch.equal(judge.segment(images), trained.segment(images, weights="ema"))
    assert (judge.num_classes, judge.run) == (CLASSES, "runs/s")
    assert judge.hash == trained.judge("elsewhere").hash != system().judge("runs/s").hash


def test_other_wishes_protocols_and_data_are_refused(trained: Segmenter, tmp_path: Path) -> None:
    how: Any = {"split": "val", "seed": 1, "weights": "ema", "cache_dir": tmp_path}
    assert trained.measure(NoEvaluation(), Data(), **how) == {}
    with pytest.raises(UserError, match="set metrics=segmentation"):
        trained.measure(RestorationProtocol(), Data(), **how)
    with pytest.raises(UserError, match="reference is for models that draw images: model=segmenter reads them"):
        trained.aim({"reference": "picture.png"})
    with pytest.raises(UserError, match="the data have no label maps"):
        trained.training_step({"image": coloured()["image"]}, 0)
    with pytest.raises(
        UserError, match=r"learns from label maps, and data\.num_classes=null says .*: set data\.num_classes"
    ):
        system(num_classes=None)
    with pytest.raises(UserError, match=r"model\.rare=1 must be greater than 1"):
        system(rare=1)


def test_it_begins_with_the_weights_that_its_network_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    def take(self: SmallSegmenter) -> None:
        for weight in self.parameters():
            weight.data.fill_(0.25)

    monkeypatch.setattr(SmallSegmenter, "take_pretrained", take)
    built = system()
    assert all((weight == 0.25).all() for weight in [*built.generator.parameters(), *built.ema.module.parameters()])


def test_it_says_what_it_is_made_of() -> None:
    (row,) = system().describe()
    assert row["network"] == "SmallSegmenter"
    assert row["parameters"] == system().trained_parameters
