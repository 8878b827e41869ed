"""A small three-stage GAN beside an untrained pair of encoders that knows some words, run without a Trainer."""

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from freqgan.losses import BCE
from freqgan.networks import ResidualImageEncoder, StageDiscriminator, TextGenerator
from freqgan.systems import SGD, Clock, StagedTextGAN
from freqgan.systems.rules import Rows
from freqgan.text import EncoderPair, LSTMEncoder
from tests.systems.stepping import without_trainer

SIZE = 32
CAPTIONS = [
    *("a red circle", "a blue square above a red circle", "two shapes", "a green star on a plain grey background"),
    *("a blue star", "one shape"),
]
TERMS: Any = {
    "generator": {"adversarial": 1.0, "sentence_2": 1.0, "sentence_3": 4.0, "words_3": 1.0, "divergence": 1.0},
    "discriminator": {"adversarial": 1.0},
}
TASKS: Any = {
    "d1": {"condition": "none", "realism": True},
    "d2": {"condition": "sentence", "realism": False},
    "d3": {"condition": "word_mean", "realism": False},
}
STACKED: Any = {
    **{f"d{n}": {"condition": "sentence", "realism": True} for n in (1, 2, 3)},
    "mismatched": "others",
    "gradients": "joint",
}


def pair(dim: int = 8, **gammas: float) -> EncoderPair:
    torch.manual_seed(1)
    text = LSTMEncoder(dim=dim, embedding_dim=6, max_words=8, vocabulary_size=32)
    image = ResidualImageEncoder(image_size=16, dim=dim, channels=4, region_side=4)
    built = EncoderPair(text=text, image=image, **gammas)
    built.calibrate(CAPTIONS)
    for norm in (module for module in built.modules() if isinstance(module, nn.BatchNorm2d)):
        assert norm.running_var is not None
        norm.running_var.fill_(0.3)  # as if it had seen images
    return built


def generator(**settings: Any) -> Any:
    return partial(TextGenerator, **{"latent_dim": 5, "upsamplings": 1, "channels": 4, "residuals": 1} | settings)


def system(terms: Any = TERMS, *, made: Any = None, **settings: Any) -> StagedTextGAN:
    """For use without a Trainer."""
    torch.manual_seed(0)
    settings = {
        "generator": made or generator(),
        "discriminator": partial(StageDiscriminator, channels=4, norm="spectral"),
        "encoders": pair(),
        "loss": BCE(),
        **TASKS,
        "image_size": SIZE,
        "captions": 16,
        "optim": SGD(lr=0.1, momentum=0.0),
        "terms": terms,
        "seed": 3,
        "clock": Clock(images=10**6),
    } | settings
    built = StagedTextGAN(**settings)
    built.ema.restart(built.generator)
    built.prompts.kept.keep(CAPTIONS)
    return without_trainer(built)


def batch(count: int = 6, captions: list[str] | None = None) -> dict[str, Any]:
    image = torch.rand(count, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(5)) * 2 - 1
    return {"image": image, "caption": (captions or CAPTIONS)[:count]}


def ready(built: StagedTextGAN, given: dict[str, Any] | None = None) -> dict[str, Any]:
    """The outputs of a step, with a gradient graph."""
    given = given or batch()
    count = len(given["image"])
    return built.forward_part((given, Rows(0, count, count)), graph=True)


def reached(network: nn.Module, loss: Tensor) -> set[str]:
    """The parts of a network that a loss has a gradient other than zero in."""
    named = dict(network.named_parameters())
    gradients = torch.autograd.grad(loss, list(named.values()), allow_unused=True, retain_graph=True)
    moved = zip(named, gradients, strict=True)
    return {name.split(".")[0] for name, gradient in moved if gradient is not None and bool(gradient.any())}
