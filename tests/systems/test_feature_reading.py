"""The readings of a pre-trained network's features, with a stand-in for the network."""

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.error import URLError

import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from freqgan.data.single_image import read_image
from freqgan.errors import UserError
from freqgan.features import FeatureNetwork
from freqgan.features.vgg19 import released_file
from freqgan.losses import FeatureStatistics
from freqgan.networks.band_generators import REFERENCES
from freqgan.systems import FeatureReading, FrequencyGAN
from freqgan.systems.batches import detached
from freqgan.systems.rules import Rows
from tests.forked import train
from tests.systems.small import SIZE, batch, data, gradients, names, ready, system

TERMS: Any = {"generator": {"adversarial": 1.0, "feature_statistics": 2.0}, "discriminator": {"adversarial": 1.0}}


class StandIn(FeatureNetwork):
    """A convolution and an average, with weights made up."""

    name, dim, layers = "stand_in", 6, ("conv", "pool")

    def read_weights(self) -> dict[str, Tensor]:
        return {"weight": torch.randn(6, 3, 3, 3, generator=torch.Generator().manual_seed(0)), "bias": torch.zeros(6)}

    def build(self, weights: Mapping[str, Tensor]) -> nn.Sequential:
        network = nn.Sequential()
        network.add_module("conv", nn.Conv2d(3, 6, 3, device="meta"))
        network.load_state_dict({f"conv.{name}": w for name, w in weights.items()}, assign=True)
        network.add_module("pool", nn.Sequential(nn.Tanh(), nn.AdaptiveAvgPool2d(1), nn.Flatten()))
        return network

    def prepare(self, images: Tensor) -> Tensor:
        return images


class Absent(StandIn):
    """Its weights cannot be had."""

    def read_weights(self) -> dict[str, Tensor]:
        raise UserError("no weights")


def reading(use: Any, **settings: Any) -> FrequencyGAN:
    built = system(features=FeatureReading(StandIn(), use=use, condition_dim=4), terms=TERMS, **settings)
    built.calibrate(data())
    return built


def taught(built: FrequencyGAN) -> set[str]:
    return {name for name, gradient in gradients(built, "generator").items() if gradient.abs().sum() > 0}


@pytest.mark.parametrize(
    ("use", "generator_dim", "discriminator_dim"),
    [("none", 0, 0), ("feature_loss", 0, 0), ("condition", 6, 6), ("discriminator_input", 0, 6)],
)
def test_who_receives_a_feature_vector(use: Any, generator_dim: int, discriminator_dim: int) -> None:
    built = reading(use)
    assert (built.features.generator_dim, built.features.discriminator_dim) == (generator_dim, discriminator_dim)
    assert (built.generators.condition is not None) == bool(generator_dim)
    assert (built.game.judges.condition is not None) == bool(discriminator_dim)
    log = built.training_step(batch(), 0)
    assert ("generator/feature_statistics" in log) == (use == "feature_loss")
    assert built.sample(0, 2, seed=0).shape == (2, 3, SIZE, SIZE)
    assert not any("network" in name and "features" in name for name in built.state_dict())


def test_where_there_is_no_reading_the_network_is_not_even_loaded() -> None:
    built = system(features=FeatureReading(Absent(), use="none"))
    built.calibrate(data())
    built.training_step(batch(), 0)
    built.sample(0, 1, seed=0)
    for use in ("feature_loss", "condition", "discriminator_input"):
        reads = system(features=FeatureReading(Absent(), use=use), terms=TERMS)  # type: ignore[arg-type]
        with pytest.raises(UserError, match="no weights"):
            reads.training_step(batch(), 0)


def test_a_reading_needs_a_network() -> None:
    with pytest.raises(UserError, match="use=condition needs a network: set model/features=efficientnet_lite0"):
        FeatureReading(use="condition")
    assert FeatureReading().use == "none"


def test_the_feature_loss_teaches_the_generators_of_all_bands() -> None:
    built = system(features=FeatureReading(StandIn(), use="feature_loss", layers=["conv"]), terms=TERMS)
    outputs = ready(built)
    term = built.generator_terms(batch(), outputs)["feature_statistics"]
    torch.testing.assert_close(term, FeatureStatistics(StandIn(), layers=["conv"])(outputs["image"], batch()["image"]))
    term.backward()
    assert taught(built) == set(names(built))
    unweighted = system(features=FeatureReading(StandIn(), use="feature_loss"))
    assert "feature_statistics" not in unweighted.generator_terms(batch(), ready(unweighted))


def test_conditioned_generators_and_discriminators_depend_on_a_real_images_features() -> None:
    built = reading("condition")
    outputs = ready(built)
    features = StandIn()(batch()["image"])
    torch.testing.assert_close(outputs["real_features"], features)
    assert outputs["fake_features"] is outputs["real_features"], "what was wanted is what is judged"
    moved = built.generators(outputs["noise"], features=features.roll(1, 0))
    assert all(not torch.equal(moved[name], outputs["fake"][name]) for name in moved)
    torch.stack(list(built.generator_terms(batch(), outputs).values())).sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in built.generators.condition.project.parameters())  # type: ignore[union-attr]


