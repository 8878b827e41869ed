from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from freqgan.errors import UserError
from freqgan.losses import LSGAN, WGANGP, FocalFrequencyLoss, NonSaturating
from freqgan.networks import DCGANDiscriminator
from freqgan.ops.noise import uniform_rows
from freqgan.systems import FrequencyGAN
from freqgan.systems.batches import detached
from freqgan.systems.rules import Rows
from freqgan.transforms import Identity, WaveletTransform
from tests.systems.small import (
    SIZE,
    TERMS,
    batch,
    changed,
    data,
    gradients,
    names,
    ready,
    system,
    two_levels,
    weights,
)

WITH_R1: Any = {"generator": {"adversarial": 1.0}, "discriminator": {"adversarial": 1.0, "r1": 5.0}}
WITH_GP: Any = {"generator": {"adversarial": 1.0}, "discriminator": {"adversarial": 1.0, "gradient_penalty": 1.0}}


def logits(built: FrequencyGAN, outputs: dict[str, Any], side: str) -> dict[str, Tensor]:
    return built.game.logits(outputs, side, ())


@pytest.mark.parametrize("side", ["real", "fake"])
def test_without_a_cascade_a_band_teaches_its_own_discriminator_alone(side: str) -> None:
    built = system(two_levels(), cascade="none")
    outputs = detached(ready(built))

    def taught(bands: dict[str, Tensor]) -> dict[str, Tensor]:
        built.game.judges.zero_grad()
        moved = outputs | {side: bands} | ({"seen": bands} if side == "fake" else {})
        torch.stack(list(built.discriminator_terms({}, moved).values())).sum().backward()
        return {name: gradient.clone() for name, gradient in gradients(built, "discriminator").items()}

    before = taught(outputs[side])
    for name in names(built):
        assert changed(before, taught(outputs[side] | {name: outputs[side][name] + 0.5})) == {name}


def test_without_a_cascade_noise_of_a_band_teaches_its_own_gan_alone() -> None:
    built = system(cascade="none")

    def taught(noise: Tensor) -> dict[str, Tensor]:
        built.vectors.draw = lambda generator, samples: noise  # type: ignore[method-assign]
        found: dict[str, Tensor] = {}
        for player, terms in (("generator", built.generator_terms), ("discriminator", built.discriminator_terms)):
            built.zero_grad()
            torch.stack(list(terms({}, ready(built)).values())).sum().backward()
            found |= {f"{player} {name}": g.clone() for name, g in gradients(built, player).items()}  # type: ignore[arg-type]
        return found

    noise = torch.randn(6, 4, 8, generator=torch.Generator().manual_seed(0))
    before = taught(noise)
    for i, name in enumerate(names(built)):
        moved = noise.clone()
        moved[:, i] += 0.5
        assert changed(before, taught(moved)) == {f"generator {name}", f"discriminator {name}"}


@pytest.mark.parametrize(("cascade", "flows"), [("none", False), ("all", True)])
def test_losses_of_finer_bands_reach_the_coarse_generators_through_the_cascade(cascade: str, flows: bool) -> None:
    built = system(cascade=cascade)
    terms = built.generator_terms({}, ready(built))
    assert list(terms) == [f"{name}/adversarial" for name in names(built)]
    for name in ("LL1", "HL1", "LH1", "HH1"):
        built.zero_grad()
        terms[f"{name}/adversarial"].backward(retain_graph=True)
        taught = {other for other, g in gradients(built, "generator").items() if g.abs().sum() > 0}
        # What is finer does not teach what is coarser the other way round.
        assert taught == (set(names(built)[: names(built).index(name) + 1]) if flows else {name})


def test_adversarial_terms_are_the_loss_of_each_bands_logits() -> None:
    built = system(loss=LSGAN())
    outputs = ready(built)
    real, fake = logits(built, outputs, "real"), logits(built, outputs, "fake")
    generator, discriminator = built.generator_terms({}, outputs), built.discriminator_terms({}, outputs)
    for name in names(built):
        torch.testing.assert_close(generator[f"{name}/adversarial"], ((fake[name] - 1) ** 2).mean() / 2)
        expected = (((real[name] - 1) ** 2).mean() + (fake[name] ** 2).mean()) / 2
        torch.testing.assert_close(discriminator[f"{name}/adversarial"], expected)


def test_a_discriminator_of_the_whole_image_plays_beside_those_of_the_bands() -> None:
    whole = partial(DCGANDiscriminator, channels=4, norm="none")
    built = system(image_discriminator=whole, loss=LSGAN(), terms=WITH_R1)
    outputs = ready(built)
    judge = built.game.judges.of_image
    assert judge is not None
    real, fake = judge(batch()["image"])[:, 0], judge(outputs["image"])[:, 0]
    generator, discriminator = built.generator_terms({}, outputs), built.discriminator_terms({}, outputs)
    torch.testing.assert_close(generator["whole/adversarial"], ((fake - 1) ** 2).mean() / 2)
    torch.testing.assert_close(discriminator["whole/adversarial"], (((real - 1) ** 2).mean() + (fake**2).mean()) / 2)
    assert discriminator["whole/r1"] > 0
    generator["whole/adversarial"].backward()
    assert all(gradient.abs().sum() > 0 for gradient in gradients(built, "generator").values())
    before = weights(built, "discriminator")
    built.training_step(batch(), 0)
    assert "whole" in changed(before, weights(built, "discriminator"))


