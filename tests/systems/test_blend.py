"""Superposition with the image of another generator that trains along."""

from functools import partial
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn

from freqgan.errors import UserError
from freqgan.losses import LSGAN
from freqgan.ops.keyed_random import key
from freqgan.systems import SGD, Blend, FrequencyGAN
from freqgan.systems.base import System
from freqgan.systems.batches import split
from freqgan.systems.blend import BlendedGenerator
from freqgan.systems.rules import Batch, Outputs, Terms, Weights
from freqgan.systems.target_vectors import TargetVectors
from freqgan.transforms import Identity
from tests.systems.small import batch, changed, data, names, ready, system, two_levels, weights
from tests.systems.toy import Toy

BLEND: Any = {
    "generator": {"adversarial": 1.0, "blend": 1.0},
    "discriminator": {"adversarial": 1.0, "blend": 1.0},
}
PLAIN = partial(FrequencyGAN, transform=Identity())


def blended(generator: Any = PLAIN, *, blend: dict[str, Any] | None = None, **settings: Any) -> FrequencyGAN:
    settings = {"terms": BLEND, "noise": "independent"} | settings
    return system(blend=Blend(generator=generator, **(blend or {})), **settings)


def partner(built: FrequencyGAN) -> System:
    return built.inner[0]


def alpha(built: FrequencyGAN) -> Tensor:
    assert isinstance(built.generator, BlendedGenerator)
    return built.generator.alpha


def set_alpha(built: FrequencyGAN, *values: float) -> FrequencyGAN:
    for generator in (built.generator, built.ema.module):
        generator.alpha.data = torch.tensor(values)  # type: ignore[union-attr]
    return built


def with_classes(*classes: int) -> dict[str, Tensor]:
    return batch() | {"class": torch.tensor(classes)}


@pytest.mark.parametrize("companding", [0.0, 255.0])
@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
def test_image_and_bands_are_superposed_by_alpha(value: float, companding: float) -> None:
    built = set_alpha(blended(transform=two_levels(), companding=companding), value)
    built.calibrate(data())
    outputs = ready(built)
    own = built.generators.bands.image(built.generators(outputs["noise"]))
    other = outputs["other"]["image"]
    torch.testing.assert_close(outputs["image"], value * own + (1 - value) * other)
    assert torch.equal(outputs["image"], other) == (value == 0)
    assert torch.equal(outputs["image"], own) == (value == 1)
    torch.testing.assert_close(built.generators.bands.image(outputs["fake"]), outputs["image"], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("value", "of_other"), [(0.0, True), (-0.1, True), (1.0, False), (1.1, False)])
def test_samples_are_bit_for_bit_one_of_the_two_where_alpha_ends(value: float, of_other: bool) -> None:
    built = set_alpha(blended(), value)
    image = built.sample(0, 3, seed=4, weights="raw")
    own = built.generators(built.vectors.of_samples(0, 3, seed=4))
    other = partner(built).sample(0, 3, seed=key(4, "blend"), weights="raw")
    expected = other if of_other else built.generators.bands.image(own)
    assert torch.equal(image, expected.clamp(-1, 1))
    assert torch.equal(built.pictures(3, seed=4)["images"], image)


def test_samples_are_made_of_different_noise_as_in_training(monkeypatch: pytest.MonkeyPatch) -> None:
    seeds, draw = [], TargetVectors.of_samples

    def drawn(self: TargetVectors, first: int, count: int, *, seed: int) -> Tensor:
        seeds.append(seed)
        return draw(self, first, count, seed=seed)

    monkeypatch.setattr(TargetVectors, "of_samples", drawn)
    blended().sample(0, 2, seed=7)
    assert seeds[0] == 7
    assert len(set(seeds)) == 2


@pytest.mark.parametrize("start", [0.0, 0.5, 1.0])
def test_alpha_is_learned_and_comes_back_from_its_bounds(start: float) -> None:
    built = set_alpha(blended(), start)
    torch.stack(list(built.generator_terms(batch(), ready(built)).values())).sum().backward()
    gradient = alpha(built).grad
    assert gradient is not None
    assert float(gradient.abs().sum()) > 0
    built.zero_grad()
    log = built.training_step(batch(), 0)
    assert float(log["blend/alpha"].detach()) == start
    assert float(alpha(built).detach()) != start
    ready(set_alpha(built, 1.5 if start else -0.5))
    assert float(alpha(built).detach()) == (1.0 if start else 0.0), "a step out of bounds is projected"


@pytest.mark.parametrize("initial", [0, 1])
def test_alpha_may_begin_at_a_whole_number(initial: int) -> None:
    assert alpha(blended(blend={"initial": initial})).tolist() == [float(initial)]


