"""A network that says of every pixel which class it is of: the judge of images that are made of label maps.

References: Long et al., "Fully Convolutional Networks for Semantic Segmentation", 2015, for the loss and its numbers;
Wang et al. 2018, §4.2 (pix2pixHD), for the judge. The checkpoint that is kept as the best has the highest mean IoU.
Departure: the loss is a mean over each image's own labelled pixels, and then over images, so that it depends neither on
what else is in the batch nor on processes.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Unpack, final

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from freqgan.data.base import height_and_width
from freqgan.errors import UserError
from freqgan.features.base import weights_digest
from freqgan.limits import Count
from freqgan.losses import rarity, segmentation_loss
from freqgan.metrics import JudgeSegmenter
from freqgan.networks import SegmentationNetwork
from freqgan.ops.palette import label_pictures
from freqgan.systems.base import System
from freqgan.systems.examples import Examples
from freqgan.systems.label_measuring import measure_segmented
from freqgan.systems.rules import Batch, Known, Outputs, Rules, Scores, Terms, Weights

WHOLE = "model=segmenter"
COUNTED = 200  # training label maps, at most, in which classes are counted


@final
class Segmenter(System):
    """A network and the cross-entropy of its classes. The only player is called generator.

    Args:
        network: makes the network, given `num_classes` and `in_channels`.
        num_classes: of the label maps; any other id is don't-care.
        image_size: side of the training images, or height and width, and so of the examples.
        channels: of the images.
        resize: images of another size are judged at the training images', and the logits enlarged or reduced to their
            own; otherwise they are seen as they are, as training on crops of larger images wants it.
        rare: what makes rare classes count more, see `freqgan.losses.rarity`; None for all alike.
        examples: validation samples that are kept to be looked at.
        **rules: see `freqgan.systems.rules.Rules`.

    Raises:
        UserError: the data have no label maps, or a number is out of its range.
    """

    JUDGES = ("segmentation",)
    TERMS: ClassVar[Known] = {"generator": ("cross_entropy",), "discriminator": ()}
    generator: SegmentationNetwork
    examples: Examples

    def __init__(
        self,
        *,
        network: Callable[..., SegmentationNetwork],
        num_classes: int | None,
        image_size: int | Sequence[int],
        channels: int = 3,
        resize: bool = True,
        rare: float | None = None,
        examples: Count = 16,
        **rules: Unpack[Rules],
    ) -> None:
        if num_classes is None:
            fix = "set data.num_classes, of data=label_folder for example, or choose data=scenes"
            raise UserError(
                f"{WHOLE} learns from label maps, and data.num_classes=null says that there are none: {fix}"
            )
        if rare is not None and rare <= 1:
            raise UserError(f"model.rare={rare} must be greater than 1, as 1.02, or null")
        super().__init__(generator=network(num_classes=num_classes, in_channels=channels), discriminator=None, **rules)
        self.num_classes, self.resize, self.rare = num_classes, resize, rare
        self.register_buffer("class_weights", torch.ones(num_classes))
        self.class_weights: Tensor
        self.size = height_and_width(image_size if isinstance(image_size, int) else (image_size[0], image_size[1]))
        self.examples = Examples(examples, {"image": (channels, *self.size), "label_map": self.size})

    def calibrate(self, data: Any) -> None:
        """Reads the weights that training begins with, weighs classes, and keeps examples."""
        self.generator.take_pretrained()
        if self.rare is not None:
            samples = map(_labelled, data.evaluation_pairs("train", limit=COUNTED))
            self.class_weights.copy_(rarity((s["label_map"] for s in samples), self.num_classes, least=self.rare))
        self.examples.keep(map(_labelled, data.evaluation_pairs("val", limit=self.examples.count)))

    def synthesize(self, batch: Batch) -> Outputs:
        """The logits of every pixel."""
        return {"logits": self.generator(_labelled(batch)["image"])}

    def generator_terms(self, batch: Batch, outputs: Outputs) -> Terms:
        """The cross-entropy."""
        if not self.wants("generator", "cross_entropy"):
            return {}
        return {"cross_entropy": segmentation_loss(outputs["logits"], batch["label_map"], self.class_weights)}

    def discriminator_terms(self, batch: Batch, outputs: Outputs) -> Terms:
        """None."""
        return {}

    def segment(self, images: Float[Tensor, "b c h w"], *, weights: Weights = "ema") -> Int[Tensor, "b h w"]:
        """The likeliest class of every pixel of images in [-1, 1], of any size.

        Raises:
            UserError: they are grey, and it has learnt from colours, or the other way round.
        """
        if images.shape[1] != (channels := self.examples.shapes["image"][0]):
            got = f"the segmenter has learnt from images of {channels} channels, and these have {images.shape[1]}"
            raise UserError(f"{got}: set data.channels={channels}, or name another metrics.judge_run")
        seen, size = images.to(self.device), images.shape[-2:]
        if self.resize and size != self.size:
            seen = F.interpolate(seen, self.size, mode="bilinear", antialias=True)
        with self.kept_generator(weights) as network:
            logits = network(seen)
        return F.interpolate(logits, size, mode="bilinear").argmax(1)

    def judge(self, run: str) -> JudgeSegmenter:
        """The averaged weights as a judge, of a run of this name."""
        with self.kept_generator("ema") as network:
            identity = weights_digest(network.state_dict())
        return JudgeSegmenter(lambda x: self.to(x.device).segment(x), self.num_classes, identity, run)

    def aim(self, wishes: Mapping[str, str]) -> None:
        """Refuses every wish: nothing is drawn."""
        if wishes:
            raise UserError(f"{next(iter(wishes))} is for models that draw images: {WHOLE} reads them")

    def sample(self, first: int, count: int, *, seed: int, weights: Weights = "ema") -> Tensor:
        """The classes of examples first … first + count, in their colours."""
        return label_pictures(self.segment(self.examples.batch(first, count)["image"], weights=weights))

    def pictures(self, count: int, *, seed: int) -> dict[str, Tensor]:
        """The classes of the examples, and beside them image and label map."""
        batch = self.examples.batch(0, min(count, len(self.examples)))
        found = self.sample(0, len(batch["image"]), seed=seed)
        strip = (batch["image"].expand_as(found), found, label_pictures(batch["label_map"]))
        return {"images": found, "input_result_target": torch.cat(strip, -1)}

    def sample_ids(self, count: int, *, seed: int) -> list[str]:
        """Names of the examples."""
        return self.examples.ids(count)

    def measure(self, protocol: Any, data: Any, *, split: str, seed: int, weights: Weights, cache_dir: Path) -> Scores:
        """Runs a protocol of `freqgan.metrics` on the label maps of a split."""
        names = data.dataset(split).class_names or [str(number) for number in range(self.num_classes)]
        segment, samples = partial(self.segment, weights=weights), partial(data.evaluation_pairs, split)
        return measure_segmented(segment, samples, protocol, names)

    def describe(self) -> list[dict[str, str | int]]:
        """The one network."""
        makes = f"{self.num_classes} classes of every pixel"
        return [{"network": type(self.generator).__name__, "makes": makes, "parameters": self.trained_parameters}]


def _labelled(batch: Batch) -> Batch:
    if "label_map" not in batch:
        raise UserError("the data have no label maps: choose data=label_folder, or data=scenes")
    return batch
