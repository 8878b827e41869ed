"""Translation learnt without pairs: CycleGAN's terms, DualGAN's game, and the pool between them."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from freqgan.losses import WGANGP
from freqgan.metrics import TranslationProtocol
from freqgan.networks import UNet
from freqgan.systems import Adam, RMSprop, UnpairedTranslation
from tests.systems.stepping import NORMS
from tests.systems.translations import CYCLE, SIZE, batch, data, images, outputs_of, unpaired

DUAL: Any = {
    "generator": {"adversarial": 1.0, "cycle": 500.0},
    "discriminator": {"adversarial": 1.0, "gradient_penalty": 1.0},
}


def dualgan(**given: Any) -> UnpairedTranslation:
    unet = partial(UNet, image_size=SIZE, channels=4, kernel=3, outer_kernel=5, norm="instance", dropout=0.0)
    return unpaired(**{"generator": unet, "loss": WGANGP(), "terms": DUAL, "pool": 0} | given)


def test_cyclegan_has_the_terms_of_the_paper() -> None:
    built, (a, b) = unpaired(), batch().values()
    there, back = built.network("ab"), built.network("ba")
    fake_b, fake_a = there(a), back(b)
    made = outputs_of(built, batch())
    torch.testing.assert_close(made["image"], fake_b)
    terms = built.generator_terms(batch(), made)
    expected = {
        "a/adversarial": (built.discriminator["a"](fake_a) - 1).square().mean() / 2,
        "b/adversarial": (built.discriminator["b"](fake_b) - 1).square().mean() / 2,
        "a/cycle": (back(fake_b) - a).abs().mean(),
        "b/cycle": (there(fake_a) - b).abs().mean(),
        "a/identity": (back(a) - a).abs().mean(),
        "b/identity": (there(b) - b).abs().mean(),
    }
    assert terms.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(terms[name], value, msg=lambda text, n=name: f"{n}: {text}")
    weights = {"adversarial": 2, "cycle": 10, "identity": 5}
    paper = sum(weights[name.split("/")[1]] * value for name, value in expected.items())
    torch.testing.assert_close(built.weighted("generator", terms), paper)


def test_each_discriminator_judges_its_domain() -> None:
    built, given = unpaired(pool=0), batch()
    made = outputs_of(built, given)
    terms = built.discriminator_terms(given, made)
    for domain, name in (("a", "image"), ("b", "image_b")):
        real, fake = (built.discriminator[domain](x) for x in (given[name], made["fake"][domain]))
        expected = ((real - 1).square().mean() + fake.square().mean()) / 2
        torch.testing.assert_close(terms[f"{domain}/adversarial"], expected)
    assert {*built.notes} == {"discriminator/a/accuracy", "discriminator/b/accuracy"}


@pytest.mark.parametrize("domain", ["a", "b"])
def test_what_is_lost_of_one_set_trains_the_other_sets_generator_too(domain: str) -> None:
    built = dualgan()
    terms = built.generator_terms(batch(), outputs_of(built, batch()))
    for direction in ("ab", "ba"):
        weights = list(built.generator[direction].parameters())
        gradients = torch.autograd.grad(terms[f"{domain}/cycle"], weights, retain_graph=True, allow_unused=True)
        assert sum(g.abs().sum() for g in gradients if g is not None) > 0
    into, out_of = ("ba", "ab") if domain == "a" else ("ab", "ba")
    for direction, trained in ((into, True), (out_of, False)):
        weights = list(built.generator[direction].parameters())
        gradients = torch.autograd.grad(terms[f"{domain}/adversarial"], weights, retain_graph=True, allow_unused=True)
        assert (sum(float(g.abs().sum()) for g in gradients if g is not None) > 0) == trained


def test_ways_back_are_computed_for_generators_alone() -> None:
    built, passes = dualgan(n_critic=2), list[str]()
    for name, network in built.generator.items():
        network.register_forward_hook(lambda module, given, made, n=name: passes.append(n))
    built.training_step(batch(), 0)
    assert passes == ["ba", "ab"]
    passes.clear()
    built.training_step(batch(), 0)
    assert sorted(passes) == ["ab", "ab", "ba", "ba"]
    assert (built.clock.steps, built.clock.generator_updates, built.clock.images_seen) == (2, 1, 8)


def test_a_lazy_cycle_is_due_in_every_second_update_of_the_generators() -> None:
    built = unpaired(n_critic=2, every={"cycle": 2})
    logs = [built.training_step(batch(), 0) for _ in range(8)]
    updates = [log for log in logs if "generator/a/adversarial" in log]
    assert ["generator/a/cycle" in log for log in updates] == [True, False, True, False]
    assert not any("generator/a/cycle" in log for log in logs[::2])


def test_a_term_without_weight_is_not_computed() -> None:
    built, passes = unpaired(terms=CYCLE | {"generator": {"cycle": 1.0, "identity": 0.0}}), list[str]()
    for name, network in built.generator.items():
        network.register_forward_hook(lambda module, given, made, n=name: passes.append(n))
    log = built.training_step(batch(), 0)
    assert len(passes) == 4
    assert {name for name in log if name.startswith("generator")} - NORMS == {"generator/a/cycle", "generator/b/cycle"}


@pytest.mark.parametrize("clipped", [True, False])
def test_critics_are_clipped_or_penalised(clipped: bool) -> None:
    game: Any = {"loss": WGANGP(gradient_penalty=0.0), "weight_clip": 0.01} if clipped else {}
    built = dualgan(optim=RMSprop(lr=5e-5), **game)
    log = built.training_step(batch(), 0)
    greatest = max(weight.abs().max().item() for weight in built.discriminator.parameters())
    penalised = {"discriminator/a/gradient_penalty", "discriminator/b/gradient_penalty"} & {*log}
    assert (greatest <= 0.01, len(penalised)) == ((True, 0) if clipped else (False, 2))


def test_steps_change_all_networks_and_learn() -> None:
    built = unpaired(optim=Adam(lr=0.002), order="generator_first")
    before = {name: value.clone() for name, value in built.state_dict().items()}
    logs = [built.training_step(batch(), 0) for _ in range(12)]
    first, last = (sum(float(log[f"generator/{domain}/cycle"]) for domain in "ab") for log in (logs[0], logs[-1]))
    assert last < 0.9 * first
    after = {name: value for name, value in built.state_dict().items() if value.shape == before[name].shape}
    moved = {".".join(name.split(".")[:2]) for name in after if not torch.equal(after[name], before[name])}
    assert {"generator.ab", "generator.ba", "discriminator.a", "discriminator.b"} <= moved


def test_discriminators_see_the_pools_images() -> None:
    built, seen = unpaired(pool=4), list[torch.Tensor]()
    built.discriminator["b"].register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    made = [outputs_of(built, batch(seed=n)) for n in range(3)]
    for step, outputs in enumerate(made):
        built.clock.images_seen = 4 * step
        built.rows = built.rows._replace(first=0, end=4, total=4)
        built.discriminator_terms(batch(seed=step), outputs)
    fakes = seen[1::2]
    torch.testing.assert_close(fakes[0], made[0]["fake"]["b"])
    everything = torch.cat([outputs["fake"]["b"] for outputs in made])
    sources = [[int((everything - image).abs().sum((1, 2, 3)).argmin()) // 4 for image in fake] for fake in fakes]
    assert any(0 in row for row in sources[1:])
    assert any(step in row for step, row in enumerate(sources) if step)
    assert not torch.equal(built.pools["a"].images, built.pools["b"].images)


def test_a_run_that_is_continued_has_the_pools_it_had() -> None:
    whole, first = (unpaired(pool=6) for _ in range(2))
    logs = [whole.training_step(batch(seed=n), 0) for n in range(6)]
    for n in range(3):
        first.training_step(batch(seed=n), 0)
    assert len(first.pools["a"].images) == 6
    second = unpaired(pool=6)
    second.load_state_dict({name: value.clone() for name, value in first.state_dict().items()})
    second.clock.load_state_dict(first.clock.state_dict())
    again = [second.training_step(batch(seed=n), 0) for n in range(3, 6)]
    assert again == logs[3:]
    for name, value in whole.state_dict().items():
        assert torch.equal(value, second.state_dict()[name]), name


def test_examples_are_of_both_domains() -> None:
    built = unpaired()
    built.calibrate(data())
    kept = built.examples.batch(0, 3)
    assert torch.equal(built.sample(0, 3, seed=1), built.translate(kept["image"]))
    pictures = built.pictures(64, seed=1)
    assert {name: tuple(x.shape) for name, x in pictures.items()} == {
        "images": (3, 3, SIZE, SIZE),
        "a_b_a": (3, 3, SIZE, 3 * SIZE),
        "b_a_b": (3, 3, SIZE, 3 * SIZE),
    }
    image, there, back = pictures["b_a_b"].split(SIZE, -1)
    torch.testing.assert_close(image, kept["image_b"])
    torch.testing.assert_close(there, built.translate(image, direction="ba"))
    torch.testing.assert_close(back, built.translate(there, direction="ab"))


def test_both_directions_are_judged_where_there_are_pairs(tmp_path: Path) -> None:
    values = unpaired().measure(TranslationProtocol(), data(), split="val", seed=1, weights="ema", cache_dir=tmp_path)
    assert {name.rpartition("_")[2] for name in values} == {"ab", "ba", "untranslated"}
    assert {"psnr_y_crop0_ab", "psnr_y_crop0_ba", "cycle_error_ab", "cycle_error_ba"} <= values.keys()
    assert next(iter(values)) == "psnr_y_crop0_ab"


def test_every_network_is_told_of() -> None:
    rows = unpaired().describe()
    assert [(row["network"], row["makes"]) for row in rows] == [
        *(("generator ab", "a to b"), ("generator ba", "b to a")),
        *(("discriminator a", "logits"), ("discriminator b", "logits")),
    ]
    assert images(1).shape == unpaired().translate(images(1), direction="ba").shape


def test_exhibits_go_both_ways_and_back() -> None:
    built = unpaired()
    found = built.exhibits(data(paired=False), split="val", seed=5, weights="ema")
    assert [*found] == ["a_to_b", "b_to_a"]
    for gallery, domain in (("a_to_b", "image"), ("b_to_a", "image_b")):
        assert len(found[gallery]) == 3
        pictures = found[gallery][0].pictures
        assert [*pictures] == ["input", "result", "back"]
        assert torch.equal(pictures["input"], next(data().evaluation_pairs("val"))[domain][0])
        there, back = (gallery[0] + gallery[-1], gallery[-1] + gallery[0])
        assert torch.equal(pictures["result"], built.translate(pictures["input"][None], direction=there)[0])
        assert torch.equal(pictures["back"], built.translate(pictures["result"][None], direction=back)[0])
    assert [*built.exhibits(data(), split="val", seed=5, weights="ema")["a_to_b"][0].pictures][-1] == "target"
