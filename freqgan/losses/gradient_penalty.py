"""Penalties on a discriminator's gradient with respect to its input. Both need a second derivative of the network."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

Critic = Callable[[Tensor], Tensor]


def input_gradient(critic: Critic, x: Float[Tensor, "b *shape"]) -> Float[Tensor, "b n"]:
    """Gradient of the critic's summed logits with respect to its input, flattened per sample.

    A patch map's logits are averaged per sample first, so that the gradient's size does not depend on their number.
    """
    x = x.detach().requires_grad_(True)
    logits = critic(x)
    per_sample = logits.flatten(1).mean(1) if logits.dim() > 1 else logits
    (gradient,) = torch.autograd.grad(per_sample.float().sum(), x, create_graph=True)
    return gradient.flatten(1).float()


def r1_penalty(critic: Critic, real: Float[Tensor, "b *shape"]) -> Float[Tensor, ""]:
    """½ E ‖∇D(real)‖² (Mescheder et al. 2018, eq. 9); its term weight is γ.

    >>> r1_penalty(lambda x: 3 * x.flatten(1).sum(1), torch.zeros(2, 1)).item()  # ½ · 3²
    4.5
    """
    return input_gradient(critic, real).square().sum(1).mean() / 2


def interpolation_penalty(
    critic: Critic, real: Float[Tensor, "b *shape"], fake: Float[Tensor, "b *shape"], mix: Float[Tensor, "b"]
) -> Float[Tensor, ""]:
    """E (‖∇D(x̂)‖ − 1)² at x̂ = mix·real + (1 − mix)·fake (Gulrajani et al. 2017, eq. 3).

    Args:
        mix: a number in [0, 1] per sample.

    >>> one = torch.ones(1, 1)
    >>> interpolation_penalty(lambda x: 3 * x.flatten(1).sum(1), one, one, torch.ones(1)).item()  # (3 − 1)²
    4.0
    """
    weight = mix.view(-1, *[1] * (real.dim() - 1)).to(real)
    gradient = input_gradient(critic, weight * real + (1 - weight) * fake)
    penalty: Tensor = (gradient.norm(dim=1) - 1).square().mean()
    return penalty
