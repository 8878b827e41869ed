"""What a generator of images is given for a label map, and what it makes of it."""

import torch
from jaxtyping import Float
from torch import Tensor

from freqgan.networks import CoarseToFine
from freqgan.ops.keyed_random import key
from freqgan.ops.pyramid import pyramid
from freqgan.ops.resample import resize
from freqgan.systems.label_inputs import LabelInputs
from freqgan.systems.looks import Looks, features_of
from freqgan.systems.rules import Batch


def given_for(
    generator: CoarseToFine, inputs: LabelInputs, sample: Batch, *, looks: Looks, seed: int
) -> Float[Tensor, "1 i h w"]:
    """All that the picture of a sample follows from.

    Args:
        generator: with its clusters of looks, if it has learnt any.
        inputs: of the generator.
        sample: a completed batch of one.
        looks: the cluster for an instance, by its label and id; for all others one is drawn.
        seed: of the draws.
    """
    condition = inputs.condition(sample)
    if generator.encoder is None:
        return condition
    return torch.cat((condition, features_of(generator.encoder, inputs.regions(sample), looks, seed=seed)), 1)


def drawn(generator: CoarseToFine, given: Float[Tensor, "1 i h w"], *, seed: int) -> Float[Tensor, "1 c h w"]:
    """The picture, in [-1, 1], by the enhancers that have been trained, and enlarged in place of the others.

    Args:
        generator: in evaluation mode.
        given: see `given_for`.
        seed: of a U-Net's dropout.
    """
    depth, (height, width) = int(generator.trained), given.shape[-2:]
    inner = pyramid(given, len(generator.enhancers) - depth + 1)[-1]
    with torch.random.fork_rng([given.device] if given.device.type == "cuda" else []):
        torch.manual_seed(key(seed, "synthesis"))
        image = generator(inner, depth=depth).float()
    return (image if image.shape[-2:] == (height, width) else resize(image, (height, width))).clamp(-1, 1)


def halo_of(generator: CoarseToFine) -> int | None:
    """Pixels beyond which no pixel of the picture depends on what is given; None where each depends on all of it."""
    whole = generator.coarse.noisy or int(generator.trained) < len(generator.enhancers)
    return None if whole else generator.halo