def test_every_class_has_its_alpha() -> None:
    built = set_alpha(blended(blend={"alpha": "per_class", "num_classes": 3}), 0.0, 0.5, 1.0)
    outputs = built.forward_part(split(with_classes(0, 0, 1, 1, 2, 2), 1)[0], graph=True)
    own, other = built.generators.bands.image(built.generators(outputs["noise"])), outputs["other"]["image"]
    assert torch.equal(outputs["image"][:2], other[:2])
    assert torch.equal(outputs["image"][4:], own[4:])
    torch.testing.assert_close(outputs["image"][2:4], (own[2:4] + other[2:4]) / 2)
    log = built.training_step(with_classes(1, 1, 1, 1, 1, 1), 0)
    assert [float(log[f"blend/alpha_{i}"].detach()) for i in range(3)] == [0.0, 0.5, 1.0]
    moved = alpha(built).detach() != torch.tensor([0.0, 0.5, 1.0])
    assert moved.tolist() == [False, True, False], "classes that are not in the batch learn nothing"


def test_classes_of_samples_follow_from_seed_and_number_and_are_equally_likely() -> None:
    built = blended(blend={"alpha": "per_class", "num_classes": 3})
    assert isinstance(built.generator, BlendedGenerator)
    classes = built.generator.classes_of(0, 300, seed=1)
    assert classes is not None
    assert torch.equal(classes[7:9], built.generator.classes_of(7, 2, seed=1))
    assert classes.bincount().min() > 75
    torch.testing.assert_close(built.sample(2, 1, seed=1), built.sample(0, 4, seed=1)[2:3], atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (batch(), "model.blend.alpha=per_class needs samples with a class: choose data=shards"),
        (with_classes(0, 1, 2, 3, 0, 1), "model.blend.num_classes=3, but a sample has class 3"),
    ],
)
def test_samples_without_a_known_class_are_refused(given: dict[str, Tensor], problem: str) -> None:
    built = blended(blend={"alpha": "per_class", "num_classes": 3})
    with pytest.raises(UserError, match=problem):
        built.training_step(given, 0)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"alpha": "per_class"}, "set model.blend.num_classes"),
        ({"generator": Identity()}, "model.blend.generator has to be a model with _partial_: true"),
        ({"generator": partial(SGD, lr=0.1)}, "model.blend.generator builds SGD, wanted a model"),
        ({"generator": partial(system)}, "model.blend.generator builds system, wanted a model"),
    ],
)
def test_what_cannot_be_blended_is_refused(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(UserError, match=problem):
        system(blend=Blend(**({"generator": PLAIN} | settings)))


def test_nothing_is_built_where_it_is_off() -> None:
    built = system(blend=Blend(generator=None, enabled=False, alpha="per_class"))
    assert built.inner == []
    assert set(built.state_dict()) == set(system().state_dict())


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_the_other_generator_trains_by_its_own_losses(weight: float) -> None:
    terms = {player: of | {"blend": weight} for player, of in BLEND.items()}
    built = set_alpha(blended(terms=terms), 1.0)  # the discriminators of the bands say nothing to it
    other = partner(built)
    before = {name: value.clone() for name, value in other.state_dict().items()}
    assert isinstance(other, FrequencyGAN)
    built.training_step(batch(), 0)
    moved = {name.split(".")[0] for name in changed(before, other.state_dict())}
    assert moved == ({"generator", "discriminator"} if weight else set())


def test_its_losses_are_one_term_weighted_by_its_own_rules() -> None:
    own = {"generator": {"adversarial": 3.0}, "discriminator": {"adversarial": 0.5}}
    built = blended(partial(PLAIN, terms=own))
    outputs, other = ready(built), partner(built)
    for player, terms, weight in (("generator", "generator_terms", 3.0), ("discriminator", "discriminator_terms", 0.5)):
        total = getattr(other, terms)(batch(), outputs["other"])["image/adversarial"] * weight
        torch.testing.assert_close(getattr(built, terms)(batch(), outputs)["blend"], total)
        assert {name.split("/")[0] for name in getattr(built, terms)(batch(), outputs)} == {*names(built), "blend"}, (
            player
        )


def test_what_its_config_leaves_open_is_that_of_the_whole() -> None:
    built = blended(partial(PLAIN, latent_dim=5, loss=LSGAN()), every={"r1": 4})
    other = partner(built)
    assert isinstance(other, FrequencyGAN)
    assert (other.optim, other.clock, other.image_shape) == (built.optim, built.clock, built.image_shape)
    assert other.every == {"r1": 4}
    assert isinstance(other.game.loss, LSGAN)
    assert other.vectors.dim == 5
    plain = system(Identity())  # of the same small networks
    assert [p.numel() for p in other.game.judges.parameters()] == [p.numel() for p in plain.game.judges.parameters()]
    twin = ready(blended(partial(FrequencyGAN, transform=two_levels(), latent_dim=8), transform=two_levels()))
    assert not torch.equal(twin["noise"], twin["other"]["noise"]), "it draws its own"


def test_it_measures_what_it_needs() -> None:
    built = blended()
    built.calibrate(data(torch.full((2, 3, 16, 16), 0.25)))
    assert float(partner(built).generator.bands.scales) == 0.25  # type: ignore[union-attr, arg-type]


class Painter(Toy):
    """Another method: one picture for all samples, without an opponent."""

    TERMS: ClassVar[Any] = {"generator": ("pixels",), "discriminator": ()}

    def __init__(self, *, image_size: int, **_: Any) -> None:
        super().__init__(terms={"generator": {"pixels": 2.0}})
        self.generator, self.discriminator = nn.Linear(1, 3 * image_size**2, bias=False), None

    def synthesize(self, batch: Batch) -> Outputs:
        return {"image": self._picture(len(batch["image"]))}

    def generator_terms(self, batch: Batch, outputs: Outputs) -> Terms:
        return {"pixels": (outputs["image"] - batch["image"]).square().mean()}

    def sample(self, first: int, count: int, *, seed: int, weights: Weights = "ema") -> Tensor:
        return self._picture(count)

    def _picture(self, count: int) -> Tensor:
        return self.generator(torch.ones(count, 1)).view(count, 3, 16, 16)


class Framer(Toy):
    """A method whose samples are made of what it has seen of the data, too."""

    def __init__(self, **_: Any) -> None:
        super().__init__()
        self.seen = nn.BatchNorm2d(3, affine=False)

    def calibrate(self, data: Any) -> None:
        self.seen.running_mean = next(iter(data.evaluation_images("train"))).mean((0, 2, 3))

    def sample(self, first: int, count: int, *, seed: int, weights: Weights = "ema") -> Tensor:
        assert self.seen.running_mean is not None
        return self.seen.running_mean.view(1, 3, 1, 1).expand(count, 3, 16, 16)


def test_what_the_other_method_has_seen_is_in_checkpoints() -> None:
    built, other = (set_alpha(blended(partial(Framer)), 0.0) for _ in range(2))
    built.calibrate(data(torch.full((2, 3, 16, 16), 0.25)))
    checkpoint: dict[str, Any] = {"state_dict": built.state_dict()}
    built.on_save_checkpoint(checkpoint)
    other.on_load_checkpoint(checkpoint)
    other.load_state_dict(checkpoint["state_dict"])
    torch.testing.assert_close(other.sample(0, 1, seed=0), torch.full((1, 3, 16, 16), 0.25))
    exported = built.get_submodule(*built.FOR_USE).state_dict()
    assert torch.equal(exported["seen.running_mean"], torch.full((3,), 0.25))


def test_another_method_without_a_discriminator_takes_part() -> None:
    built = set_alpha(blended(partial(Painter)), 0.0)
    before = built.generator.other.weight.detach().clone()  # type: ignore[union-attr]
    error = (before.view(3, 16, 16) - batch()["image"]).square().mean()
    log = built.training_step(batch(), 0)
    torch.testing.assert_close(log["generator/blend"], 2 * error)
    assert "discriminator/blend" not in log
    assert not torch.equal(built.generator.other.weight, before)  # type: ignore[union-attr]
    assert built.sample(0, 2, seed=0).shape == (2, 3, 16, 16)


def test_averages_checkpoints_and_continued_steps_hold_both() -> None:
    stale = partial(FrequencyGAN, transform=two_levels(), cascade_iteration="step")
    built, other = (set_alpha(blended(stale), 0.0) for _ in range(2))  # samples are the other generator's
    for step in range(2):
        built.training_step(batch(), step)
    assert not torch.equal(built.sample(0, 1, seed=0), built.sample(0, 1, seed=0, weights="raw"))
    checkpoint: dict[str, Any] = {"state_dict": built.state_dict()}
    built.on_save_checkpoint(checkpoint)
    other.on_load_checkpoint(checkpoint)
    other.load_state_dict(checkpoint["state_dict"])
    assert torch.equal(other.sample(0, 2, seed=0), built.sample(0, 2, seed=0))
    for system_ in (built, other):
        system_.training_step(batch(), 2)
    assert changed(built.state_dict(), other.state_dict()) == set()
    assert changed(weights(system(), "generator"), weights(built, "generator")) == set(names(built))
