from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from freqgan.systems.rules import Rows
from freqgan.transforms import Identity, WaveletTransform
from tests.systems.small import SIZE, batch, changed, data, names, ready, system, two_levels, weights


@pytest.mark.parametrize(
    ("levels", "shapes"),
    [
        (1, {"LL1": (3, 8, 8), "HL1": (3, 8, 8), "LH1": (3, 8, 8), "HH1": (3, 8, 8)}),
        (
            2,
            {"LL2": (3, 4, 4), "HL2": (3, 4, 4), "LH2": (3, 4, 4), "HH2": (3, 4, 4)}
            | {"LL1": (3, 8, 8), "HL1": (3, 8, 8), "LH1": (3, 8, 8), "HH1": (3, 8, 8)},
        ),
    ],
)
def test_a_gan_for_every_band(levels: int, shapes: dict[str, tuple[int, int, int]]) -> None:
    built = system(WaveletTransform("haar", levels=levels))
    outputs = ready(built)
    for kind in ("fake", "real"):
        assert {name: tuple(band.shape[1:]) for name, band in outputs[kind].items()} == shapes
    assert names(built) == list(built.game.judges.gans) == list(shapes)
    # Each sees all bands before its own, three channels apiece.
    contexts = built.game.judges.contexts_of(outputs["real"])
    seen = [0 if context is None else context.shape[1] // 3 for context in contexts.values()]
    assert seen == [0, 1, 2, 3] * levels
    assert built.sample(0, 2, seed=0).shape == (2, 3, SIZE, SIZE)


def test_rows_of_the_description() -> None:
    built = system(WaveletTransform("haar"), cascade="previous")
    rows = built.describe()
    assert [(row["band"], row["shape"], row["sees"]) for row in rows] == [
        ("LL1", "3x8x8", "noise alone"),
        ("HL1", "3x8x8", "LL1"),
        ("LH1", "3x8x8", "HL1"),
        ("HH1", "3x8x8", "LH1"),
    ]
    for player, network in built.players().items():
        # Networks side by side are described by their mean.
        assert sum(int(row[player]) for row in rows) == sum(p.numel() for p in network.parameters())
    # Band LL1: 8 latent numbers to 4 channels of 4x4, then a transposed convolution to 3 channels with bias.
    assert rows[0]["generator"] == 8 * 4 * 16 + 16 * 4 * 3 + 3
    # And four convolutions to 4 channels with bias, three of them with a context, then 4x4x4 to a logit.
    assert rows[0]["discriminator"] == (16 * (3 + 6 + 6 + 6) * 4 + 4 * (4 + 16 * 4 + 1)) // 4


def test_a_sample_is_a_function_of_seed_and_number() -> None:
    built = system(norm="batch", cascade="previous")  # three of its generators are one network
    whole = built.sample(0, 10, seed=1)
    torch.testing.assert_close(
        whole, torch.cat([built.sample(0, 4, seed=1), built.sample(4, 6, seed=1)]), atol=1e-6, rtol=0
    )
    torch.testing.assert_close(built.sample(7, 1, seed=1), whole[7:8], atol=1e-6, rtol=0)
    assert (built.sample(0, 1, seed=2) - whole[:1]).abs().max() > 1e-3
    assert (whole[1:] - whole[:-1]).flatten(1).abs().amax(1).min() > 1e-3


def test_samples_leave_the_global_generator_and_the_mode_alone() -> None:
    built = system()
    built.train()
    before = torch.random.get_rng_state()
    built.pictures(3, seed=0)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert built.ema.module.training
    assert built.generator.training


def test_pictures_are_the_samples_and_their_bands() -> None:
    built = system()
    pictures = built.pictures(3, seed=2)
    assert list(pictures) == ["images", "LL1", "HL1", "LH1", "HH1"]
    assert torch.equal(pictures["images"], built.sample(0, 3, seed=2))
    assert list(system(Identity()).pictures(1, seed=0)) == ["images"]


def test_draws_of_a_step_do_not_depend_on_the_split_into_processes() -> None:
    built = system()
    whole = ready(built)
    seen: list[Tensor] = []
    for first, end in ((0, 2), (2, 6)):
        part = {"image": batch()["image"][first:end]}
        seen.append(built.forward_part((part, Rows(first, end, 6)), graph=False)["fake"]["HH1"])
    torch.testing.assert_close(torch.cat(seen), whole["fake"]["HH1"].detach())


def test_parts_of_a_batch_give_the_same_step() -> None:
    whole, parts = system(), system(accumulate=2)
    for built in (whole, parts):
        for _ in range(2):
            log = built.training_step(batch(), 0)
        assert log["generator/HH1/adversarial"].isfinite()
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(parts.state_dict()[name], value, atol=1e-6, rtol=1e-5)
    assert changed(weights(system(), "generator"), weights(whole, "generator")) == set(names(whole))


def test_scales_are_measured_on_the_training_split_before_the_first_sample() -> None:
    asked: list[Any] = []

    def evaluation_images(split: str, *, limit: int) -> list[Tensor]:
        asked.append((split, limit))
        return [batch()["image"]]

    built = system()
    built._trainer = SimpleNamespace(datamodule=SimpleNamespace(evaluation_images=evaluation_images))
    built.on_fit_start()
    assert asked == [("train", 4096)]
    assert not torch.equal(built.generators.bands.scales, torch.ones(4))
    assert torch.equal(built.sample(0, 1, seed=0), built.sample(0, 1, seed=0, weights="raw"))


def test_scales_and_averages_are_in_the_checkpoint() -> None:
    built = system(two_levels())
    built.calibrate(data())
    built.training_step(batch(), 0)
    checkpoint: dict[str, Any] = {"state_dict": built.state_dict(), "loops": {}}
    built.on_save_checkpoint(checkpoint)
    assert torch.equal(checkpoint["state_dict"]["generator.bands.scales"], built.generators.bands.scales)
    assert checkpoint["ema"]
    assert not any(name.startswith("ema.") for name in checkpoint["state_dict"])
    other = system(two_levels())
    other.on_load_checkpoint(checkpoint)
    other.load_state_dict(checkpoint["state_dict"])
    assert other.clock.images_seen == 6
    assert torch.equal(other.sample(0, 2, seed=0), built.sample(0, 2, seed=0))


def test_a_protocol_gets_samples_reals_and_bands(tmp_path: Any) -> None:
    built = system()
    asked: dict[str, Any] = {}

    class Protocol:
        def evaluate(self, generate: Any, real: Any, **rest: Any) -> dict[str, float]:
            asked.update(rest, generated=generate(2, 3), real=real())
            return {"fd": 1.0}

    data = SimpleNamespace(fingerprint=lambda: "abc", evaluation_images=lambda split: f"images of {split}")
    values = built.measure(Protocol(), data, split="val", seed=4, weights="raw", cache_dir=tmp_path)
    assert values == {"fd": 1.0}
    assert torch.equal(asked["generated"], built.sample(2, 3, seed=4, weights="raw"))
    assert (asked["real"], asked["fingerprint"], asked["cache_dir"]) == ("images of val", "abc_val", tmp_path)
    assert list(asked["bands"](batch()["image"])) == names(built)
