from typing import Any

import pytest
import torch
from torch import Tensor, nn

from freqgan.losses import LSGAN, WGANGP, NonSaturating
from freqgan.systems import FrequencyGAN
from freqgan.systems.rules import Rows
from freqgan.transforms import Identity, WaveletTransform
from tests.systems.small import SIZE, TERMS, batch, ready, system

WITH_R1: Any = {"generator": {"adversarial": 1.0}, "discriminator": {"adversarial": 1.0, "r1": 5.0}}
WITH_GP: Any = {"generator": {"adversarial": 1.0}, "discriminator": {"adversarial": 1.0, "gradient_penalty": 1.0}}


def test_without_a_cascade_a_real_band_teaches_its_own_discriminator_alone() -> None:
    built = system(WaveletTransform("haar", levels=2), cascade="none")

    def gradients(outputs: dict[str, Any]) -> dict[str, Tensor]:
        built.discriminator.zero_grad()
        torch.stack(list(built.discriminator_terms({}, outputs).values())).sum().backward()
        return {
            name: torch.cat([p.grad.flatten() for p in network.parameters() if p.grad is not None])
            for name, network in built.discriminator.of.items()
        }

    fake, real = ({name: band.detach() for name, band in ready(built)[kind].items()} for kind in ("fake", "real"))
    before = gradients({"fake": fake, "real": real})
    for name in built.names:
        after = gradients({"fake": fake, "real": real | {name: real[name] + 0.5}})
        assert {other for other in before if not torch.equal(before[other], after[other])} == {name}


@pytest.mark.parametrize(("cascade", "flows"), [("none", False), ("all", True)])
def test_losses_of_finer_bands_reach_the_coarse_generators_through_the_cascade(cascade: str, flows: bool) -> None:
    built = system(cascade=cascade)
    terms = built.generator_terms({}, ready(built))
    assert list(terms) == [f"{name}/adversarial" for name in built.names]
    coarse = list(built.generator.of["LL1"].parameters())
    for name in ("HL1", "LH1", "HH1"):
        gradients = torch.autograd.grad(terms[f"{name}/adversarial"], coarse, retain_graph=True, allow_unused=True)
        assert all(g is not None and bool(g.abs().sum() > 0) for g in gradients) == flows
    # What is finer does not teach what is coarser the other way round.
    finer = list(built.generator.of["HH1"].parameters())
    gradients = torch.autograd.grad(terms["LL1/adversarial"], finer, retain_graph=True, allow_unused=True)
    assert all(g is None for g in gradients)


def test_adversarial_terms_are_the_loss_of_each_bands_logits() -> None:
    built = system(loss=LSGAN())
    outputs = ready(built)
    real, fake = built.discriminator(outputs["real"]), built.discriminator(outputs["fake"])
    generator, discriminator = built.generator_terms({}, outputs), built.discriminator_terms({}, outputs)
    for name in built.names:
        torch.testing.assert_close(generator[f"{name}/adversarial"], ((fake[name] - 1) ** 2).mean() / 2)
        expected = (((real[name] - 1) ** 2).mean() + (fake[name] ** 2).mean()) / 2
        torch.testing.assert_close(discriminator[f"{name}/adversarial"], expected)


def test_real_bands_are_at_unit_scale() -> None:
    built = system()
    built.bands.calibrate([batch()["image"]], "max")
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
    names = built.discriminator_terms({}, ready(built)).keys()
    assert set(names) == {f"{band}/{term}" for band in built.names for term in {"adversarial"} | extra}


def linear(**settings: Any) -> tuple[FrequencyGAN, dict[str, Tensor]]:
    """Discriminators that are linear in band and context, so that their gradient is their weight."""

    class Linear(nn.Module):
        def __init__(self, *, in_channels: int, image_size: tuple[int, int], context_channels: int) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.empty(in_channels + context_channels, *image_size))

        def forward(self, band: Tensor, context: Tensor | None) -> Tensor:
            seen = band if context is None else torch.cat([band, context], 1)
            return (seen * self.weight).sum((1, 2, 3))

    built = system(discriminator=Linear, **settings)
    # A band's own channels come first; what its discriminator sees beside them is not penalised.
    return built, {name: network.weight[:3] for name, network in built.discriminator.of.items()}  # type: ignore[index, misc]


def test_r1_by_hand() -> None:
    built, weights = linear(terms=WITH_R1)
    terms = built.discriminator_terms({}, ready(built))
    for name, weight in weights.items():
        torch.testing.assert_close(terms[f"{name}/r1"], weight.square().sum() / 2)


def test_gradient_penalty_by_hand() -> None:
    built, weights = linear(loss=WGANGP(gradient_penalty=7.0), terms=WITH_GP)
    terms = built.discriminator_terms({}, ready(built))
    for name, weight in weights.items():
        torch.testing.assert_close(terms[f"{name}/gradient_penalty"], 7 * (weight.square().sum().sqrt() - 1) ** 2)


def test_gradient_penalty_is_taken_between_real_and_fake() -> None:
    class Squared(nn.Module):
        def __init__(self, *, in_channels: int, image_size: tuple[int, int], context_channels: int) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(()))

        def forward(self, band: Tensor, context: Tensor | None) -> Tensor:
            return band.square().sum((1, 2, 3)) / 2  # its gradient is the point itself

    built = system(Identity(), discriminator=Squared, loss=WGANGP(gradient_penalty=1.0), terms=WITH_GP)
    outputs = {
        "real": {"image": torch.full((6, 3, SIZE, SIZE), 1.0)},
        "fake": {"image": torch.zeros(6, 3, SIZE, SIZE)},
    }
    built._rows = Rows(0, 6, 6)
    mix = built.draw("mix image", lambda g, n: torch.rand(n, generator=g))
    expected = ((mix * (3 * SIZE * SIZE) ** 0.5 - 1) ** 2).mean()
    torch.testing.assert_close(built.discriminator_terms({}, outputs)["image/gradient_penalty"], expected)


def test_penalty_points_do_not_depend_on_the_split_into_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    built = system(loss=WGANGP(), terms=WITH_GP)
    mixes: dict[str, list[Tensor]] = {}
    draw = built.draw

    def watch(purpose: str, make: Any) -> Tensor:
        mixes.setdefault(purpose, []).append(draw(purpose, make))
        return mixes[purpose][-1]

    outputs = ready(built)
    monkeypatch.setattr(built, "draw", watch)
    for rows in (Rows(0, 6, 6), Rows(0, 2, 6), Rows(2, 6, 6)):
        built._rows = rows
        part = {
            kind: {name: band.detach()[rows.first : rows.end] for name, band in outputs[kind].items()}
            for kind in ("real", "fake")
        }
        built.discriminator_terms({}, part)
    assert list(mixes) == ["mix LL1", "mix HL1", "mix LH1", "mix HH1"]
    for whole, *parts in mixes.values():
        assert torch.equal(whole, torch.cat(parts))
        assert whole.min() >= 0
        assert whole.max() <= 1
    assert not torch.equal(mixes["mix LL1"][0], mixes["mix HL1"][0])
