from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from freqgan.losses import LSGAN, WGANGP, Hinge, RelativisticAverage, feature_matching
from freqgan.networks import MultiScaleDiscriminator
from freqgan.systems.multi_scale_game import MultiScaleGame


def game(loss: Any = None, *, scales: int = 3, layers: Any = "but_last", channels: int = 3) -> MultiScaleGame:
    torch.manual_seed(0)
    judges = MultiScaleDiscriminator(in_channels=channels, channels=4, max_channels=8, layers=2, scales=scales)
    for weight in judges.parameters():
        weight.data.mul_(10)
    return MultiScaleGame(judges, loss or LSGAN(), layers=layers)


def images(seed: int) -> Tensor:
    return torch.rand(2, 3, 16, 24, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def wants(*terms: str) -> Callable[[str], bool]:
    return lambda term: term in terms


def mix() -> Tensor:
    return torch.tensor([0.25, 0.75])


@pytest.mark.parametrize("loss", [LSGAN(), Hinge(), RelativisticAverage()], ids=lambda loss: type(loss).__name__)
def test_each_scale_plays_its_own_game(loss: Any) -> None:
    of, real, fake = game(loss), images(0), images(1)
    logits = [(r[-1], f[-1]) for r, f in zip(of.judges(real), of.judges(fake), strict=True)]
    terms = of.generator_terms(real, fake, wants=wants("adversarial"))
    assert [*terms] == ["scale1/adversarial", "scale2/adversarial", "scale4/adversarial"]
    for value, (r, f) in zip(terms.values(), logits, strict=True):
        torch.testing.assert_close(value, loss.generator(f, r if loss.relative else None))
    judged, notes = of.discriminator_terms(real, fake, wants=wants("adversarial"), mix=mix)
    for value, (r, f) in zip(judged.values(), logits, strict=True):
        torch.testing.assert_close(value, loss.discriminator(r, f))
    assert [*notes] == [f"discriminator/scale{n}/accuracy" for n in (1, 2, 4)]


@pytest.mark.parametrize("layers", ["but_last", "all"])
def test_features_are_matched_at_all_scales(layers: Any) -> None:
    of, real, fake = game(layers=layers), images(0), images(1)
    terms = of.generator_terms(real, fake, wants=wants("feature_matching"))
    assert [*terms] == ["feature_matching"]
    expected = feature_matching(of.judges(fake), of.judges(real), layers=layers)
    torch.testing.assert_close(terms["feature_matching"], expected)


@pytest.mark.parametrize(
    ("terms", "loss", "looks"),
    [
        ((), LSGAN(), 0),
        (("adversarial",), LSGAN(), 1),
        (("adversarial", "feature_matching"), LSGAN(), 2),
        (("adversarial",), RelativisticAverage(), 2),
    ],
)
def test_nothing_is_judged_that_no_term_asks_for(terms: Any, loss: Any, looks: int) -> None:
    of, seen = game(loss), list[Tensor]()
    of.judges.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    of.generator_terms(images(0), images(1), wants=wants(*terms))
    assert len(seen) == looks


def test_penalties_are_of_each_scale_by_itself() -> None:
    of, real, fake = game(WGANGP(gradient_penalty=10.0), scales=2), images(0), images(1)
    terms, _ = of.discriminator_terms(real, fake, wants=wants("r1", "gradient_penalty"), mix=mix)
    assert {*terms} == {f"scale{n}/{term}" for n in (1, 2) for term in ("r1", "gradient_penalty")}
    halved = of.judges.inputs(real)[1].requires_grad_()
    (gradient,) = torch.autograd.grad(of.judges.scales[1](halved)[-1].flatten(1).mean(1).sum(), halved)
    torch.testing.assert_close(terms["scale2/r1"], gradient.flatten(1).square().sum(1).mean() / 2)


def test_penalties_are_on_the_gradient_of_the_image_and_not_of_what_it_is_made_of() -> None:
    of, given, real, fake = game(WGANGP(gradient_penalty=10.0), scales=2, channels=5), *map(images, (2, 0, 1))
    terms, _ = of.discriminator_terms(real, fake, given=given[:, :2], wants=wants("r1", "gradient_penalty"), mix=mix)
    for name, place in {"r1": real, "gradient_penalty": mix()[:, None, None, None] * (real - fake) + fake}.items():
        leaf = of.judges.inputs(torch.cat((given[:, :2], place), 1))[1].requires_grad_()
        (gradient,) = torch.autograd.grad(of.judges.scales[1](leaf)[-1].flatten(1).mean(1).sum(), leaf)
        length = gradient[:, 2:].flatten(1).norm(dim=1)
        expected = length.square().mean() / 2 if name == "r1" else 10 * (length - 1).square().mean()
        torch.testing.assert_close(terms[f"scale2/{name}"], expected)
