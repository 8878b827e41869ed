"""Label-to-image synthesis: what one generator pass for both players saves, and what three discriminators cost.

The networks are those of pix2pixHD at a quarter of its widths, on 128×64 pixels. A step that makes its images twice,
once for each player and without a graph for the discriminators, takes 2·fwd + bwd + D, one that shares them takes
fwd + bwd + D: their ratio cannot be less than (fwd + bwd + D) / (2·fwd + bwd + D), whose parts are timed by themselves.
"""

import statistics
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from freqgan import config
from freqgan.config.application import compose
from freqgan.hardware import Hardware
from freqgan.systems import Clock
from freqgan.systems.batches import detached
from freqgan.systems.estimate import step_cost
from freqgan.systems.rules import Rows
from tests.bench.timing import times
from tests.systems.stepping import without_trainer

Row = tuple[str, float, str]
HEIGHT, WIDTH, CLASSES = 64, 128, 35
QUARTER = [
    *("data=scenes", "model=label_to_image", "model.phases=[]", "model.generator.coarse.channels=16"),
    *("model.generator.coarse.max_channels=256", "model.discriminator.channels=16", f"model.num_classes={CLASSES}"),
]


def rows(rounds: int = 12) -> list[Row]:
    """Name, ratio and goal."""
    Hardware(accelerator="cpu", threads=1).apply()
    return [*passes(rounds), *scales(rounds)]


def passes(rounds: int) -> list[Row]:
    """The shared pass over two passes, beside its bound."""
    system, given = build(), batch()
    part, optimizers = (given, Rows(0, 1, 1)), dict(zip(system.players(), system.optimizers(), strict=True))
    made = detached(system.forward_part(part, graph=False))
    gradient = torch.randn_like(made["image"])

    def step(shared: bool) -> None:
        """Both players' turns, in the order of a step."""
        outputs = [system.forward_part(part, graph=True) if shared else None]
        for player in system.players():
            system._turn(player, [part], outputs)

    def both_ways() -> None:
        system.forward_part(part, graph=True)["image"].backward(gradient)

    def rest() -> None:
        """Discriminators and losses in both turns, and both optimisers."""
        image = made["image"].clone().requires_grad_()
        turns = {"generator": made | {"image": image}, "discriminator": made}
        for player, terms in (("generator", system.generator_terms), ("discriminator", system.discriminator_terms)):
            system.phases.give_gradients(player)
            system.weighted(player, terms(given, turns[player])).backward()
            system._update(player, optimizers[player], {})
        system.phases.give_gradients(*system.players())

    candidates: dict[str, Callable[[], object]] = {
        "shared": partial(step, True),
        "twice": partial(step, False),
        "fwd": partial(system.forward_part, part, graph=False),
        "fwd + bwd": both_ways,
        "D": rest,
    }
    seconds = {name: statistics.median(values) for name, values in times(candidates, rounds).items()}
    ratio, whole = seconds["shared"] / seconds["twice"], seconds["fwd + bwd"] + seconds["D"]
    bound = whole / (whole + seconds["fwd"])
    return [
        ("label_to_image: step with one generator pass / with two", ratio, ""),
        ("label_to_image: its bound (fwd+bwd+D) / (2*fwd+bwd+D)", bound, ""),
        ("label_to_image: ratio / bound", ratio / bound, "<= 1.05"),
    ]


def scales(rounds: int) -> list[Row]:
    """Three discriminators, and one of two layers more, over one: time of a step, parameters, memory."""
    chosen = {
        "one": ["model.discriminator.scales=1"],
        "three discriminators": ["model.discriminator.scales=3"],
        "a deeper one": ["model.discriminator.scales=1", "model.discriminator.layers=5"],
    }
    systems = {name: build(*settings) for name, settings in chosen.items()}
    steps = {name: partial(system.training_step, batch(), 0) for name, system in systems.items()}
    seconds = {name: statistics.median(values) for name, values in times(steps, rounds).items()}
    parameters = {name: sum(w.numel() for w in system.discriminator.parameters()) for name, system in systems.items()}
    memory = {name: kept(*settings) for name, settings in chosen.items()}
    figures: dict[str, dict[str, Any]] = {"time of a step": seconds, "parameters": parameters, "memory": memory}
    return [
        (f"label_to_image: {figure} with {name} / with one", values[name] / values["one"], "")
        for name in chosen
        for figure, values in figures.items()
        if name != "one"
    ]


def kept(*settings: str) -> int:
    """Bytes of a step: what is kept for gradients, weights, and all that belongs to them."""
    with torch.device("meta"):
        cost = step_cost(build(*settings), {name: torch.empty_like(x, device="meta") for name, x in batch().items()})
    return cost.activation_bytes + cost.state_bytes


def build(*settings: str) -> Any:
    """A system that takes steps without a Trainer."""
    torch.manual_seed(0)
    resolved = config.resolve(compose("train", [*QUARTER, *settings]))
    system = config.build_model(resolved, seed=1, image_size=(HEIGHT, WIDTH))
    system.clock = Clock(images=10**9)
    return without_trainer(system)


def batch() -> dict[str, Tensor]:
    """An image of blocks of labels."""
    random = torch.Generator().manual_seed(0)
    blocks = torch.randint(CLASSES, (1, HEIGHT // 16, WIDTH // 16), generator=random, device="cpu")
    labels = blocks.repeat_interleave(16, 1).repeat_interleave(16, 2)
    image = torch.rand(1, 3, HEIGHT, WIDTH, generator=random, device="cpu") * 2 - 1
    return {"image": image, "label_map": labels, "instance_map": torch.zeros_like(labels)}
