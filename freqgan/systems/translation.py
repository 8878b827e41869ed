"""What systems of translation have in common: use, examples and measuring; not what they learn."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Unpack

import torch
from jaxtyping import Float
from torch import Tensor, nn

from freqgan.errors import UserError
from freqgan.limits import Count
from freqgan.networks import Translator
from freqgan.ops.keyed_random import key
from freqgan.systems.base import System
from freqgan.systems.examples import Examples
from freqgan.systems.exhibiting import Exhibit, Exhibiting
from freqgan.systems.measuring import measure_translated
from freqgan.systems.rules import Batch, Rules, Scores, Weights
from freqgan.systems.translating import Direction, Translating, domains_of, sides


class Translation(System, Translating, Exhibiting, ABC):
    """Networks that make images of one domain of those of another.

    Args:
        generator: the networks that translate.
        discriminator: those that judge, or None.
        directions: that the system translates in.
        image_size: side of the training images, or height and width, and so of the examples.
        channels: channels of the images.
        examples: validation pairs that are kept to be looked at.
        **rules: see `freqgan.systems.rules.Rules`.
    """

    JUDGES, VERB = ("translation", "label_to_image"), "translate"
    examples: Examples

    def __init__(
        self,
        *,
        generator: nn.Module,
        discriminator: nn.Module | None,
        directions: tuple[Direction, ...],
        image_size: int | Sequence[int],
        channels: int,
        examples: Count,
        **rules: Unpack[Rules],
    ) -> None:
        super().__init__(generator=generator, discriminator=discriminator, **rules)
        self.directions = directions
        height, width = [image_size] * 2 if isinstance(image_size, int) else image_size
        shape = (channels, height, width)
        self.examples = Examples(examples, {"image": shape, "image_b": shape})

    @abstractmethod
    def network(self, direction: Direction) -> Translator:
        """The network that translates in a direction."""

    @property
    def stride(self) -> int:
        """See `Translating`."""
        return self.network(self.directions[0]).stride

    @property
    def halo(self) -> int | None:
        """See `Translating`."""
        return self.network(self.directions[0]).halo

    @abstractmethod
    def parts(self) -> Iterable[tuple[str, str, nn.Module]]:
        """Every network with its name and what it makes."""

    @abstractmethod
    def validation(self, data: Any, count: int) -> Iterable[Batch]:
        """The first validation images of both domains, one by one."""

    @abstractmethod
    def strips(self, batch: Batch, *, seed: int) -> dict[str, Tensor]:
        """Pictures of the examples and what became of them, side by side."""

    def calibrate(self, data: Any) -> None:
        """Keeps examples."""
        self.examples.keep(self.validation(data, self.examples.count))

    def translate(
        self,
        images: Float[Tensor, "b i h w"],
        *,
        direction: Direction | None = None,
        weights: Weights = "ema",
        seed: int = 0,
    ) -> Float[Tensor, "b o h w"]:
        """The results, one by one where a network looks at all of an image, and so perhaps at a whole batch."""
        images, network = images.to(self.device), self.network(self.direction(direction))
        cuda = [images.device] if images.device.type == "cuda" else []
        results = []
        with self.kept_generator(weights), torch.random.fork_rng(cuda):
            for part in images.split(1 if network.halo is None else len(images)):
                torch.manual_seed(key(seed, "translation"))  # the same dropout for every image
                results.append(network(part))
        return torch.cat(results).float().clamp(-1, 1)

    def aim(self, wishes: Mapping[str, str]) -> None:
        """Refuses every wish: results follow from what they are made of."""
        if wishes:
            raise UserError(f"{next(iter(wishes))} is for models that draw images, this one translates them")

    def sample(self, first: int, count: int, *, seed: int, weights: Weights = "ema") -> Tensor:
        """Results of the first direction for examples first … first + count, see `freqgan.systems.examples`."""
        source, _ = sides(self.examples.batch(first, count), self.directions[0])
        return self.translate(source, weights=weights, seed=seed)

    def pictures(self, count: int, *, seed: int) -> dict[str, Tensor]:
        """Results of the first direction for the examples, and strips of what they are made of and became."""
        shown = min(count, len(self.examples))
        return {"images": self.sample(0, shown, seed=seed), **self.strips(self.examples.batch(0, shown), seed=seed)}

    def sample_ids(self, count: int, *, seed: int) -> list[str]:
        """Names of the examples."""
        return self.examples.ids(count)

    def measure(self, protocol: Any, data: Any, *, split: str, seed: int, weights: Weights, cache_dir: Path) -> Scores:
        """Runs a protocol of `freqgan.metrics` on a split, in every direction."""
        translate = {d: partial(self.translate, direction=d, weights=weights) for d in self.directions}
        varied = any(self.network(direction).noisy for direction in self.directions)
        return measure_translated(translate, protocol, data, split, cache_dir, seed=seed, varied=varied)

    def exhibits(self, data: Any, *, split: str, seed: int, weights: Weights) -> dict[str, list[Exhibit]]:
        """By direction, as many as there are examples: input, result, the way back if there is one, and the target."""
        translate = partial(self.translate, weights=weights, seed=seed)
        found: dict[str, list[Exhibit]] = {}
        for direction in self.directions:
            back = next((other for other in self.directions if other != direction), None)
            source, _ = domains_of(direction)
            for sample in data.evaluation_domain(split, source, limit=self.examples.count, targets=True):
                pictures = {"input": sample["image"], "result": translate(sample["image"], direction=direction)}
                if back is not None:
                    pictures["back"] = translate(pictures["result"], direction=back)
                if "target" in sample:
                    pictures["target"] = sample["target"]
                exhibit = Exhibit(sample["name"], {kind: image[0].cpu() for kind, image in pictures.items()})
                found.setdefault("_to_".join(direction), []).append(exhibit)
        return found

    def describe(self) -> list[dict[str, str | int]]:
        """A row per network."""
        return [
            {"network": name, "makes": makes, "parameters": sum(w.numel() for w in network.parameters())}
            for name, makes, network in self.parts()
        ]
