"""Small systems of label-to-image synthesis, run without a Trainer, and label maps for them."""

from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from freqgan.data import DataModule, Scenes
from freqgan.losses import LSGAN
from freqgan.networks import CoarseToFine, GlobalGenerator, InstanceEncoder, MultiScaleDiscriminator
from freqgan.systems import SGD, Clock, LabelToImage
from freqgan.systems.rules import Rows
from tests.systems.stepping import without_trainer

SIZE, CLASSES = 16, 4
GAN: Any = {
    "generator": {"adversarial": 2.0, "feature_matching": 10.0},
    "discriminator": {"adversarial": 1.0},
}
STAGES: Any = [
    {"until": 0.4, "frozen": ["generator.enhancers"]},
    {"until": 0.6, "frozen": ["generator.coarse"], "fresh_optimizers": True},
    {"fresh_optimizers": True},
]
COARSE = partial(GlobalGenerator, channels=4, halvings=2, blocks=1)
GENERATOR = partial(CoarseToFine, coarse=COARSE, enhancers=(1,))
JUDGES = partial(MultiScaleDiscriminator, channels=4, max_channels=8, layers=2)


def system(**given: Any) -> LabelToImage:
    torch.manual_seed(0)
    settings = {
        "generator": GENERATOR,
        "discriminator": JUDGES,
        "encoder": partial(InstanceEncoder, channels=4, halvings=1),
        "loss": LSGAN(),
        "num_classes": CLASSES,
        "image_size": SIZE,
        "examples": 3,
        "optim": SGD(lr=0.01, momentum=0.0),
        "terms": GAN,
        "seed": 3,
        "order": "generator_first",
        "clock": Clock(images=10**6),
    } | given
    built = LabelToImage(**settings)
    for network in built.players().values():
        for weight in network.parameters():
            weight.data.mul_(5)  # as they begin, hardly anything comes through
    built.ema.restart(built.generator)
    return without_trainer(built)


def batch(count: int = 3, side: int = SIZE, seed: int = 0) -> dict[str, Tensor]:
    """Images, with blocks of labels and instances over them."""
    random = torch.Generator().manual_seed(seed)
    blocks = [torch.randint(most, (count, side // 4, side // 4), generator=random) for most in (CLASSES, 3)]
    labels, instances = (b.repeat_interleave(4, 1).repeat_interleave(4, 2) for b in blocks)
    image = torch.rand(count, 3, side, side, generator=random) * 2 - 1
    return {"image": image, "label_map": labels, "instance_map": instances}


def renamed(instances: Tensor) -> Tensor:
    """The same instances under other ids, in another order."""
    return torch.tensor([26007, 5, 26001])[instances]


def outputs_of(built: LabelToImage, of: dict[str, Tensor]) -> dict[str, Any]:
    count = len(of["image"])
    made: dict[str, Any] = built.forward_part((of, Rows(0, count, count)), graph=True)
    return made


def moved_to(built: LabelToImage, progress: float) -> LabelToImage:
    """The same system at another moment of its budget."""
    assert built.clock.end is not None
    built.clock.images_seen = round(progress * built.clock.end)
    built.begin_phases()
    return built


def scenes(cache: Path, **settings: Any) -> DataModule:
    """Scenes of nine classes."""
    source = partial(Scenes, length=40)
    given: Any = {"image_size": SIZE, "num_classes": 9, "batch_size": 4, "cache_dir": cache, "val_fraction": 0.2}
    return DataModule(source=source, **given | settings)
