"""What a training step will cost, from a step on the meta device: nothing is allocated and nothing is computed."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from math import lcm
from typing import Any, final

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from freqgan.systems.base import System
from freqgan.systems.batches import detached, split
from freqgan.systems.rules import Batch, Part, Player, Terms

OPTIMIZER_COPIES = 4  # weight, gradient and Adam's two moments


@final
@dataclass(frozen=True)
class StepCost:
    """Cost of one whole step.

    Attributes:
        flops: floating-point operations, a multiply-add counting two; norms and activations are left out. Of phases
            the mean over the budget.
        activation_bytes: what a part of the batch keeps for its gradients, in float32, in the phase that keeps most.
        state_bytes: weights, gradients, optimiser state and the generator's average.
    """

    flops: int
    activation_bytes: int
    state_bytes: int


def step_cost(system: System, batch: Batch) -> StepCost:
    """Runs one step's passes on the meta device, for every phase by itself.

    Args:
        system: built on the meta device.
        batch: tensors on the meta device; the first of its `accumulate` parts is run.
    """
    phases, parts, flops, kept = system.phases, split(batch, system.accumulate), 0.0, 0
    for number, share in enumerate(phases.shares, 1):
        phases.begun = number
        phases.thaw()
        of_part, bytes_of_part = _cycle(system, parts[0])
        flops, kept = flops + share * of_part * len(parts), max(kept, bytes_of_part)
    phases.begun = 0
    phases.thaw()
    average = sum(p.numel() for p in system.ema.parameters())
    return StepCost(round(flops), kept, 4 * (OPTIMIZER_COPIES * system.trained_parameters + average))


def _cycle(system: System, part: Part) -> tuple[float, int]:
    """Operations of a step in the present phase, over all turns of players and lazy terms; the most that one keeps."""
    clock, phases = system.clock, system.phases
    critic = phases.plays("discriminator")
    every = system.n_critic if critic and phases.plays("generator") else 1
    of_generator, of_critic = _intervals(system, "generator"), _intervals(system, "discriminator")
    length = lcm(every * lcm(*of_generator), *of_critic)
    known: dict[tuple[Any, ...], tuple[int, int]] = {}
    total = most = 0
    for clock.steps in range(length):
        due = (clock.steps + 1) % every == 0
        lazy = [clock.steps % n == 0 for n in of_critic]
        turn = (due, *lazy, *(due and clock.generator_updates % n == 0 for n in of_generator))
        if turn not in known:
            known[turn] = _passes(system, part, generator=due)
        total, most = total + known[turn][0], max(most, known[turn][1])
        clock.generator_updates += due
    clock.steps = clock.generator_updates = 0
    return total / length, most


def _intervals(system: System, player: Player) -> list[int]:
    """Those of a player's lazy terms in the present phase."""
    return [n for term, n in system.every.items() if system.phases.terms(player).get(term)]


def _passes(system: System, part: Part, *, generator: bool) -> tuple[int, int]:
    """Operations for a part of a batch in the present step, and the bytes that are kept for its gradients."""
    kept, phases = _Kept(), system.phases
    with _Operations() as operations, saved_tensors_hooks(kept.pack, lambda tensor: tensor):
        outputs = system.forward_part(part, graph=phases.plays("generator") and generator)
        losses: dict[Player, Callable[[], Terms]] = {
            "discriminator": lambda: system.discriminator_terms(part[0], detached(outputs)),
            "generator": lambda: system.generator_terms(part[0], outputs),
        }
        for player, terms in losses.items():
            phases.give_gradients(player)
            plays = phases.plays(player) and (generator or player == "discriminator")
            loss = system.weighted(player, terms()) if plays else None
            if loss is not None and loss.requires_grad:
                loss.backward()
    return operations.count, kept.bytes


@final
class _Operations(TorchDispatchMode):
    """Counts those of convolutions and matrix products; PyTorch's own counter refuses gradients inside a loss."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if (operations := flop_registry.get(func._overloadpacket)) is not None:
            self.count += operations(*args, **(kwargs or {}), out_val=result)
        return result


@final
class _Kept:
    """Bytes of the distinct tensors that a graph saves."""

    def __init__(self) -> None:
        self.bytes = 0
        self._seen: dict[int, Any] = {}

    def pack(self, tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in self._seen:
            self._seen[storage._cdata] = storage  # held, so that its address is not used again
            self.bytes += storage.nbytes()
        return tensor


def speed(*, bf16: bool, layout: torch.memory_format, device: torch.device) -> float:
    """Floating-point operations per second of a 3×3 convolution and its backward, measured for a third of a second."""
    x = torch.randn(16, 64, 32, 32, device=device).to(memory_format=layout)
    convolution = torch.nn.Conv2d(64, 64, 3, 1, 1, device=device).to(memory_format=layout)
    flops = 3 * 2 * x.numel() * 64 * 9
    best, end = float("inf"), time.perf_counter() + 0.3
    while time.perf_counter() < end:
        begun = time.perf_counter()
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            loss = F.relu(convolution(x.requires_grad_(True))).float().sum()
        loss.backward()
        if device.type == "cuda":
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - begun)
    return flops / best
