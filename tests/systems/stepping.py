"""Systems that take steps without Lightning's Trainer."""

from typing import Any, TypeVar

from freqgan.systems import System

NORMS = {"gradient_norm/generator", "gradient_norm/discriminator"}  # of every method, beside its terms
Some = TypeVar("Some", bound=System)


def without_trainer(system: Some) -> Some:
    """The system with what its training step asks of a Trainer: optimisers and a backward pass."""
    optimizers: Any = system.configure_optimizers()
    system.optimizers = lambda: optimizers  # type: ignore[method-assign, assignment]
    system.manual_backward = lambda loss: loss.backward()  # type: ignore[method-assign, assignment, misc]
    return system
