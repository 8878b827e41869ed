"""Every setting of the design changes what it is there for; those of training have files of their own."""

from typing import Any

import pytest
import torch
from torch import nn

from freqgan.errors import UserError
from freqgan.networks import DCGANDiscriminator, DCGANGenerator
from freqgan.ops.keyed_random import torch_generator
from freqgan.systems import FrequencyGAN
from freqgan.systems.band_design import DEFAULTS, Design, rules_of
from freqgan.systems.rules import Rules
from freqgan.transforms import Fourier, Identity, Transform, WaveletTransform
from tests.systems.small import SIZE, batch, data, gradients, names, ready, system, two_levels


def sees(built: FrequencyGAN) -> dict[str, str]:
    return {str(row["band"]): str(row["sees"]) for row in built.describe()}


def test_every_key_has_a_default_and_rules_are_the_rest() -> None:
    own = Design.__annotations__.keys() - Rules.__annotations__.keys()
    assert own == DEFAULTS.keys()
    assert rules_of({"seed": 4, "passes": 2, "terms": {}}) == {"seed": 4, "terms": {}}


def test_identity_is_one_plain_dcgan() -> None:
    built = system(Identity(), image_size=64, latent_dim=100)
    plain: list[nn.Module] = [
        DCGANGenerator(latent_dim=100, out_channels=3, image_size=(64, 64), channels=4, max_channels=8, norm="none"),
        DCGANDiscriminator(in_channels=3, image_size=(64, 64), channels=4, max_channels=8, norm="none"),
    ]
    judges = built.game.judges
    for ours, theirs in zip((built.generators.stacks[0].network, judges.networks[0]), plain, strict=True):
        theirs.load_state_dict(ours.state_dict())
    generator, discriminator = plain
    frame = torch.cat([built.vectors.draw(torch_generator(0, "sample", number), 1) for number in range(2)])
    image = generator(frame[:, 0])
    assert torch.equal(built.generators(frame)["image"], image)
    assert torch.equal(built.sample(0, 2, seed=0, weights="raw"), image)
    logits = judges(judges.inputs_of({"image": image}), judges.contexts_of({"image": image}))
    assert torch.equal(logits["image"], discriminator(image)[:, 0])


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, {"LL1": "noise alone", "HL1": "LL1", "LH1": "LL1 HL1", "HH1": "LL1 HL1 LH1"}),
        ({"cascade": "none"}, dict.fromkeys(["LL1", "HL1", "LH1", "HH1"], "noise alone")),
        ({"cascade": "previous"}, {"LL1": "noise alone", "HL1": "LL1", "LH1": "HL1", "HH1": "LH1"}),
        (
            {"cascade": {"HH1": ["LL1"]}},
            {"LL1": "noise alone", "HL1": "noise alone", "LH1": "noise alone", "HH1": "LL1"},
        ),
        (
            {"cascade_iteration": "step"},
            {"LL1": "HL1 LH1 HH1", "HL1": "LL1 LH1 HH1", "LH1": "LL1 HL1 HH1", "HH1": "LL1 HL1 LH1"},
        ),
        ({"passes": 2, "cascade": "previous"}, {"LL1": "HH1", "HL1": "LL1", "LH1": "HL1", "HH1": "LH1"}),
        ({"gans": "all"}, {"LL1+HL1+LH1+HH1": "noise alone"}),
        ({"gans": "level"}, {"LL1": "noise alone", "HL1+LH1+HH1": "LL1"}),
        ({"gans": [["HL1", "HH1"], ["LL1", "LH1"]]}, {"LL1+LH1": "noise alone", "HL1+HH1": "LL1 LH1"}),
        ({"gans": {"1": {"high": 1}}}, {"LL1": "noise alone", "HL1+LH1+HH1": "LL1"}),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, dict) else None,
)
def test_who_makes_and_sees_what(settings: dict[str, Any], expected: dict[str, str]) -> None:
    assert sees(system(**settings)) == expected


@pytest.mark.parametrize(("scope", "expected"), [("level", "LL1"), ("global", "LL2 HL2 LH2 HH2 LL1")])
def test_a_cascade_of_all_levels_sees_coarser_levels_too(scope: str, expected: str) -> None:
    assert sees(system(two_levels(), cascade_scope=scope))["HL1"] == expected


