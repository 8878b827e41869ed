"""A small frequency GAN, run without a Trainer, and what belongs to each of its GANs."""

from collections.abc import Callable, Iterator
from functools import partial
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from freqgan.losses import NonSaturating
from freqgan.networks import DCGANDiscriminator, DCGANGenerator
from freqgan.systems import SGD, Clock, FrequencyGAN
from freqgan.systems.rules import Player, Rows
from freqgan.transforms import WaveletTransform
from tests.systems.stepping import without_trainer

TERMS: Any = {"generator": {"adversarial": 1.0}, "discriminator": {"adversarial": 1.0}}
SIZE = 16


def networks(norm: str = "none") -> dict[str, Any]:
    """What makes small generators and discriminators."""
    return {
        "generator": partial(DCGANGenerator, channels=4, max_channels=8, norm=norm),
        "discriminator": partial(DCGANDiscriminator, channels=4, max_channels=8, norm=norm),
    }


def system(transform: nn.Module | None = None, *, norm: str = "none", **settings: Any) -> FrequencyGAN:
    """Small networks whose weights are large enough for every effect to show, for use without a Trainer."""
    torch.manual_seed(0)
    settings = {
        "transform": transform or WaveletTransform("haar"),
        "loss": NonSaturating(),
        **networks(norm),
        "image_size": SIZE,
        "latent_dim": 8,
        "optim": SGD(lr=0.1, momentum=0.0),
        "terms": TERMS,
        "seed": 3,
        "clock": Clock(images=10**6),
    } | settings
    built = FrequencyGAN(**settings)
    for network in built.players().values():
        for name, parameter in network.named_parameters():
            if name != "alpha":
                nn.init.normal_(parameter, 0, 0.2)
    built.ema.restart(built.generator)
    return without_trainer(built)


def two_levels() -> WaveletTransform:
    return WaveletTransform("haar", levels=2)


def batch(count: int = 6) -> dict[str, Tensor]:
    return {"image": torch.rand(count, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(5)) * 2 - 1}


def data(*batches: Tensor) -> Any:
    """A data module with these images."""
    images = list(batches) or [batch()["image"]]
    return SimpleNamespace(evaluation_images=lambda split, limit=None: images)


def ready(built: FrequencyGAN, count: int = 6) -> dict[str, Any]:
    """The outputs of a step, with a gradient graph."""
    return built.forward_part((batch(count), Rows(0, count, count)), graph=True)


def moved_to(built: FrequencyGAN, progress: float) -> FrequencyGAN:
    """The same system at another moment of its budget."""
    assert built.clock.end is not None
    built.clock.images_seen = round(progress * built.clock.end)
    return built


def names(built: FrequencyGAN) -> list[str]:
    """Of the GANs."""
    return [gan.name for gan in built.generators.gans]


def weights(built: FrequencyGAN, player: Player) -> dict[str, Tensor]:
    """Parameters and buffers of each GAN, as one vector."""
    return {name: _joined(tensors) for name, tensors in _by_gan(built, player, lambda m: m.state_dict()).items()}


def gradients(built: FrequencyGAN, player: Player) -> dict[str, Tensor]:
    """Gradients of each GAN's parameters as one vector, empty where there are none."""

    def of_module(module: nn.Module) -> dict[str, Tensor]:
        return {name: p.grad for name, p in module.named_parameters() if p.grad is not None}

    return {name: _joined(tensors) for name, tensors in _by_gan(built, player, of_module).items()}


def changed(before: dict[str, Tensor], after: dict[str, Tensor]) -> set[str]:
    return {name for name in before if not torch.equal(before[name], after[name])}


def _joined(tensors: list[Tensor]) -> Tensor:
    return torch.cat([tensor.flatten().float() for tensor in tensors]) if tensors else torch.empty(0)


def _by_gan(built: FrequencyGAN, player: Player, of: Callable[[nn.Module], dict[str, Tensor]]) -> dict[str, Any]:
    return {name: list(_share(of(network), place, count)) for name, network, place, count in _places(built, player)}


def _places(built: FrequencyGAN, player: Player) -> Iterator[tuple[str, nn.Module, int, int]]:
    """Each GAN with the network that it is a part of, its place there, and how many there are."""
    if player == "generator":
        for stack in built.generators.stacks:
            for place, i in enumerate(stack.members):  # type: ignore[arg-type]
                yield names(built)[i], stack.network, place, len(stack.members)  # type: ignore[misc, arg-type]
        return
    judges = built.game.judges
    for network, members in zip(judges.networks, judges.members, strict=True):
        for place, name in enumerate(members):
            yield name, network, place, len(members)
    if judges.of_image is not None:
        yield judges.WHOLE, judges.of_image, 0, 1


def _share(tensors: dict[str, Tensor], place: int, count: int) -> Iterator[Tensor]:
    """Rows of one network out of `count` side by side; first layers of discriminators are one each."""
    for name, tensor in tensors.items():
        if name.startswith("first."):
            if int(name.split(".")[1]) == place:
                yield tensor
        else:
            yield tensor.chunk(count)[place] if tensor.dim() else tensor