def test_the_whole_image_may_be_judged_alone() -> None:
    whole = partial(DCGANDiscriminator, channels=4, norm="none")
    built = system(discriminator=None, image_discriminator=whole, loss=LSGAN(), terms=WITH_R1)
    outputs = ready(built)
    judge = built.game.judges.of_image
    assert judge is not None
    assert sum(p.numel() for p in judge.parameters()) == sum(p.numel() for p in built.game.judges.parameters())
    generator, discriminator = built.generator_terms({}, outputs), built.discriminator_terms({}, outputs)
    assert (generator.keys(), discriminator.keys()) == ({"whole/adversarial"}, {"whole/adversarial", "whole/r1"})
    fake = judge(outputs["image"])[:, 0]
    torch.testing.assert_close(generator["whole/adversarial"], ((fake - 1) ** 2).mean() / 2)
    generator["whole/adversarial"].backward()
    assert all(gradient.abs().sum() > 0 for gradient in gradients(built, "generator").values())
    assert [row["discriminator"] for row in built.describe()][:-1] == [0] * len(names(built))


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"image_discriminator": None}, "nobody judges: set model.image_discriminator"),
        ({"training_order": "low_first"}, "model.training_order=low_first needs model.discriminator"),
    ],
)
def test_somebody_judges_in_every_phase(settings: dict[str, Any], line: str) -> None:
    whole = {"image_discriminator": partial(DCGANDiscriminator, channels=4, norm="none")}
    with pytest.raises(UserError, match=line):
        system(**({"discriminator": None} | whole | settings))


def test_focal_frequency_loss_of_the_whole_image_is_a_term() -> None:
    loss = FocalFrequencyLoss(average_spectrum="magnitude")
    terms: Any = {"generator": {"adversarial": 1.0, "focal_frequency": 2.0}, "discriminator": {"adversarial": 1.0}}
    built = system(terms=terms, focal_frequency=loss)
    outputs = ready(built)
    term = built.generator_terms(batch(), outputs)["focal_frequency"]
    torch.testing.assert_close(term, loss(outputs["image"], batch()["image"]))
    term.backward()
    assert all(gradient.abs().sum() > 0 for gradient in gradients(built, "generator").values())
    assert "focal_frequency" not in system(focal_frequency=loss).generator_terms(batch(), outputs)


def test_a_term_of_weight_0_is_not_computed() -> None:
    terms: Any = {"generator": {"adversarial": 0.0, "focal_frequency": 2.0}, "discriminator": {"adversarial": 1.0}}
    built = system(terms=terms, focal_frequency=FocalFrequencyLoss())
    assert set(built.generator_terms(batch(), ready(built))) == {"focal_frequency"}


def test_a_lazy_adversarial_term_is_computed_when_it_is_due() -> None:
    built = system(every={"adversarial": 2})
    found = [{name for name in built.training_step(batch(), 0) if "adversarial" in name} for _ in range(4)]
    assert (
        found[0] == found[2] == {f"{p}/{n}/adversarial" for p in ("generator", "discriminator") for n in names(built)}
    )
    assert found[1] == found[3] == set()


@pytest.mark.parametrize(
    ("frozen", "settings"),
    [("generator.stacks.0", {}), ("discriminator.networks.0", {"cascade_real": {"start": 1.0, "end": 1.0}})],
)
def test_what_a_phase_freezes_takes_no_statistics(frozen: str, settings: dict[str, Any]) -> None:
    built = system(norm="batch", phases=[{"frozen": [frozen]}], **settings)
    player, _, rest = frozen.partition(".")
    part = built.players()[player].get_submodule(rest)  # type: ignore[index]
    built.begin_phases()
    state = {name: value.clone() for name, value in part.state_dict().items()}
    for _ in range(2):
        built.training_step(batch(), 0)
        assert not any(module.training for module in part.modules())
    assert all(torch.equal(value, state[name]) for name, value in part.state_dict().items())


def test_real_bands_are_at_unit_scale() -> None:
    built = system()
    built.calibrate(data())
    real = ready(built)["real"]
    bands = WaveletTransform("haar")(batch()["image"])
    for name, band in real.items():
        torch.testing.assert_close(band, bands[name] / bands[name].abs().max())


