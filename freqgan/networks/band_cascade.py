"""One generator and one discriminator per frequency band, the lower bands feeding the higher ones.

Reference: patent CN112529975A, claims 1, 5 and 7. In the first iteration generator i receives its noise and the
outputs of generators before it, from coarse to fine ([0092]). Bands live at unit scale in here; the system multiplies
by the stored scale of each band.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, final

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from freqgan.errors import UserError

Bands = Mapping[str, Tensor]
Sources = Mapping[str, Sequence[str]]


def cascade_sources(
    names: Sequence[str], cascade: Literal["none", "previous", "all"] | Mapping[str, Sequence[str]]
) -> dict[str, tuple[str, ...]]:
    """Which bands each band's GAN sees: none, the one before it, all before it, or those that a mapping names.

    Raises:
        UserError: the mapping names an unknown band, or lets a band see one that is made after it.

    >>> cascade_sources(["LL1", "HL1", "LH1"], "all")["LH1"]
    ('LL1', 'HL1')
    """
    if isinstance(cascade, Mapping):
        for name, sources in cascade.items():
            if name not in names:
                raise UserError(f"model.cascade.{name} is no band of this transform: choose from {', '.join(names)}")
            before = names[: names.index(name)]
            if late := [source for source in sources if source not in before]:
                raise UserError(
                    f"model.cascade.{name}: {late[0]} is not made before it; it may see {', '.join(before) or 'none'}"
                )
        return {name: tuple(cascade.get(name, ())) for name in names}
    first = {"none": lambda i: i, "previous": lambda i: max(0, i - 1), "all": lambda i: 0}[cascade]
    return {name: tuple(names[first(i) : i]) for i, name in enumerate(names)}


def context_image(bands: Bands, sources: Sequence[str], size: tuple[int, int]) -> Float[Tensor, "b k h w"] | None:
    """The source bands at one size, concatenated over channels; None where there are no sources.

    Coarser bands are repeated, which loses nothing; finer ones are averaged over areas.
    """
    if not sources:
        return None
    resized = []
    for name in sources:
        band = bands[name]
        if band.shape[-2:] != size:
            band = F.interpolate(band, size, mode="nearest" if band.shape[-1] < size[1] else "area")
        resized.append(band)
    return torch.cat(resized, 1)


def context_channels(shapes: Mapping[str, tuple[int, int, int]], sources: Sequence[str]) -> int:
    """Channels of `context_image`."""
    return sum(shapes[name][0] for name in sources)


@final
class BandGenerators(nn.Module):
    """All band generators as one network: a frame of noise to a dictionary of bands at unit scale.

    Args:
        shapes: (channels, height, width) of each band, from coarse to fine.
        sources: bands that each generator sees; only earlier ones.
        latent_dim: length of each generator's noise.
        generator: makes one generator from latent_dim, out_channels, image_size and context_channels.
    """

    def __init__(
        self,
        shapes: Mapping[str, tuple[int, int, int]],
        *,
        sources: Sources,
        latent_dim: int,
        generator: Callable[..., nn.Module],
    ) -> None:
        super().__init__()
        self.shapes = dict(shapes)
        self.sources = sources
        self.of = nn.ModuleDict(
            {
                name: generator(
                    latent_dim=latent_dim,
                    out_channels=shape[0],
                    image_size=shape[1:],
                    context_channels=context_channels(shapes, sources[name]),
                )
                for name, shape in shapes.items()
            }
        )

    def forward(self, frame: Float[Tensor, "b n d"]) -> dict[str, Tensor]:
        """Bands from coarse to fine; row i of the frame is the noise of band i."""
        bands: dict[str, Tensor] = {}
        for i, (name, generator) in enumerate(self.of.items()):
            context = context_image(bands, self.sources[name], self.shapes[name][1:])
            bands[name] = generator(frame[:, i], context)
        return bands


@final
class BandDiscriminators(nn.Module):
    """One discriminator per band, each seeing the bands its generator saw.

    Args:
        shapes: (channels, height, width) of each band.
        sources: bands that each discriminator sees beside its own.
        discriminator: makes one discriminator from in_channels, image_size and context_channels.
    """

    def __init__(
        self,
        shapes: Mapping[str, tuple[int, int, int]],
        *,
        sources: Sources,
        discriminator: Callable[..., nn.Module],
    ) -> None:
        super().__init__()
        self.shapes = dict(shapes)
        self.sources = sources
        self.of = nn.ModuleDict(
            {
                name: discriminator(
                    in_channels=shape[0],
                    image_size=shape[1:],
                    context_channels=context_channels(shapes, sources[name]),
                )
                for name, shape in shapes.items()
            }
        )

    def forward(self, bands: Bands) -> dict[str, Float[Tensor, "b"]]:
        """Logits of every band."""
        return {name: self.judge(name, bands[name], self.context(name, bands)) for name in self.of}

    def context(self, name: str, bands: Bands) -> Tensor | None:
        """What the discriminator of one band sees beside it."""
        return context_image(bands, self.sources[name], self.shapes[name][1:])

    def judge(self, name: str, band: Tensor, context: Tensor | None) -> Float[Tensor, "b"]:
        """Logits of one band."""
        logits: Tensor = self.of[name](band, context)
        return logits
