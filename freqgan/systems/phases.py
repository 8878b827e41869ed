"""Phases of a run: warm starts, and nets that are trained in stages, as functions of the budget's progress.

A phase says what is different while it lasts: weights of the terms, parts that rest, settings of the optimisers. It may
begin with weights of another run and with optimisers that remember nothing. As a model's config has them:

    phases: # super-resolution: L1 alone, then the whole loss at a tenth of the learning rate
      - {until: 0.6, terms: {generator: {perceptual: 0, adversarial: 0}, discriminator: {adversarial: 0}}}
      - {fresh_optimizers: true, optim: {lr: 2e-5}}

    phases: # pix2pixHD: an enhancer around the global generator of another run, which rests at first; then both
      - {until: 0.1, frozen: [generator.coarse], load: {run: outputs/coarse, parts: {generator.coarse: generator}}}
      - {fresh_optimizers: true}
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import final

from torch import nn

from freqgan.systems.loading import submodule
from freqgan.systems.rules import Phase, Player, PlayerTerms, weights_in
from freqgan.systems.schedules import PhaseOptim


@final
class Phases:
    """Where a run is in its phases, and what holds there; without any, the whole run is one.

    A phase that has begun is not gone back to, even if the budget grows.

    Args:
        phases: in their order.
        terms: weights where a phase says nothing else.
        networks: by player.

    Attributes:
        begun: number of phases that have begun; kept in checkpoints.
        moving: the weights that the optimisers change now, by player.
    """

    def __init__(self, phases: Sequence[Phase], terms: PlayerTerms, networks: Mapping[Player, nn.Module]) -> None:
        self.all: tuple[Phase, ...] = tuple(phases) or (Phase(),)
        self.ends = [1.0 if (end := phase.get("until")) is None else end for phase in self.all]
        self.begun = 0
        self._terms, self._networks = terms, networks
        self.thaw()

    @property
    def number(self) -> int:
        """Of the phase that the run is in, from 0."""
        return max(self.begun - 1, 0)

    @property
    def now(self) -> Phase:
        """The phase that the run is in."""
        return self.all[self.number]

    @property
    def shares(self) -> list[float]:
        """Share of the budget of each phase; they sum to 1."""
        return [end - start for start, end in zip([0.0, *self.ends], [*self.ends[:-1], 1.0], strict=False)]

    def beginning(self, progress: float) -> Iterator[Phase]:
        """The phases that begin at this progress of the budget: none but in a phase's first step."""
        due = next((i for i, end in enumerate(self.ends) if progress < end), len(self.all) - 1)
        while self.begun <= due:
            self.begun += 1
            yield self.now

    def terms(self, player: Player) -> dict[str, float]:
        """Weight of each term of a player."""
        return weights_in(self.now, self._terms, player)

    def plays(self, player: Player) -> bool:
        """Whether a player has weights that move, and something to minimise by them."""
        return bool(self.moving.get(player)) and any(self.terms(player).values())

    def optim(self, progress: float) -> tuple[PhaseOptim, float]:
        """Settings of the optimisers that differ, and the progress of the phase for that of the budget."""
        start = self.ends[self.number - 1] if self.number else 0.0
        return self.now.get("optim") or {}, (progress - start) / self.shares[self.number]

    def thaw(self) -> None:
        """Has what rests in this phase rest, and all else move."""
        for network in self._networks.values():
            network.train().requires_grad_(True)
        for part in self.now.get("frozen", []):
            submodule(self._networks, part).eval().requires_grad_(False)
        # Listed once a phase: walking the modules costs as much as a small network's optimiser step.
        self.moving = {p: [w for w in n.parameters() if w.requires_grad] for p, n in self._networks.items()}

    def give_gradients(self, *players: Player) -> None:
        """The moving weights of these players alone take gradients."""
        for player, weights in self.moving.items():
            for weight in weights:
                weight.requires_grad_(player in players)
