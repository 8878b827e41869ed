"""Translation learnt without pairs: CycleGAN and DualGAN, which are one algorithm under different settings.

References: CycleGAN (Zhu et al. 2017, eqs. 1–3 and §5.2's identity loss) plays the least-squares game, shows its
discriminators older images, and its learning rate falls in the second half; DualGAN (Yi et al. 2017, §3) plays
Wasserstein's, with weight clipping or a gradient penalty, updates its critics more often, and wants larger weights of
the way back. What each network learns of one domain's images, its loss has from the other network's results.
Departure: one optimiser and one moving average for both generators, as in CycleGAN's code, in DualGAN too.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, ClassVar, Unpack, final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from freqgan.data.domains import Domain
from freqgan.limits import Count, Natural
from freqgan.losses import AdversarialLoss
from freqgan.networks import Translator
from freqgan.ops.keyed_random import torch_generator
from freqgan.ops.noise import uniform_rows
from freqgan.systems.image_game import ImageGame
from freqgan.systems.image_pool import ImagePool
from freqgan.systems.rules import Batch, Known, Outputs, Rules, Terms
from freqgan.systems.translating import IMAGES, Direction
from freqgan.systems.translation import Translation

INTO: dict[Domain, Direction] = {"a": "ba", "b": "ab"}
OTHER: dict[Domain, Domain] = {"a": "b", "b": "a"}


@final
class UnpairedTranslation(Translation):
    """Two networks, there and back, and a discriminator of each domain.

    Args:
        generator: makes a network; called twice.
        loss: the adversarial pair, of both games.
        discriminator: makes a network that judges images of a domain, given `in_channels`; called twice.
        pool: generated images of each domain that are kept for the discriminators; 0 shows them new ones alone.
        image_size: side of the training images, or height and width.
        channels: channels of the images.
        examples: validation images of each domain that are kept to be looked at.
        **rules: see `freqgan.systems.rules.Rules`.
    """

    DRAWS = "unpaired"
    TERMS: ClassVar[Known] = {
        "generator": ("adversarial", "cycle", "identity"),
        "discriminator": ("adversarial", "r1", "gradient_penalty"),
    }
    generator: nn.ModuleDict
    discriminator: nn.ModuleDict

    def __init__(
        self,
        *,
        generator: Callable[[], Translator],
        loss: AdversarialLoss,
        discriminator: Callable[..., nn.Module],
        pool: Natural = 50,
        image_size: int | Sequence[int],
        channels: int = 3,
        examples: Count = 16,
        **rules: Unpack[Rules],
    ) -> None:
        judges: dict[str, nn.Module] = {domain: discriminator(in_channels=channels) for domain in INTO}
        super().__init__(
            generator=nn.ModuleDict({direction: generator() for direction in sorted(INTO.values())}),
            discriminator=nn.ModuleDict(judges),
            directions=("ab", "ba"),
            image_size=image_size,
            channels=channels,
            examples=examples,
            **rules,
        )
        self.games = {domain: ImageGame(judges[domain], loss) for domain in INTO}
        self.pools = nn.ModuleDict({domain: ImagePool(pool) for domain in INTO})

    def network(self, direction: Direction) -> Translator:
        """That of a direction."""
        network = self.generator[direction]
        assert isinstance(network, Translator)
        return network

    def parts(self) -> Iterator[tuple[str, str, nn.Module]]:
        """Both of each player."""
        for direction in self.directions:
            yield f"generator {direction}", " to ".join(direction), self.generator[direction]
        for domain, judge in self.discriminator.items():
            yield f"discriminator {domain}", "logits", judge

    def validation(self, data: Any, count: int) -> Iterable[Batch]:
        """Images of both domains, which have nothing to do with each other unless the data are pairs."""
        images = (data.evaluation_domain("val", domain, limit=count) for domain in IMAGES)
        pairs = zip(*images, strict=False)
        return ({"image": a["image"], "image_b": b["image"]} for a, b in pairs)

    def synthesize(self, batch: Batch) -> Outputs:
        """A result in each domain; the ways back are the generators' matter alone."""
        fake = {domain: self.network(INTO[domain])(batch[IMAGES[OTHER[domain]]]) for domain in INTO}
        return {"image": fake["b"], "fake": fake}

    def generator_terms(self, batch: Batch, outputs: Outputs) -> Terms:
        """By domain: the adversarial loss, the way there and back, and what should stay as it is."""
        terms: Terms = {}
        for domain, direction in INTO.items():
            real, fake = batch[IMAGES[domain]], outputs["fake"]
            into = self.network(direction)
            if self.wants("generator", "adversarial"):
                terms[f"{domain}/adversarial"] = self.games[domain].generator_term(real, fake[domain])
            if self.wants("generator", "cycle"):
                terms[f"{domain}/cycle"] = F.l1_loss(into(fake[OTHER[domain]]), real)
            if self.wants("generator", "identity"):
                terms[f"{domain}/identity"] = F.l1_loss(into(real), real)
        return terms

    def discriminator_terms(self, batch: Batch, outputs: Outputs) -> Terms:
        """By domain: the adversarial loss with images of the pool, and the penalties that are due."""
        found: Terms = {}
        for domain, game in self.games.items():
            random = torch_generator(self.seed, f"pool {domain}", self.clock.images_seen)
            shown = self.pools[domain](outputs["fake"][domain], rows=self.rows, random=random)
            wants, mix = partial(self.wants, "discriminator"), partial(self.draw, f"mix {domain}", uniform_rows)
            terms, notes = game.discriminator_terms(batch[IMAGES[domain]], shown, wants=wants, mix=mix)
            found |= {f"{domain}/{name}": value for name, value in terms.items()}
            self.notes |= {name.replace("/", f"/{domain}/"): value for name, value in notes.items()}
        return found

    def strips(self, batch: Batch, *, seed: int) -> dict[str, Tensor]:
        """From each domain: the image, its translation, and the way back."""
        strips = {}
        for start, end in OTHER.items():
            image = batch[IMAGES[start]]
            there = self.translate(image, direction=INTO[end], seed=seed)
            back = self.translate(there, direction=INTO[start], seed=seed)
            strips[f"{start}_{end}_{start}"] = torch.cat((image, there, back), -1)
        return strips
