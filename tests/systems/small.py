"""A small frequency GAN, run without a Trainer."""

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from freqgan.losses import NonSaturating
from freqgan.networks import DCGANDiscriminator, DCGANGenerator
from freqgan.systems import SGD, Clock, FrequencyGAN
from freqgan.systems.rules import Rows
from freqgan.transforms import WaveletTransform

TERMS: Any = {"generator": {"adversarial": 1.0}, "discriminator": {"adversarial": 1.0}}
SIZE = 16


def system(transform: nn.Module | None = None, *, norm: str = "none", **settings: Any) -> FrequencyGAN:
    """Small networks whose weights are large enough for every effect to show, for use without a Trainer."""
    torch.manual_seed(0)
    settings = {
        "transform": transform or WaveletTransform("haar"),
        "loss": NonSaturating(),
        "generator": partial(DCGANGenerator, channels=4, max_channels=8, norm=norm),
        "discriminator": partial(DCGANDiscriminator, channels=4, max_channels=8, norm=norm),
        "image_size": SIZE,
        "latent_dim": 8,
        "optim": SGD(lr=0.1, momentum=0.0),
        "terms": TERMS,
        "seed": 3,
        "clock": Clock(images=10**6),
    } | settings
    built = FrequencyGAN(**settings)
    for network in built.players().values():
        for parameter in network.parameters():
            nn.init.normal_(parameter, 0, 0.2)
    built.ema.module.load_state_dict(built.generator.state_dict())
    optimizers = built.configure_optimizers()
    built.optimizers = lambda: optimizers
    built.manual_backward = lambda loss: loss.backward()
    return built


def batch(count: int = 6) -> dict[str, Tensor]:
    return {"image": torch.rand(count, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(5)) * 2 - 1}


def ready(built: FrequencyGAN, count: int = 6) -> dict[str, Any]:
    """The outputs of a step, with a gradient graph."""
    return built.forward_part((batch(count), Rows(0, count, count)), graph=True)
