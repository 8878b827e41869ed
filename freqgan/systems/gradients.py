"""What happens to a player's gradients before its optimiser's step, and to its weights after it."""

from collections.abc import Sequence

import torch
from torch import nn

from freqgan.errors import DivergedError
from freqgan.systems.parallel import average_gradients, averaged
from freqgan.systems.rules import Player, Terms


def settle_gradients(
    player: Player, weights: Sequence[nn.Parameter], log: Terms, *, clip: float | None, images_seen: int
) -> None:
    """Averages gradients over processes, refuses what is not finite, and clips.

    Args:
        player: whose they are.
        weights: with their gradients; those without are left out.
        log: the terms they come from; the norm joins them as `gradient_norm/<player>`, before it is clipped.
        clip: greatest norm; None for none.
        images_seen: for the report.

    Raises:
        DivergedError: on all processes, if the norm, or a term of one of them, is not finite.
    """
    average_gradients(weights)
    norm = nn.utils.get_total_norm([w.grad for w in weights if w.grad is not None], foreach=True)
    losses = averaged(log)  # a loss that is finite here and not in another process has to stop both
    if not all(bool(value.isfinite()) for value in [norm, *losses.values()]):
        terms = ", ".join(f"{name}={float(value):.4g}" for name, value in losses.items())
        raise DivergedError(
            f"{player} diverged at images_seen={images_seen}: gradient norm {float(norm):.4g}, {terms}; "
            f"no weight of the {player} was changed: lower optim.lr, set model.clip, "
            "or add model.terms.discriminator.r1"
        )
    if clip is not None:
        nn.utils.clip_grads_with_norm_(weights, clip, norm, foreach=True)
    log[f"gradient_norm/{player}"] = norm


def bound_weights(weights: Sequence[nn.Parameter], bound: float) -> None:
    """Cuts every weight off at ±bound (Arjovsky et al. 2017, algorithm 1, line 7)."""
    with torch.no_grad():
        torch._foreach_clamp_min_(list(weights), -bound)
        torch._foreach_clamp_max_(list(weights), bound)
