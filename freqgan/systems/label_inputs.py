"""What the networks of label-to-image synthesis are given: labels and instances as channels, or an image.

Reference: Wang et al. 2018, §3.3: raw ids differ from image to image and so does their number, whereas a map of where
instances end tells neighbours apart and does not depend on what they are called.
"""

from collections.abc import Sequence
from typing import Literal, final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from freqgan.errors import UserError
from freqgan.ops.instances import boundaries, derived, numbers, one_hot, regions
from freqgan.ops.palette import label_pictures
from freqgan.systems.rules import Batch
from freqgan.systems.translating import sides

Kind = Literal["boundary", "raw_ids", "one_hot_ids", "none"]


@final
class LabelInputs:
    """Channels for each pixel: its class, and something of its instance; or, without labels, those of an image.

    Args:
        num_classes: ids of the label maps, 0 included; any other id is don't-care. None for the label-free mode, where
            pairs of two domains are learnt, A to B.
        kind: what stands beside the classes: a map of where instances end; the instances' numbers within their image,
            in one channel or in one each; nothing.
        channels: of the images.
        max_instances: channels of `one_hot_ids`, which further instances are not in; the number that is 1 in `raw_ids`.
        things: classes whose connected parts are instances where the data have labels alone; each other class is one.

    Attributes:
        width: channels in all.
    """

    def __init__(
        self, *, num_classes: int | None, kind: Kind, channels: int, max_instances: int, things: Sequence[int]
    ) -> None:
        if strange := [label for label in things if num_classes is None or not 0 <= label < num_classes]:
            raise UserError(f"model.things: {strange[0]} is no class of data.num_classes={num_classes}: leave it out")
        self.num_classes, self.kind, self.channels = num_classes, kind, channels
        self.max_instances, self.things = max_instances, tuple(things)
        beside = {"boundary": 1, "raw_ids": 1, "one_hot_ids": max_instances, "none": 0}
        self.width = channels if num_classes is None else num_classes + beside[kind]

    def shapes(self, height: int, width: int) -> dict[str, tuple[int, ...]]:
        """Of what a sample consists of, by name."""
        image = (self.channels, height, width)
        if self.num_classes is None:
            return {"image": image, "image_b": image}
        return {"image": image, "label_map": (height, width), "instance_map": (height, width)}

    def completed(self, batch: Batch) -> Batch:
        """The batch with instances, which are derived from the labels if the data have none.

        Raises:
            UserError: there are no labels either; or no images of domain B, of a model without labels.
        """
        if self.num_classes is None:
            sides(batch, "ab")
            return batch
        labels = self._labels(batch)
        return batch if "instance_map" in batch else batch | {"instance_map": derived(labels, self.things)}

    def regions(self, batch: Batch) -> Int[Tensor, "b h w"]:
        """A number for each instance of a completed batch, see `freqgan.ops.instances`."""
        return regions(self._labels(batch), batch["instance_map"])

    def condition(self, batch: Batch) -> Float[Tensor, "b i h w"]:
        """What an image is made of, given a completed batch."""
        if self.num_classes is None:
            image: Tensor = batch["image"]
            return image
        classes = one_hot(self._labels(batch), self.num_classes)
        match self.kind:
            case "boundary":
                return torch.cat((classes, boundaries(self.regions(batch))), 1)
            case "raw_ids":
                return torch.cat((classes, numbers(batch["instance_map"]).unsqueeze(1) / self.max_instances), 1)
            case "one_hot_ids":
                return torch.cat((classes, one_hot(numbers(batch["instance_map"]), self.max_instances)), 1)
            case "none":
                return classes

    def target(self, batch: Batch) -> Float[Tensor, "b c h w"]:
        """What the image should be."""
        image: Tensor = sides(batch, "ab")[1] if self.num_classes is None else batch["image"]
        return image

    def shown(self, batch: Batch) -> Float[Tensor, "b c h w"]:
        """What is given, to be looked at: an image, or the labels in their colours, in [-1, 1]."""
        if self.num_classes is None:
            return self.condition(batch)
        return label_pictures(self._labels(batch)).to(batch["image"])

    def _labels(self, batch: Batch) -> Tensor:
        if "label_map" not in batch:
            raise UserError("the data have no label maps: choose data=label_folder, or data=scenes")
        labels: Tensor = batch["label_map"]
        return labels
