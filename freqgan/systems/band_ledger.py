"""What is noted of every band beside its losses."""

from collections.abc import Collection, Iterator, Mapping
from typing import final

import torch
from torch import Tensor

from freqgan.networks.band_generators import Teacher
from freqgan.networks.resting import resting as at_rest
from freqgan.ops.global_batch import gather_rows
from freqgan.systems.band_game import BandGame
from freqgan.systems.players import Players
from freqgan.systems.rules import Outputs

EVERY_STEPS = 25  # between two notes of all but the accuracies
SORTED = 16_384  # values of a band that its distance is estimated from

Entries = Iterator[tuple[str, Tensor]]


@final
class BandLedger:
    """Names and numbers, as `System.notes` holds them.

    Args:
        players: the networks.
        game: between them.
        gap: whether generators are taught with real bands, so that it matters how well they do without.
    """

    def __init__(self, players: Players, game: BandGame, *, gap: bool) -> None:
        self.players = players
        self.game = game
        self.gap = gap

    def entries(
        self,
        outputs: Outputs,
        real: Mapping[str, Tensor],
        fake: Mapping[str, Tensor],
        resting: Collection[str],
        *,
        step: int,
    ) -> Entries:
        """All of them for one step.

        Args:
            outputs: of the step, detached.
            real: logits of real bands by GAN.
            fake: logits of generated bands by GAN.
            resting: GANs that do not train now.
            step: its number.
        """
        for name, logits in real.items():
            yield f"bands/{name}/accuracy", self.game.loss.accuracy(logits, fake[name])
        if step % EVERY_STEPS:
            return
        yield from band_statistics(outputs["real"], outputs["fake"])
        yield from self.players.shares()
        if self.gap:
            yield from self.gaps(outputs, resting)

    @torch.no_grad()
    def gaps(self, outputs: Outputs, resting: Collection[str]) -> Entries:
        """`<gan>/gap`: how much more real a band looks that is made from real bands than one from generated ones."""
        generators, judges = self.players.generators, self.game.judges
        logits = []
        with at_rest(generators, judges):
            for teacher in (Teacher(outputs["real"]), None):
                bands = generators(outputs["noise"], features=outputs["real_features"], teacher=teacher)
                bands, image = generators.finished(bands)
                made = {"fake": bands, "seen": outputs["real"] if teacher else bands, "image": image}
                logits.append(self.game.logits(outputs | made, "fake", resting))
        for name, taught in logits[0].items():
            yield f"bands/{name}/gap", taught.mean() - logits[1][name].mean()


def band_statistics(real: Mapping[str, Tensor], fake: Mapping[str, Tensor]) -> Entries:
    """`<band>/energy`, the generated band's over the real one's, and `<band>/distance` of their values.

    The distance is Wasserstein-1 over the values of the global batch, in deviations of the real ones: 0 if equal.
    """
    for name, band in real.items():
        ours, theirs = (gather_rows(values.detach().float()).flatten() for values in (fake[name], band))
        yield f"bands/{name}/energy", ours.square().mean() / theirs.square().mean().clamp_min(1e-12)
        step = max(1, ours.numel() // SORTED) | 1  # an odd one comes by every column of a map of even width
        difference = ours[::step].sort().values - theirs[::step].sort().values
        yield f"bands/{name}/distance", difference.abs().mean() / theirs.std().clamp_min(1e-6)
