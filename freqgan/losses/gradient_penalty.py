"""Penalties on discriminators' gradients with respect to their inputs. Both need a second derivative of the network.

A critic takes named inputs and returns logits by the same names, each a function of its own input alone, so that many
small discriminators cost one backward pass.
"""

from collections.abc import Callable, Mapping

import torch
from jaxtyping import Float
from torch import Tensor

Images = Mapping[str, Float[Tensor, "b *shape"]]
Critic = Callable[[dict[str, Tensor]], Mapping[str, Tensor]]


def input_gradients(critic: Critic, inputs: Images) -> dict[str, Float[Tensor, "b n"]]:
    """Gradients of each critic's logits with respect to its own input, flattened per sample.

    A patch map's logits are averaged per sample first, so that the gradient's size does not depend on their number.
    """
    leaves = {name: x.detach().requires_grad_(True) for name, x in inputs.items()}
    logits = critic(leaves)
    per_sample = [value.flatten(1).mean(1) if value.dim() > 1 else value for value in logits.values()]
    total = torch.stack([value.float().sum() for value in per_sample]).sum()
    gradients = torch.autograd.grad(total, list(leaves.values()), create_graph=True)
    return {name: gradient.flatten(1).float() for name, gradient in zip(leaves, gradients, strict=True)}


def r1_penalties(critic: Critic, real: Images) -> dict[str, Float[Tensor, ""]]:
    """½ E ‖∇D(real)‖² of each critic (Mescheder et al. 2018, eq. 9); the term's weight is γ.

    >>> critic = lambda x: {"all": 3 * x["all"].flatten(1).sum(1)}
    >>> r1_penalties(critic, {"all": torch.zeros(2, 1)})["all"].item()  # ½ · 3²
    4.5
    """
    gradients = input_gradients(critic, real)
    return {name: gradient.square().sum(1).mean() / 2 for name, gradient in gradients.items()}


def r1_gamma(height: int, width: int, *, batch: int) -> float:
    """The strength of R1 that StyleGAN2-ADA's rule gives: 0.0002 · height · width / batch (Karras et al. 2020, §C).

    Gradients of more pixels add up to a larger norm, and a larger batch needs less of the penalty.

    >>> round(r1_gamma(256, 256, batch=64), 4)
    0.2048
    """
    return 0.0002 * height * width / batch


def interpolation_penalties(
    critic: Critic, real: Images, fake: Images, mix: Mapping[str, Float[Tensor, "b"]]
) -> dict[str, Float[Tensor, ""]]:
    """E (‖∇D(x̂)‖ − 1)² of each critic at x̂ = mix · real + (1 − mix) · fake (Gulrajani et al. 2017, eq. 3).

    Args:
        critic: of named inputs.
        real: real inputs.
        fake: generated inputs.
        mix: a number in [0, 1] per sample.

    >>> one, critic = {"all": torch.ones(1, 1)}, lambda x: {"all": 3 * x["all"].flatten(1).sum(1)}
    >>> interpolation_penalties(critic, one, one, {"all": torch.ones(1)})["all"].item()  # (3 − 1)²
    4.0
    """
    between = {}
    for name, x in real.items():
        weight = mix[name].view(-1, *[1] * (x.dim() - 1)).to(x)
        between[name] = weight * x + (1 - weight) * fake[name]
    gradients = input_gradients(critic, between)
    return {name: (gradient.norm(dim=1) - 1).square().mean() for name, gradient in gradients.items()}
