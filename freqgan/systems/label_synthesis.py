"""Use of a generator that makes images of label maps: looks, examples and measuring; not what it learns."""

from abc import ABC
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Unpack

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from freqgan.errors import UserError
from freqgan.limits import Count
from freqgan.networks import CoarseToFine
from freqgan.ops.keyed_random import key
from freqgan.systems.base import System
from freqgan.systems.examples import Examples
from freqgan.systems.label_drawing import drawn, given_for, halo_of
from freqgan.systems.label_inputs import LabelInputs
from freqgan.systems.label_measuring import Synthesis, measure_synthesized
from freqgan.systems.looks import Looks, clusters
from freqgan.systems.measuring import measure_translated
from freqgan.systems.remembering import Remembering
from freqgan.systems.rules import Batch, Rules, Scores, Weights
from freqgan.systems.translating import Direction, Translating

SHOWN_LOOKS = 4
LOOKED_AT = 200  # training images, at most, whose instances are sorted into clusters


class LabelSynthesis(System, Remembering, Translating, ABC):
    """A system whose generator makes images of label maps, or of images in their place, which are then translated.

    Args:
        generator: its input has the features of instances behind everything else, if it has an encoder.
        discriminator: what judges, or None.
        inputs: what it is given.
        image_size: side of the training images, or height and width, and so of the examples.
        examples: validation samples that are kept to be looked at.
        **rules: see `freqgan.systems.rules.Rules`.
    """

    JUDGES = ("label_to_image", "generation", "translation")
    generator: CoarseToFine
    examples: Examples

    def __init__(
        self,
        *,
        generator: CoarseToFine,
        discriminator: nn.Module | None,
        inputs: LabelInputs,
        image_size: int | Sequence[int],
        examples: Count,
        **rules: Unpack[Rules],
    ) -> None:
        super().__init__(generator=generator, discriminator=discriminator, **rules)
        self.inputs = inputs
        self.directions = ("ab",) if inputs.num_classes is None else ()
        height, width = [image_size] * 2 if isinstance(image_size, int) else image_size
        self.examples = Examples(examples, inputs.shapes(height, width))

    def calibrate(self, data: Any) -> None:
        """Keeps examples.

        Raises:
            UserError: `things` are named, and the data tell instances already.
        """
        if self.inputs.things and any("instance_map" in sample for sample in data.evaluation_pairs("val", limit=1)):
            got = f"model.things={list(self.inputs.things)}: the data have instance maps, or derive them"
            raise UserError(f"{got}: set it to [], and data.source.things for a folder of label maps")
        self.examples.keep(map(self.inputs.completed, data.evaluation_pairs("val", limit=self.examples.count)))

    def remember(self, data: Any) -> None:
        """Sorts instances of training images into clusters, by the averaged weights of the encoder."""
        if self.generator.encoder is None:
            return
        samples = map(self.inputs.completed, data.evaluation_pairs("train", limit=LOOKED_AT))
        images = ((s["image"].to(self.device), self.inputs.regions(s).to(self.device)) for s in samples)
        with self.kept_generator("ema"):
            found = clusters(self.generator.encoder, images)
        for network in (self.generator, self.ema.module):
            network.encoder.keep(found)  # type: ignore[operator, union-attr]

    def synthesize_labels(
        self,
        label_map: Int[Tensor, "b h w"],
        instance_map: Int[Tensor, "b h w"] | None = None,
        *,
        looks: Looks | None = None,
        weights: Weights = "ema",
        seed: int = 0,
    ) -> Float[Tensor, "b c h w"]:
        """Images in [-1, 1] of label maps of any size, without gradients; each depends on its own map alone.

        Args:
            label_map: ids of classes; any other is don't-care.
            instance_map: ids of instances, one for each object; None derives them from the labels.
            looks: the cluster for an instance, by its label and id; for all others one is drawn.
            weights: of the generator.
            seed: of the draws.

        Raises:
            UserError: the model knows no labels.
        """
        if self.inputs.num_classes is None:
            raise UserError("this model makes images of images, it was trained without labels")
        batch = {"label_map": label_map} | ({} if instance_map is None else {"instance_map": instance_map})
        return self._results(self.inputs.completed(batch), [seed] * len(label_map), weights, looks or {})

    @property
    def stride(self) -> int:
        """See `Translating`."""
        return self.generator.stride

    @property
    def halo(self) -> int | None:
        """See `Translating`."""
        return halo_of(self.generator)

    def translate(
        self, images: Tensor, *, direction: Direction | None = None, weights: Weights = "ema", seed: int = 0
    ) -> Float[Tensor, "b c h w"]:
        """The results of a model without labels, one by one."""
        self.direction(direction)
        return self._results({"image": images}, [seed] * len(images), weights, {})

    def _results(self, batch: Batch, seeds: Sequence[int], weights: Weights, looks: Looks) -> Tensor:
        """One by one, since a network that looks at all of an image may look at the whole batch."""
        tensors = {name: value.to(self.device) for name, value in batch.items() if isinstance(value, Tensor)}
        results = []
        with self.kept_generator(weights):
            for number, seed in enumerate(seeds):
                sample = {name: value[number : number + 1] for name, value in tensors.items()}
                given = given_for(self.generator, self.inputs, sample, looks=looks, seed=seed)
                results.append(drawn(self.generator, given, seed=seed))
        return torch.cat(results)

    def aim(self, wishes: Mapping[str, str]) -> None:
        """Refuses every wish: results follow from what they are made of."""
        if wishes:
            raise UserError(f"{next(iter(wishes))} is for models that draw images of chance, this one is given labels")

    def sample(self, first: int, count: int, *, seed: int, weights: Weights = "ema") -> Tensor:
        """Results for examples first … first + count, see `freqgan.systems.examples`; their looks are drawn."""
        seeds = [key(seed, "example", number) for number in range(first, first + count)]
        return self._results(self.examples.batch(first, count), seeds, weights, {})

    def pictures(self, count: int, *, seed: int) -> dict[str, Tensor]:
        """Results for the examples, what they are made of and should be beside them, and several looks of each."""
        batch = self.examples.batch(0, min(count, len(self.examples)))
        results = self.sample(0, len(batch["image"]), seed=seed)
        real = self.inputs.target(batch)
        given = self.inputs.shown(batch)
        strip = [x.expand(-1, max(len(given[0]), len(real[0])), -1, -1) for x in (given, results, real)]
        found = {"images": results, "input_result_target": torch.cat(strip, -1)}
        if self.generator.encoder is not None:
            several = [self.sample(0, len(results), seed=key(seed, "looks", n)) for n in range(SHOWN_LOOKS)]
            found["looks"] = torch.cat(several, -1)
        return found

    def sample_ids(self, count: int, *, seed: int) -> list[str]:
        """Names of the examples."""
        return self.examples.ids(count)

    def measure(self, protocol: Any, data: Any, *, split: str, seed: int, weights: Weights, cache_dir: Path) -> Scores:
        """Runs a protocol of `freqgan.metrics` on results for the label maps of a split.

        Without labels, results are judged as translations of A to B.
        """
        if self.inputs.num_classes is None:
            translate, varied = partial(self.translate, weights=weights), self.generator.varied
            return measure_translated({"ab": translate}, protocol, data, split, cache_dir, seed=seed, varied=varied)

        def results(batch: Batch, seeds: Sequence[int]) -> Tensor:
            return self._results(batch, seeds, weights, {})

        how = Synthesis(results, self.inputs.completed, self.inputs.num_classes, self.generator.varied)
        return measure_synthesized(how, protocol, data, split, cache_dir, seed=seed)