def test_three_levels_with_every_low_band_are_twelve_generators_and_the_image_teaches_every_low_one() -> None:
    haar = WaveletTransform("haar", levels=3)
    every, coarsest = (system(haar, image_size=32, latent_dim=12, low_bands=low) for low in ("every", "coarsest"))
    lows = [name for name in names(every) if name.startswith("LL")]
    assert (len(names(every)), lows) == (12, ["LL3", "LL2", "LL1"])
    assert (len(names(coarsest)), [name for name in names(coarsest) if name in lows]) == (10, ["LL3"])
    noise = torch.randn(2, 12, 12, generator=torch.Generator().manual_seed(0))
    every.generators.bands.image(every.generators(noise)).square().sum().backward()
    assert all(gradient.abs().sum() > 0 for gradient in gradients(every, "generator").values())
    # The blend of a low band's own generator and of what is coarser is learned.
    assert all(share.grad is not None and share.grad.abs().sum() > 0 for share in every.generators.shares.values())
    assert set(every.generators.shares) == {"LL2", "LL1"}


def test_networks_of_low_bands_have_widths_of_their_own() -> None:
    usual, wide = ({"channels": channels, "max_channels": 2 * channels} for channels in (4, 8))
    plain, built = (system(two_levels(), low_generator=low, low_discriminator=low) for low in (usual, wide))
    for player in ("generator", "discriminator"):
        before, after = ({row["band"]: row[player] for row in of.describe()} for of in (plain, built))
        assert {name for name in before if after[name] != before[name]} == {"LL2", "LL1"}, player


@pytest.mark.parametrize("combine", ["concat", "add", "modulate"])
def test_how_contexts_join_is_the_generators_matter(combine: str) -> None:
    built = system(cascade_combine=combine)
    assert {stack.network.combine for stack in built.generators.stacks} == {combine}
    assert built.sample(0, 1, seed=0).isfinite().all()


@pytest.mark.parametrize("flows", [True, False])
def test_gradients_flow_back_through_the_cascade_if_they_may(flows: bool) -> None:
    built = system(cascade_gradient=flows)
    built.generator_terms({}, ready(built))["HH1/adversarial"].backward()
    taught = {name for name, gradient in gradients(built, "generator").items() if gradient.abs().sum() > 0}
    assert taught == (set(names(built)) if flows else {"HH1"})


@pytest.mark.parametrize("sees_context", [True, False])
def test_discriminators_see_what_their_generators_saw_if_they_may(sees_context: bool) -> None:
    built = system(cascade_discriminator=sees_context)
    outputs = ready(built)
    before = built.game.logits(outputs, "fake", ())
    moved = outputs | {"seen": outputs["seen"] | {"LL1": outputs["seen"]["LL1"] + 1}}
    after = built.game.logits(moved, "fake", ())
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == ({"HL1", "LH1", "HH1"} if sees_context else set())


def test_in_a_second_pass_every_generator_reacts_to_what_the_others_made() -> None:
    for passes, reached in ((1, {"HH1"}), (2, {"LL1", "HL1", "LH1", "HH1"})):
        built = system(passes=passes)
        noise = torch.randn(2, 4, 8, generator=torch.Generator().manual_seed(0))
        moved = noise.clone()
        moved[:, 3] += 1  # of the last generator
        before, after = built.generators(noise), built.generators(moved)
        assert {name for name in before if not torch.equal(before[name], after[name])} == reached


@pytest.mark.parametrize("statistic", ["max", "percentile", "rms"])
def test_bands_are_divided_by_the_chosen_statistic(statistic: str) -> None:
    built = system(band_scale=statistic)
    built.calibrate(data())
    for name, band in WaveletTransform("haar")(batch()["image"]).items():
        sizes = band.abs().flatten().sort().values
        scale = {
            "max": sizes[-1],
            "percentile": sizes[int(0.999 * len(sizes)) - 1],
            "rms": sizes.square().mean().sqrt(),
        }
        torch.testing.assert_close(ready(built)["real"][name], band / scale[statistic])