@pytest.mark.parametrize(
    ("terms", "loss", "steps", "extra"),
    [
        (TERMS, NonSaturating(), 0, set()),
        (TERMS, WGANGP(), 0, set()),
        (WITH_GP, NonSaturating(), 0, set()),  # a loss without such a penalty
        (WITH_GP, WGANGP(), 1, {"gradient_penalty"}),
        (WITH_R1, NonSaturating(), 0, {"r1"}),
        (WITH_R1, NonSaturating(), 1, set()),  # it is lazy
        (WITH_R1, NonSaturating(), 4, {"r1"}),
    ],
)
def test_penalties_appear_where_they_are_wanted(terms: Any, loss: Any, steps: int, extra: set[str]) -> None:
    built = system(terms=terms, loss=loss, every={"r1": 4})
    built.clock.steps = steps
    found = built.discriminator_terms({}, ready(built)).keys()
    assert found == {f"{band}/{term}" for band in names(built) for term in {"adversarial"} | extra}


class Linear(nn.Module):
    """Discriminators side by side that are linear in band and context, so that their gradient is their weight."""

    def __init__(self, *, in_channels: list[int], image_size: tuple[int, int], condition_dim: int) -> None:
        super().__init__()
        self.of = nn.ParameterList(torch.empty(channels, *image_size) for channels in in_channels)

    def forward(self, *images: Tensor) -> Tensor:
        return torch.stack([(x * w).sum((1, 2, 3)) for x, w in zip(images, self.of, strict=True)], 1)


def linear(**settings: Any) -> tuple[FrequencyGAN, dict[str, Tensor]]:
    """A system of linear discriminators, and the weights of each for its own band."""
    built = system(discriminator=Linear, **settings)
    judges = built.game.judges
    pairs = [
        pair
        for network, members in zip(judges.networks, judges.members, strict=True)
        for pair in zip(members, network.of, strict=True)  # type: ignore[arg-type]
    ]
    # A band's own channels come first; what its discriminator sees beside them is not penalised.
    return built, {name: weight[:3] for name, weight in pairs}


def test_r1_by_hand() -> None:
    built, weights = linear(terms=WITH_R1)
    terms = built.discriminator_terms({}, ready(built))
    for name, weight in weights.items():
        torch.testing.assert_close(terms[f"{name}/r1"], weight.square().sum() / 2)


def test_r1_grows_with_the_pixels_of_a_band_and_falls_with_the_batch() -> None:
    built, weights_by_band = linear(transform=two_levels(), terms=WITH_R1, r1_scaling="size")
    terms = built.discriminator_terms({}, ready(built))
    for name, weight in weights_by_band.items():
        gamma = 0.0002 * weight[0].numel() / 6
        torch.testing.assert_close(terms[f"{name}/r1"], gamma * weight.square().sum() / 2)
    assert {weight[0].numel() for weight in weights_by_band.values()} == {16, 64}


def test_gradient_penalty_by_hand() -> None:
    built, weights = linear(loss=WGANGP(gradient_penalty=7.0), terms=WITH_GP)
    terms = built.discriminator_terms({}, ready(built))
    for name, weight in weights.items():
        torch.testing.assert_close(terms[f"{name}/gradient_penalty"], 7 * (weight.square().sum().sqrt() - 1) ** 2)


def test_gradient_penalty_is_taken_between_real_and_fake() -> None:
    class Squared(nn.Module):
        def __init__(self, **_: Any) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(()))

        def forward(self, band: Tensor) -> Tensor:
            return band.square().sum((1, 2, 3))[:, None] / 2  # its gradient is the point itself

    built = system(Identity(), discriminator=Squared, loss=WGANGP(gradient_penalty=1.0), terms=WITH_GP)
    real, fake = ({"image": torch.full((6, 3, SIZE, SIZE), value)} for value in (1.0, 0.0))
    outputs = detached(ready(built)) | {"real": real, "fake": fake, "seen": fake}
    mix = built.draw("mix image", uniform_rows)
    expected = ((mix * (3 * SIZE * SIZE) ** 0.5 - 1) ** 2).mean()
    torch.testing.assert_close(built.discriminator_terms({}, outputs)["image/gradient_penalty"], expected)


def test_penalty_points_do_not_depend_on_the_split_into_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    built = system(loss=WGANGP(), terms=WITH_GP)
    mixes: dict[str, list[Tensor]] = {}
    draw = built.draw

    def watch(purpose: str, make: Any) -> Tensor:
        mixes.setdefault(purpose, []).append(draw(purpose, make))
        return mixes[purpose][-1]

    outputs = detached(ready(built))
    monkeypatch.setattr(built, "draw", watch)
    for rows in (Rows(0, 6, 6), Rows(0, 2, 6), Rows(2, 6, 6)):
        built.rows = rows
        kinds = ("real", "fake", "seen")
        part = {kind: {name: band[rows.first : rows.end] for name, band in outputs[kind].items()} for kind in kinds}
        built.discriminator_terms({}, outputs | part)
    assert list(mixes) == ["mix LL1", "mix HL1", "mix LH1", "mix HH1"]
    for whole, *parts in mixes.values():
        assert torch.equal(whole, torch.cat(parts))
        assert whole.min() >= 0
        assert whole.max() <= 1
    assert not torch.equal(mixes["mix LL1"][0], mixes["mix HL1"][0])
