"""Every choice that conf/model/frequency_gan.yaml and the README speak of builds and is costed, as `check` does it."""

import pytest
import torch

from freqgan import config
from freqgan.config.application import compose
from freqgan.systems.estimate import step_cost

SMALL = [
    *("data=scenes", "data.image_size=16", "data.batch_size=4", "transform.levels=2", "model.latent_dim=16"),
    *("model.generator.channels=4", "model.discriminator.channels=4", "metrics=none", "logger=none"),
]
CHOICES = [
    *(f"model.gans={value}" for value in ("band", "level", "all", "[[LL2],[HL2,LH2,HH2],[LL1],[HL1,LH1,HH1]]")),
    *("model.gans={2:{low:1,high:3},1:{low:1,high:1}}", "model.low_bands=every", "model.low_bands=coarsest"),
    *(f"model.cascade={value}" for value in ("none", "previous", "all", "{HL1:[LL1]}")),
    *("model.cascade_scope=level", "model.cascade_scope=global", "model.cascade_iteration=step", "model.passes=2"),
    *(f"model.cascade_combine={value}" for value in ("concat", "add", "modulate")),
    *("model.cascade_gradient=false", "model.cascade_discriminator=false", "model.cascade_real.start=0.5"),
    *("model.noise=orthogonal", "model.noise=independent"),
    *(f"model.training_order={value}" for value in ("together", "low_first", "high_first")),
    *(f"model.band_scale={value}" for value in ("max", "percentile", "rms")),
    *("model.bounded=bands", "model.bounded=image", "model.companding=255.0"),
    *(f"model.generator.norm={value}" for value in ("batch", "instance", "group", "none")),
    *(f"model.discriminator.norm={value}" for value in ("batch", "instance", "group", "spectral", "none")),
    *("model.low_generator={channels: 8}", "model.low_discriminator={channels: 8}", "model.blend.enabled=true"),
    *("model.terms.generator.focal_frequency=1.0", "model.terms.discriminator.r1=1.0"),
    *("model.order=generator_first", "model.n_critic=2", "model.accumulate=2", "model.clip=1.0"),
    *(f"loss={value}" for value in ("bce", "hinge", "lsgan", "lsgan_published", "non_saturating", "wgan_gp")),
]


@pytest.mark.parametrize("choice", CHOICES)
def test_a_choice_builds_and_is_costed(choice: str) -> None:
    settings = compose("train", [*SMALL, choice])
    config.check(settings)
    resolved = config.resolve(settings)
    with torch.device("meta"):
        system = config.build_model(resolved, seed=1)
    data = resolved["data"]
    images = torch.empty(data["batch_size"], data["channels"], data["image_size"], data["image_size"], device="meta")
    assert step_cost(system, {"image": images}).flops > 0
