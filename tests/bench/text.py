"""The three stages' step at the published size, and the pair of encoders', against bare loops over the same modules."""

import statistics
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from freqgan import config
from freqgan.config.application import compose
from freqgan.hardware import Hardware
from freqgan.losses import sentence_matching, word_region_matching
from freqgan.systems import Clock, ImageTextEncoder, StagedTextGAN, System
from freqgan.text import EncoderPair
from tests.bench.timing import median_ratio, times
from tests.systems.stepping import without_trainer

Row = tuple[str, float, str]
BATCH, SIZE, WORDS = 8, 256, 18
SETTINGS = [
    *("model/encoders=lstm", "data=captioned_folder", "data.root=unread", "data.augment.caption=one"),
    *(f"data.image_size={SIZE}", f"data.batch_size={BATCH}"),
]
SYSTEMS = {
    f"three stages to {SIZE} px": ["model=staged_text_gan", "loss=bce"],
    f"pair of encoders at {SIZE} px": ["model=image_text_encoder"],
}


def rows(rounds: int = 5) -> list[Row]:
    """Name, figure and goal."""
    hardware = Hardware(accelerator="cpu", threads=1)
    hardware.apply()
    image = torch.rand(BATCH, 3, SIZE, SIZE) * 2 - 1
    batch = {"image": image.contiguous(memory_format=hardware.layout), "caption": captions()}
    found: list[Row] = []
    for name, settings in SYSTEMS.items():
        system = build(settings, hardware)
        steps = {"framework": partial(step, system, batch, hardware), "bare": bare_loop(system, batch, hardware)}
        seconds = times(steps, rounds)
        what = f"{name}, batch {BATCH}, {WORDS} words"
        found += [
            (f"{what}: step / bare loop over the same modules", median_ratio(*seconds.values()), "<= 1.05"),
            (f"{what}: CPU seconds a step (information)", statistics.median(seconds["framework"]), ""),
        ]
    return found


def build(settings: list[str], hardware: Hardware) -> System:
    """The shipped model with encoders that know some words, which takes steps without a Trainer."""
    torch.manual_seed(0)
    system: System = config.build_model(config.resolve(compose("train", [*settings, *SETTINGS])), seed=1)
    pair_of(system).calibrate(captions())
    system.to(memory_format=hardware.layout)
    system.clock = Clock(images=10**9)
    system.train()
    return without_trainer(system)


def pair_of(system: System) -> EncoderPair:
    pair = system.generator if isinstance(system, ImageTextEncoder) else system.encoders.pair
    assert isinstance(pair, EncoderPair)
    return pair


def captions() -> list[str]:
    """As many words in each."""
    return [" ".join(f"word{(row + place) % 97}" for place in range(WORDS)) for row in range(BATCH)]


def step(system: System, batch: dict[str, Any], hardware: Hardware) -> None:
    """A whole step, as Lightning runs it."""
    with torch.autocast("cpu", torch.bfloat16, enabled=hardware.bf16):
        system.training_step(batch, 0)


def bare_loop(system: System, batch: dict[str, Any], hardware: Hardware) -> Callable[[], None]:
    """One step as anyone would write it: no base class, no checks, no average, no log."""
    loop = bare_game if isinstance(system, StagedTextGAN) else bare_matching
    return loop(system, batch, hardware)


def bare_matching(system: ImageTextEncoder, batch: dict[str, Any], hardware: Hardware) -> Callable[[], None]:
    pair = system.generator
    optimizer = torch.optim.Adam(pair.parameters(), 2e-4, (0.5, 0.999), fused=True)

    def whole_step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=hardware.bf16):
            text, features = pair.encode_text(batch["caption"]), pair.image_features(batch["image"])
            loss = sentence_matching(features.overall, text.sentence)
            loss = loss + word_region_matching(features.regions, text.words, text.mask)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return whole_step


def bare_game(system: StagedTextGAN, batch: dict[str, Any], hardware: Hardware) -> Callable[[], None]:
    generator, judges, pair = system.generator, system.game.judges, system.encoders.pair
    g, d = (torch.optim.Adam(n.parameters(), 2e-4, (0.5, 0.999), fused=True) for n in (generator, judges))
    real = [F.avg_pool2d(batch["image"], factor) for factor in (4, 2, 1)]
    autocast = partial(torch.autocast, "cpu", torch.bfloat16, enabled=hardware.bf16)

    def judged(images: list[Tensor], given: list[tuple[Tensor, ...]], target: float) -> Tensor:
        logits = [judge(x, *c) for judge, x, c in zip(judges.values(), images, given, strict=True)]
        losses = [F.binary_cross_entropy_with_logits(x, torch.full_like(x, target)) / 2 for x in logits]
        return torch.stack(losses).sum()

    def whole_step() -> None:
        with autocast():
            text = pair.encode_text(batch["caption"])
            mask = text.mask[..., None]
            given: list[tuple[Tensor, ...]] = [(), (text.sentence,), ((text.words * mask).sum(1) / mask.sum(1),)]
            noise = torch.randn(BATCH, generator.noise_dim)
            made = generator(noise, sentence=text.sentence, words=text.words, mask=text.mask, detach=True)
            images = [output.image for output in made]
            d_loss = judged(real, given, 1.0) + judged([image.detach() for image in images], given, 0.0)
        d.zero_grad()
        d_loss.backward()
        d.step()
        judges.requires_grad_(False)
        with autocast():
            second, third = (pair.image_features(image) for image in images[1:])
            g_loss = judged(images, given, 1.0) + sentence_matching(second.overall, text.sentence)
            g_loss = g_loss + 4 * sentence_matching(third.overall, text.sentence)
            g_loss = g_loss + word_region_matching(third.regions, text.words, text.mask)
        g.zero_grad()
        g_loss.backward()
        g.step()
        judges.requires_grad_(True)

    return whole_step
