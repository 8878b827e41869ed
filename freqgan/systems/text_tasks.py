"""What the discriminators of a text-conditioned GAN judge: a task per stage, or AttnGAN's two.

Reference: patent CN113781598B, [0063]-[0111]: realism in stage 1, the match with the sentence in stage 2, with the mean
word in stage 3, whose text also speaks of sentence and words.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal, TypedDict

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from freqgan.errors import UserError
from freqgan.networks import TextGenerator
from freqgan.text import Text

STAGES = ("stage1", "stage2", "stage3")
Condition = Literal["none", "sentence", "word_mean", "word_mean_and_sentence"]


class Task(TypedDict):
    """What a discriminator judges.

    Keys:
        condition: what of its caption an image is to match.
        realism: whether it is to look real, whatever its caption.
    """

    condition: Condition
    realism: bool


def condition_of(text: Text, condition: Condition) -> Float[Tensor, "b d"] | None:
    """The vector of a caption that its image is to match; padding is no word."""
    if condition == "none":
        return None
    if condition == "sentence":
        return text.sentence
    mask = text.mask[..., None].to(text.words)
    mean = (text.words * mask).sum(1) / mask.sum(1)
    return mean if condition == "word_mean" else torch.cat([mean, text.sentence], 1)


def vectors(text: Text) -> dict[str, Tensor]:
    """What the generator reads of captions."""
    return {"sentence": text.sentence, "words": text.words, "mask": text.mask}


def real_images(image: Float[Tensor, "b c h w"], sizes: Sequence[int]) -> dict[str, Tensor]:
    """What the images of each stage stand against: each pixel is the mean of those that it covers.

    Args:
        image: of the last stage's size.
        sizes: side of the images of each stage.
    """
    return {stage: F.avg_pool2d(image, image.shape[-1] // size) for stage, size in zip(STAGES, sizes, strict=True)}


def text_judges(
    make: Callable[..., nn.Module], tasks: Mapping[str, Task], generator: TextGenerator, dims: Mapping[str, int]
) -> nn.ModuleDict:
    """A discriminator per stage.

    Args:
        make: makes one (`freqgan.networks.StageDiscriminator`).
        tasks: by stage.
        generator: whose images they judge.
        dims: lengths of a sentence's vector and a word's, `sentence_dim` and `word_dim`.

    Raises:
        UserError: a stage has nothing to judge.
    """
    lengths = {"none": None, "sentence": dims["sentence_dim"], "word_mean": dims["word_dim"]}
    lengths["word_mean_and_sentence"] = sum(dims.values())
    judges = {}
    for (stage, task), size in zip(tasks.items(), generator.image_sizes, strict=True):
        if task["condition"] == "none" and not task["realism"]:
            path = f"model.d{stage[-1]}"
            raise UserError(f"{path} has nothing to judge: set {path}.realism=true or {path}.condition=sentence")
        judges[stage] = make(image_size=size, condition_dim=lengths[task["condition"]], realism=task["realism"])
    return nn.ModuleDict(judges)


def described(
    generator: TextGenerator, judges: nn.ModuleDict, tasks: Mapping[str, Task]
) -> Iterator[dict[str, str | int]]:
    """A row per stage."""
    for (stage, task), size in zip(tasks.items(), generator.image_sizes, strict=True):
        said = [] if task["condition"] == "none" else [task["condition"].replace("_", " ")]
        networks = {"generator": generator.get_submodule(stage), "discriminator": judges[stage]}
        yield {
            "stage": stage,
            "makes": f"{size}x{size}",
            "judged by": " and ".join([*(["realism"] if task["realism"] else []), *said]),
            **{name: sum(weight.numel() for weight in network.parameters()) for name, network in networks.items()},
        }