def test_high_bands_are_companded_for_the_networks_alone() -> None:
    built = system(companding=255.0)
    built.calibrate(data())
    real, plain = ready(built)["real"], WaveletTransform("haar")(batch()["image"])
    assert real["HH1"].abs().mean() > 2 * (plain["HH1"] / plain["HH1"].abs().max()).abs().mean()
    torch.testing.assert_close(built.generators.bands.image(real), batch()["image"])


@pytest.mark.parametrize("transform", [WaveletTransform("haar"), WaveletTransform("db2"), Fourier(levels=2)])
def test_a_bounded_image_is_white_and_its_bands_are_what_discriminators_see(transform: Transform) -> None:
    built = system(transform=transform, bounded="image", low_bands="coarsest")
    built.calibrate(data())
    outputs = ready(built)
    assert outputs["image"].abs().max() <= 1
    for name, band in built.generators.bands(outputs["image"]).items():
        torch.testing.assert_close(outputs["fake"][name], band)
    bright = {name: torch.full_like(band, 30.0) for name, band in outputs["fake"].items()}
    assert built.generators.finished(bright)[1].max() == 1  # in single precision
    raw = built.generators(built.vectors.of_samples(0, 2, seed=3))
    assert max(band.abs().max() for band in raw.values()) > 0
    assert torch.equal(built.sample(0, 2, seed=3, weights="raw"), built.generators.bands.image(raw).tanh())


def test_noise_is_orthogonal_or_independent() -> None:
    for noise, orthogonal in (("orthogonal", True), ("independent", False)):
        frame = ready(system(noise=noise))["noise"]
        products = frame @ frame.transpose(1, 2)
        rest = (products - torch.diag_embed(torch.diagonal(products, dim1=1, dim2=2))).abs().max()
        assert (rest < 1e-5 * products.abs().max()) == orthogonal
    assert system(noise="independent", latent_dim=2).sample(0, 1, seed=0).shape == (1, 3, SIZE, SIZE)


@pytest.mark.parametrize(
    ("settings", "problem", "fix"),
    [
        ({"latent_dim": 3}, "model.latent_dim=3 is too small for 4", "at least 4, or model.noise=independent"),
        ({"transform": Identity(), "image_size": 33}, "data.image_size=33", "the nearest sizes are 28 and 32"),
        ({"image_size": 33}, "data.image_size=33", "the nearest sizes are 28 and 32"),
        ({"transform": WaveletTransform("haar", levels=3)}, "data.image_size=16", "lower transform.levels"),
        ({"transform": WaveletTransform("haar", levels=5)}, "image_size of at least 17, got 16", "transform.levels=4"),
        ({"cascade": {"LL1": ["HH1"]}}, "model.cascade.LL1: HH1 is not made before it", "set model.passes=2"),
        ({"cascade": {"LL1": ["HH2"]}}, "model.cascade.LL1: HH2 is no band", "did you mean HH1"),
        ({"gans": [["LL1"]]}, "model.gans leaves HL1, LH1, HH1 to no GAN", "name every band"),
        ({"cascade_iteration": "step", "accumulate": 2}, "model.cascade_iteration=step needs whole batches", "=1"),
        ({"cascade_real": {"start": 1.5}}, "model.cascade_real.start=1.5", "between 0 and 1"),
        ({"cascade_real": {"until": 0.0}}, "model.cascade_real.until=0.0", "between 0 and 1"),
        ({"training_switch": 1.0}, "model.training_switch=1.0", "between 0 and 1"),
        ({"training_order": "low_first", "gans": "all"}, "model.training_order=low_first", "each of one kind alone"),
        ({"companding": 255.0, "bounded": "image"}, "model.companding=255.0 would blow up", "set one of them back"),
        ({"training_order": "high_first", "transform": Identity()}, "model.training_order=high_first", "GANs of low"),
    ],
)
def test_what_cannot_be_built_says_what_to_change(settings: dict[str, Any], problem: str, fix: str) -> None:
    with pytest.raises(UserError) as caught:
        system(**settings)
    assert problem in str(caught.value)
    assert fix in str(caught.value)


def test_any_transform_takes_part() -> None:
    built = system(Fourier(2, levels=1))
    built.calibrate(data())
    assert set(built.training_step(batch(), 0)) >= {f"generator/{name}/adversarial" for name in names(built)}
