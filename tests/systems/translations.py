"""Small systems of translation, run without a Trainer, and data for them."""

from collections.abc import Iterator
from functools import partial
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from freqgan.losses import BCE, LSGAN
from freqgan.networks import EncoderDecoder, PatchDiscriminator, ResNetGenerator, UNet
from freqgan.systems import SGD, Clock, PairedTranslation, UnpairedTranslation
from freqgan.systems.rules import Rows
from tests.systems.stepping import without_trainer

SIZE = 16
L2: Any = {"generator": {"l2": 1.0}, "discriminator": {}}
PIX2PIX: Any = {"generator": {"l1": 100.0, "adversarial": 1.0}, "discriminator": {"adversarial": 0.5}}
CYCLE: Any = {
    "generator": {"adversarial": 2.0, "cycle": 10.0, "identity": 5.0},
    "discriminator": {"adversarial": 1.0},
}
JUDGE = partial(PatchDiscriminator, receptive_field=16, channels=4, norm="none")


def settings(**given: Any) -> dict[str, Any]:
    shared = {"image_size": SIZE, "examples": 3, "discriminator": JUDGE, "optim": SGD(lr=0.01, momentum=0.0), "seed": 3}
    return shared | {"clock": Clock(images=10**6)} | given


def encoder_decoder(**given: Any) -> PairedTranslation:
    generator = partial(EncoderDecoder, image_size=SIZE, channels=4, norm="none")
    return paired(generator=generator, terms=L2, **given)


def pix2pix(**given: Any) -> PairedTranslation:
    generator = partial(UNet, image_size=SIZE, channels=4, norm="instance")
    return paired(**{"generator": generator, "terms": PIX2PIX} | given)


def paired(**given: Any) -> PairedTranslation:
    torch.manual_seed(0)
    return ready(PairedTranslation(**settings(loss=BCE(), **given)))


def unpaired(**given: Any) -> UnpairedTranslation:
    torch.manual_seed(0)
    generator = partial(ResNetGenerator, channels=4, blocks=1)
    return ready(UnpairedTranslation(**settings(**{"generator": generator, "loss": LSGAN(), "terms": CYCLE} | given)))


def ready(system: Any) -> Any:
    for network in system.players().values():
        for weight in network.parameters():
            weight.data.mul_(5)  # as they begin, hardly anything comes through
    system.ema.restart(system.generator)
    return without_trainer(system)


def images(count: int = 4, side: int = SIZE, seed: int = 0) -> Tensor:
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def batch(count: int = 4, seed: int = 0) -> dict[str, Tensor]:
    return {"image": images(count, seed=2 * seed), "image_b": images(count, seed=2 * seed + 1)}


def outputs_of(system: Any, of: dict[str, Tensor]) -> dict[str, Any]:
    count = len(of["image"])
    made: dict[str, Any] = system.forward_part((of, Rows(0, count, count)), graph=True)
    return made


def data(count: int = 5, *, paired: bool = True) -> Any:
    """Validation pairs, larger than the examples, or images of two domains."""
    pairs = [
        {"image": images(1, SIZE + 2, seed=n), "image_b": images(1, SIZE + 2, seed=n + 99), "name": str(n)}
        for n in range(count)
    ]
    names = {"a": ("image", "image_b"), "b": ("image_b", "image")}

    def domain(split: str, domain: str, *, limit: int | None = None, targets: bool = False) -> Iterator[dict[str, Any]]:
        own, other = names[domain]
        for pair in pairs[:limit]:
            target = {"target": pair[other]} if targets and paired else {}
            yield {"image": pair[own], "name": pair["name"], **target}

    return SimpleNamespace(
        evaluation_pairs=lambda split, limit=None: iter(pairs[:limit]),
        evaluation_domain=domain,
        fingerprint=lambda: "these pairs" if paired else "these images",
    )
