"""The training step that every method shares: who is updated, when, with which weights; methods say only what is lost.

A method is three functions: `synthesize`, `generator_terms` and `discriminator_terms`. This base owns phases, the order
of the players, critic-only updates, lazy terms, accumulation, clipping, the check that numbers are finite, the moving
average of the generator, learning rates and the clock. One Lightning batch is one whole step, so any batch boundary is
a point from which a run continues exactly.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, ClassVar, Unpack

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from freqgan.data.stream import Draws
from freqgan.errors import UserError
from freqgan.networks.resting import resting
from freqgan.ops.global_batch import gather_rows, rank, world_size
from freqgan.ops.keyed_random import key, torch_generator
from freqgan.systems.batches import detached, split
from freqgan.systems.clock import Clock
from freqgan.systems.examples import Examples
from freqgan.systems.gradients import bound_weights, settle_gradients
from freqgan.systems.loading import loaded, take
from freqgan.systems.moving_average import MovingAverage
from freqgan.systems.parallel import agree
from freqgan.systems.phases import Phases
from freqgan.systems.problems import problems
from freqgan.systems.rules import Batch, Known, Outputs, Part, Player, Rows, Rules, Scores, Terms, Weights


class System(pl.LightningModule, ABC):
    """Two players and the rules of their game.

    Args:
        generator: the network that is kept.
        discriminator: its opponent; None for a method without one.
        **rules: see `freqgan.systems.rules.Rules`.

    Raises:
        UserError: a rule names what the method does not have, or leaves nothing to train.
    """

    TERMS: ClassVar[Known]
    FOR_USE: ClassVar[tuple[str, ...]] = ()  # parts that samples are made with beside the generator
    JUDGES: ClassVar[tuple[str, ...]] = ("generation",)  # kinds of protocols that fit its results, the best one first
    VERB: ClassVar[str] = "sample"  # of the command that makes pictures with an exported generator
    DRAWS: ClassVar[Draws] = "single"  # what it trains on: samples, pairs, or a picture of each of two domains

    def __init__(self, *, generator: nn.Module, discriminator: nn.Module | None, **rules: Unpack[Rules]) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.generator = generator
        self.discriminator = discriminator
        if lines := list(problems(rules, self.TERMS, self.players())):
            raise UserError(*lines)
        self.ema = MovingAverage(
            generator, halflife=rules.get("ema_halflife", 10_000.0), rampup=rules.get("ema_rampup", 0.05)
        )
        self.optim = rules["optim"]
        self.terms = {player: dict(terms) for player, terms in rules["terms"].items()}
        self.phases = Phases(rules.get("phases") or [], self.terms, self.players())
        self.every = dict(rules.get("every", {}))
        self.order = rules.get("order", "discriminator_first")
        self.n_critic, self.accumulate = rules.get("n_critic", 1), rules.get("accumulate", 1)
        self.clip, self.weight_clip = rules.get("clip"), rules.get("weight_clip")
        self.seed, self.clock = rules.get("seed", 0), rules.get("clock") or Clock()
        self.rows = Rows()
        self.notes: Terms = {}  # what a step logs beside its terms, by `player/name`
        self.inner: list[System] = []  # whose networks are part of these
        self.examples: Examples | None = None  # of a method that makes images of images, in place of chance
        self._carried: dict[str, Tensor] = {}

    @abstractmethod
    def calibrate(self, data: Any) -> None:
        """Measures on the training split what a fresh run has to know before its first step."""

    @abstractmethod
    def synthesize(self, batch: Batch) -> Outputs:
        """The generator's one forward pass of a step: `image`, the results (b, c, h, w), and what the terms need."""

    @abstractmethod
    def generator_terms(self, batch: Batch, outputs: Outputs) -> Terms:
        """Named scalars that the generator minimises; `band/term` counts as `term` of a band."""

    @abstractmethod
    def discriminator_terms(self, batch: Batch, outputs: Outputs) -> Terms:
        """Named scalars that the discriminator minimises; the outputs are detached."""

    @abstractmethod
    def sample(self, first: int, count: int, *, seed: int, weights: Weights = "ema") -> Tensor:
        """Images (count, c, h, w) in [-1, 1] of samples first … first + count, each a function of (seed, number)."""

    @abstractmethod
    def aim(self, wishes: Mapping[str, str]) -> None:
        """Has samples made from something given instead of chance; raises a UserError for what the method cannot."""

    @abstractmethod
    def pictures(self, count: int, *, seed: int) -> dict[str, Tensor]:
        """Batches to be looked at, in [-1, 1], by name; `images` are the method's results."""

    @abstractmethod
    def sample_ids(self, count: int, *, seed: int) -> list[str]:
        """What each of the first `count` samples is made from; equal ids in two runs ask for the same picture."""

    @abstractmethod
    def measure(self, protocol: Any, data: Any, *, split: str, seed: int, weights: Weights, cache_dir: Path) -> Scores:
        """What a protocol says of this system's results against a split of the data."""

    @abstractmethod
    def describe(self) -> list[dict[str, str | int]]:
        """A row for every game: its name first, shapes as text, parameters of its networks as numbers."""

    def draw(self, purpose: str, make: Callable[[torch.Generator, int], Tensor]) -> Tensor:
        """This process's rows of a draw made for the whole global batch, so that it does not depend on processes.

        Args:
            purpose: separates the draws of one step.
            make: draws n rows from a generator.
        """
        first, end, total = self.rows
        rows = make(torch_generator(self.seed, purpose, self.clock.images_seen), total)[first:end]
        return rows.to(self.device, non_blocking=True)

    def carry(self, rows: dict[str, Tensor]) -> None:
        """Keeps rows of this process's batch for the next step, over a checkpoint too."""
        self._carried = {name: value.detach() for name, value in rows.items()}

    def carried(self, count: int) -> dict[str, Tensor] | None:
        """What the last step left; None in the first, and where a batch is not of `count` rows any more."""
        fits = {len(rows) for rows in self._carried.values()} == {count}
        return {name: rows.to(self.device) for name, rows in self._carried.items()} if fits else None

    def wants(self, player: Player, term: str) -> bool:
        """Whether a term is computed in this step."""
        updates = self.clock.generator_updates if player == "generator" else self.clock.steps
        due = updates % self.every.get(term, 1) == 0
        return due and self.phases.terms(player).get(term, 0.0) != 0.0

    def due(self, every_images: int | None, *, share: float) -> bool:
        """Whether the last step passed a multiple of `every_images`, or of this share of the budget where None."""
        every = every_images or round((self.clock.end or 0) * share)
        return every > 0 and self.clock.crossed(every, self.rows.total)

    @contextmanager
    def kept_generator(self, weights: Weights) -> Iterator[nn.Module]:
        """The generator in evaluation mode, without gradients; with its averaged weights in place unless `raw`."""
        network = self.generator
        with resting(network), torch.no_grad(), self.ema.in_place(network) if weights == "ema" else nullcontext():
            yield network

    def players(self) -> dict[Player, nn.Module]:
        """The networks that are trained, by player."""
        both: dict[Player, nn.Module] = {"generator": self.generator}
        return both | ({"discriminator": self.discriminator} if self.discriminator is not None else {})

    @property
    def trained_parameters(self) -> int:
        """Number of weights that are trained."""
        return sum(weight.numel() for network in self.players().values() for weight in network.parameters())

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        """One optimiser per player, in the order of `players`."""
        return [self.optim.build(player, network.parameters()) for player, network in self.players().items()]

    def training_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        """One whole step: every player that is due is updated once. Returns the terms, by `player/term`."""
        torch.manual_seed(key(self.seed, "step", self.clock.images_seen, rank()))
        self.begin_phases()
        critic = self.phases.plays("discriminator")
        due = self.phases.plays("generator") and (not critic or (self.clock.steps + 1) % self.n_critic == 0)
        several, number = len(self.phases.all) > 1, self.phases.number
        self.notes = {"phase": torch.tensor(float(number), device=self.device)} if several else {}
        parts = split(batch, self.accumulate)
        # One forward pass serves both players; parts make their own for each, since keeping them all saves no memory.
        outputs = [self.forward_part(parts[0], graph=due)] if len(parts) == 1 else [None] * len(parts)
        turns: dict[Player, bool] = {"discriminator": critic, "generator": due}
        log: dict[str, Tensor] = {}
        for player in turns if self.order == "discriminator_first" else reversed(turns):
            log |= self._turn(player, parts, outputs) if turns[player] else {}
        if due:
            images = self.rows.total * (self.n_critic if critic else 1)
            self.ema.update(self.generator, images, seen=self.clock.images_seen)
        self.clock.advance(self.rows.total, generator=due)
        if self.clock.minutes is not None:
            self.clock.measured = agree(self.clock.measured)
        return log | self.notes

    def begin_phases(self) -> None:
        """Does what comes at the start of a phase, if one begins at this step."""
        for phase in self.phases.beginning(self.clock.progress):
            take(phase.get("load"), self.players(), self.ema.module)
            if phase.get("fresh_optimizers"):
                for optimizer in self._optimizers().values():
                    optimizer.state.clear()
            self.phases.thaw()

    def forward_part(self, part: Part, *, graph: bool) -> Outputs:
        """`synthesize` for one part, with a gradient graph or without."""
        batch, self.rows = part
        with torch.set_grad_enabled(graph):
            return self.synthesize(batch)

    def _turn(self, player: Player, parts: Sequence[Part], outputs: Sequence[Outputs | None]) -> Terms:
        """Updates one player; the other one's weights take no gradient meanwhile."""
        self.phases.give_gradients(player)
        optimizer = self._optimizers()[player]
        optimizer.zero_grad(set_to_none=True)
        log: Terms = {}
        for part, shared in zip(parts, outputs, strict=True):
            output = shared if shared is not None else self.forward_part(part, graph=player == "generator")
            batch, self.rows = part
            terms = (
                self.generator_terms(batch, output)
                if player == "generator"
                else self.discriminator_terms(batch, detached(output))
            )
            share = (self.rows.end - self.rows.first) * world_size() / self.rows.total
            loss = self.weighted(player, terms) * share
            if loss.requires_grad:  # not where no term is due, or all are functions of what rests
                self.manual_backward(loss)
            for name, value in terms.items():
                log[f"{player}/{name}"] = log.get(f"{player}/{name}", 0) + value.detach() * share
        if any(weight.grad is not None for weight in self.phases.moving[player]):
            self._update(player, optimizer, log)
        self.phases.give_gradients(*self.players())
        return log

    def _optimizers(self) -> dict[Player, Any]:
        found: Any = self.optimizers()
        return dict(zip(self.players(), found if isinstance(found, list) else [found], strict=True))

    def weighted(self, player: Player, terms: Terms) -> Tensor:
        """The sum of a player's terms, each with its weight; those without are left out."""
        total, weights = torch.zeros((), device=self.device), self.phases.terms(player)
        for name, value in terms.items():
            term = name.rsplit("/", 1)[-1]
            if weights[term]:
                total = total + value * (weights[term] * self.every.get(term, 1))
        return total

    def _update(self, player: Player, optimizer: Any, log: Terms) -> None:
        """One step of the optimiser."""
        settle_gradients(player, self.phases.moving[player], log, clip=self.clip, images_seen=self.clock.images_seen)
        phase, within = self.phases.optim(self.clock.progress)
        self.optim.apply(optimizer, player, self.clock.progress, phase=phase, within=within)
        optimizer.step()
        if player == "discriminator" and self.weight_clip is not None:
            bound_weights(self.phases.moving[player], self.weight_clip)
        # The cast copies of these weights that autocast keeps within a step are stale from here on.
        torch.clear_autocast_cache()

    @property
    def device(self) -> torch.device:
        """Where the generator lies; Lightning's own is not kept for a system inside another one."""
        return next(self.generator.parameters()).device

    def on_fit_start(self) -> None:
        """A fresh run measures what it needs; a resumed one has it in its checkpoint."""
        for phase in self.phases.all[self.phases.begun :]:
            loaded(phase.get("load"), self.players())  # what would fail at its start fails now
        if self.clock.images_seen == 0:
            self.calibrate(self.trainer.datamodule)  # type: ignore[attr-defined]
            self.begin_phases()
            self.ema.restart(self.generator)
        self.phases.thaw()

    def on_train_start(self) -> None:
        """Time runs from the first step; a run that was stopped behind its last one takes none."""
        self.clock.start()
        self.trainer.should_stop = self.clock.finished

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        """Ends training when the budget is used up."""
        self.trainer.should_stop = self.trainer.should_stop or self.clock.finished

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """The average has a key of its own; the clock replaces Lightning's loop counters, which are no position."""
        state = checkpoint["state_dict"]
        checkpoint["ema"] = {name: state.pop(name) for name in [n for n in state if n.startswith("ema.")]}
        checkpoint["clock"] = self.clock.state_dict()
        checkpoint["phases_begun"] = self.phases.begun
        systems = (self, *self.inner)
        checkpoint["carried"] = [{name: gather_rows(rows) for name, rows in s._carried.items()} for s in systems]
        checkpoint["global_step"] = self.clock.steps
        checkpoint.pop("loops", None)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Undoes `on_save_checkpoint`."""
        checkpoint["state_dict"] = checkpoint["state_dict"] | checkpoint["ema"]
        self.clock.load_state_dict(checkpoint["clock"])
        self.phases.begun = checkpoint.get("phases_begun", 0)
        for system, carried in zip((self, *self.inner), checkpoint["carried"], strict=True):
            system._carried = {name: rows.chunk(world_size())[rank()] for name, rows in carried.items()}