@pytest.mark.parametrize("use", ["condition", "discriminator_input"])
def test_discriminators_judge_with_features(use: Any) -> None:
    built = reading(use)
    outputs = detached(ready(built))
    for side in ("real", "fake"):
        before = built.game.logits(outputs, side, ())
        moved = outputs | {f"{side}_features": outputs[f"{side}_features"].roll(1, 0)}
        after = built.game.logits(moved, side, ())
        assert all(not torch.equal(before[name], after[name]) for name in before)


def test_features_that_discriminators_receive_teach_the_generators_too() -> None:
    built = reading("discriminator_input")
    outputs = ready(built)
    torch.testing.assert_close(outputs["fake_features"], StandIn()(outputs["image"]))
    cut = outputs | {side: detached(outputs[side]) for side in ("fake", "seen")}
    built.generator_terms(batch(), cut)["LL1/adversarial"].backward()
    assert taught(built) == set(names(built))


def test_features_of_real_images_are_kept_for_samples() -> None:
    built = reading("condition")
    references = built.generators.references
    assert references.shape == (REFERENCES, 6)
    torch.testing.assert_close(references[6:12], StandIn()(batch()["image"]))  # round and round
    assert torch.equal(built.state_dict()["generator.references"], references)
    chosen = built.generators.features_of(0, 40, seed=1)
    assert chosen is not None
    assert torch.equal(chosen[7:9], built.generators.features_of(7, 2, seed=1))
    assert len(chosen.unique(dim=0)) > 1
    assert all((row == references).all(1).any() for row in chosen)
    torch.testing.assert_close(built.sample(7, 1, seed=1), built.sample(0, 8, seed=1)[7:], atol=1e-6, rtol=0)


def test_references_are_drawn_from_the_whole_split() -> None:
    asked: list[Any] = []

    def evaluation_images(split: str, *, limit: int) -> list[Tensor]:
        asked.append((split, limit))
        return [torch.full((100, 3, 8, 8), number / 10) for number in range(3)]

    data = SimpleNamespace(evaluation_images=evaluation_images)
    found = FeatureReading(StandIn(), use="condition").references(data)
    assert (len(found), asked) == (REFERENCES, [("train", REFERENCES)])
    torch.testing.assert_close(found[250], StandIn()(torch.full((1, 3, 8, 8), 0.2))[0])


def test_samples_with_the_features_of_a_file(tmp_path: Path) -> None:
    built = reading("condition")
    pixels = ((batch()["image"][0].permute(1, 2, 0) + 1) * 127.5).byte().numpy()
    Image.fromarray(pixels).save(tmp_path / "wanted.png")
    built.aim({"reference": str(tmp_path / "wanted.png")})
    wanted = StandIn()(read_image(tmp_path / "wanted.png", image_size=SIZE, channels=3))
    made = built.generators(built.vectors.of_samples(0, 3, seed=1), features=wanted.expand(3, -1))
    assert torch.equal(built.sample(0, 3, seed=1, weights="raw"), built.generators.bands.image(made).clamp(-1, 1))
    for use in ("none", "feature_loss", "discriminator_input"):
        with pytest.raises(UserError, match=r"reference needs a run .* model.features.use=condition"):
            reading(use).aim({"reference": str(tmp_path / "wanted.png")})
    with pytest.raises(UserError, match=r"nowhere\.png"):
        built.aim({"reference": str(tmp_path / "nowhere.png")})


def test_features_of_a_step_do_not_depend_on_the_split_into_processes() -> None:
    built = reading("condition")
    whole = ready(built)["fake"]["HH1"].detach()
    parts = []
    for rows in (Rows(0, 2, 6), Rows(2, 6, 6)):
        part = {"image": batch()["image"][rows.first : rows.end]}
        parts.append(built.forward_part((part, rows), graph=False)["fake"]["HH1"])
    torch.testing.assert_close(torch.cat(parts), whole)


@pytest.mark.parametrize("use", ["feature_loss", "condition"])
def test_weights_that_cannot_be_had_are_one_line_with_both_ways_out(use: str, tmp_path: Path) -> None:
    def no_network() -> None:
        def download(*_: Any, **__: Any) -> None:
            raise URLError("no route to host")

        torch.hub.set_dir(str(tmp_path / "hub"))
        torch.hub.download_url_to_file = download  # type: ignore[assignment]

    status, output = train(tmp_path, f"model.features.use={use}", "budget.images=8", before=no_network)
    assert status == 2, output
    line = next(line for line in output.splitlines() if line.startswith("freqgan: "))
    assert f"put a copy of {released_file().url} there, or choose efficientnet_lite0" in line
    assert "Traceback" not in output
