"""Small band generators, and what can be seen of them from outside."""

import copy
from functools import partial
from typing import Any

import torch
from torch import Tensor

from freqgan.networks import BandGenerators, DCGANGenerator, connect, group_bands
from freqgan.transforms import Fourier, UnitScale, WaveletTransform

HAAR = {levels: WaveletTransform("haar", levels=levels) for levels in (1, 2, 3)}
CLASSES = Fourier(num_classes=4)  # bands of one size, of no level
LATENT = 4


def generators(
    transform: Any = HAAR[2],
    cascade: Any = "all",
    *,
    gans: Any = "band",
    scope: Any = "global",
    loop: bool = False,
    every: bool = True,
    norm: Any = "none",
    **options: Any,
) -> BandGenerators:
    torch.manual_seed(0)
    scale = UnitScale(transform, image_size=4 * 2 ** max(1, transform.levels), channels=2)
    scale.scales.copy_(torch.linspace(0.5, 2, len(scale.bands)))
    made = [band for band in scale.bands if every or band.name in transform.names]
    make = partial(DCGANGenerator, channels=4, norm=norm, head="linear")
    connected = connect(group_bands(made, gans), scale.bands, cascade, scope=scope, loop=loop)
    network = BandGenerators(scale, connected, generator=make, latent_dim=LATENT, **options).double()
    # Weights of the published scale would let a change of 1 through as one of 0.02; here only who sees whom matters.
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, 0, 0.3)
    return network


def frame_for(network: BandGenerators, *, batch: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(batch, len(network.gans), LATENT, generator=generator, dtype=torch.float64)


def real_bands(network: BandGenerators, *, batch: int = 3) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(2)
    side = network.bands.bands[-1].shape[-1] * (2 if network.bands.transform.levels else 1)
    real: dict[str, Tensor] = network.bands(torch.randn(batch, 2, side, side, generator=generator).double())
    return real


def calls(network: BandGenerators, frame: Tensor, **options: Any) -> list[tuple[list[int], list[Tensor]]]:
    """Every evaluation: which generators at once, and what they made."""
    made: list[tuple[list[int], list[Tensor]]] = []
    hooks = [s.register_forward_hook(lambda _, given, images: made.append((given[2], images))) for s in network.stacks]
    network(frame, **options)
    for hook in hooks:
        hook.remove()
    return made


def outputs(network: BandGenerators, frame: Tensor, **options: Any) -> dict[str, Tensor]:
    """What every generator made in the last pass, before anything is averaged."""
    made = [pair for members, images in calls(network, frame, **options) for pair in zip(members, images, strict=True)]
    return {network.gans[i].name: image for i, image in made}


def changed(before: dict[str, Tensor], after: dict[str, Tensor]) -> set[str]:
    return {name for name in before if not torch.equal(before[name], after[name])}


def nudged(network: BandGenerators, j: int) -> BandGenerators:
    """The same generators, with 1 added to what generator j makes."""
    twin = copy.deepcopy(network)
    stack = next(stack for stack in twin.stacks if j in stack.members)
    with torch.no_grad():
        stack.of_member(stack.members.index(j))["to_image.bias"].add_(1)
    return twin


def singly(network: BandGenerators) -> BandGenerators:
    """The same generators, evaluated one after the other."""
    twin = copy.deepcopy(network)
    stacks = {i: stack for stack in twin.stacks for i in stack.members}
    twin.order = lambda *, waits: ((stacks[i], [i]) for i in range(len(stacks)))  # type: ignore[method-assign]
    return twin
