"""Which GANs there are, which bands each of them makes, and which bands of others it sees.

Reference: patent CN112529975A. GANs per resolution, claim 4 and [0088]–[0091]; the cascade, claim 5 and [0092]–[0094]:
in the first iteration generator i receives its noise and the outputs of generators before it, from coarse to fine; in
later ones those of all others. Nothing is computed here.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from freqgan.errors import UserError
from freqgan.suggest import hint
from freqgan.transforms import Band

Grouping = Literal["band", "level", "all"] | list[list[str]] | dict[str, dict[str, int]]
Cascade = Literal["none", "previous", "all"] | dict[str, list[str]]
Scope = Literal["level", "global"]


@dataclass(frozen=True)
class BandGAN:
    """One generator and one discriminator.

    Attributes:
        name: the bands it makes, joined by `+`; `#2` for the second GAN of the same bands.
        bands: names of these bands, coarse to fine.
        shape: (channels, height, width) of these bands as one image, see `freqgan.networks.joined_bands`.
        level: resolution level of the finest of its bands.
        low: whether it makes bands of the lowest frequencies alone; None where it makes both kinds.
        sees: bands of other GANs that it may ever see, coarse to fine.
        sees_first: those of them that are there in the first pass.
    """

    name: str
    bands: tuple[str, ...]
    shape: tuple[int, int, int]
    level: int
    low: bool | None
    sees: tuple[str, ...] = ()
    sees_first: tuple[str, ...] = ()


def group_bands(bands: Sequence[Band], gans: Grouping = "band") -> list[BandGAN]:
    """The GANs of a grouping, in the order of their coarsest bands.

    Args:
        bands: that are to be made, coarse to fine.
        gans: `band`, one each; `level`, one for all high bands of a level; `all`, one for all; lists of band names, one
            each, where a band in several lists is made by several GANs; or how many `low` and `high` ones there are by
            level, each 1 per band unless said: fewer GANs than bands share the bands out, more make some bands twice.

    Raises:
        UserError: a band that is not there, or that no GAN makes, or bands that have no size in common.
    """
    shapes = {band.name: band for band in bands}
    groups = sorted(_groups(bands, gans), key=lambda group: min(list(shapes).index(name) for name in group))
    if missing := [name for name in shapes if not any(name in group for group in groups)]:
        raise UserError(f"model.gans leaves {', '.join(missing)} to no GAN: name every band at least once")
    made: list[BandGAN] = []
    for group in groups:
        own = [shapes[name] for name in group]
        before = sum(gan.bands == group for gan in made)
        lows = {band.frequency_class == 0 for band in own}
        made.append(
            BandGAN(
                "+".join(group) + (f"#{before + 1}" if before else ""),
                group,
                _joined_shape(own),
                min(band.level for band in own),
                lows.pop() if len(lows) == 1 else None,
            )
        )
    return made


def _groups(bands: Sequence[Band], gans: Grouping) -> list[tuple[str, ...]]:
    """Names of the bands of each GAN."""
    names = [band.name for band in bands]
    if isinstance(gans, list):
        for group in gans:
            for name in group:
                if name not in names:
                    raise UserError(f"model.gans: {name} is no band of this transform: {hint(name, names)}")
        if not all(gans):
            raise UserError("model.gans: an empty list makes no band; leave it out")
        return [tuple(sorted(set(group), key=names.index)) for group in gans]
    if gans == "all":
        return [tuple(names)]
    levels = sorted({band.level for band in bands}, reverse=True)
    counts = gans if isinstance(gans, dict) else {}
    _refuse_counts(counts, [str(level) for level in levels])
    groups: list[tuple[str, ...]] = []
    for level in levels:
        low = [band.name for band in bands if band.level == level and band.frequency_class == 0]
        high = [band.name for band in bands if band.level == level and band.frequency_class != 0]
        of_level = counts.get(str(level), {})
        groups += _shared_out(low, of_level.get("low", len(low)))
        groups += _shared_out(high, of_level.get("high", 1 if gans == "level" else len(high)))
    return groups


def _refuse_counts(gans: Mapping[str, Mapping[str, int]], levels: Sequence[str]) -> None:
    for level, counts in gans.items():
        if level not in levels:
            raise UserError(f"model.gans.{level} is no level of this transform: it has {', '.join(levels)}")
        for kind, count in counts.items():
            if kind not in ("low", "high") or count < 1:
                raise UserError(f"model.gans.{level}.{kind}={count}: wanted low or high, and at least 1")


def _shared_out(names: Sequence[str], count: int) -> list[tuple[str, ...]]:
    """As many groups as asked for: neighbours share a GAN if there are fewer, the first bands get more if not.

    >>> _shared_out(["HL1", "LH1", "HH1"], 2), _shared_out(["LL1"], 2)
    ([('HL1', 'LH1'), ('HH1',)], [('LL1',), ('LL1',)])
    """
    n = len(names)
    if count >= n:
        return [(names[i],) for i in range(n) for _ in range(count // n + (i < count % n))]
    bounds = [-(-i * n // count) for i in range(count + 1)]
    return [tuple(names[bounds[i] : bounds[i + 1]]) for i in range(count)]


def _joined_shape(bands: Sequence[Band]) -> tuple[int, int, int]:
    """All bands at the size of the smallest, the pixels of larger ones as channels."""
    height, width = min(band.shape[1:] for band in bands)
    channels = 0
    for band in bands:
        c, h, w = band.shape
        if h % height or w % width or h // height != w // width:
            sizes = ", ".join(f"{band.name} {band.shape[1]}x{band.shape[2]}" for band in bands)
            raise UserError(
                f"model.gans: one GAN cannot make bands of sizes that are no multiples of each other: {sizes}; "
                "give them GANs of their own, as model.gans=band"
            )
        channels += c * (h // height) ** 2
    return channels, height, width


def connect(
    gans: Sequence[BandGAN], bands: Sequence[Band], cascade: Cascade, *, scope: Scope, loop: bool
) -> list[BandGAN]:
    """The same GANs, told what they see.

    Args:
        gans: in their order.
        bands: every band there is, coarse to fine: those that GANs make, and the low images of finer levels.
        cascade: `none`; `previous`, the GAN before it; `all` before it; or bands by band. In a loop, `previous` and
            `all` go round.
        scope: `level` means the GANs of its own level, and the low image of that level, which is what the coarser
            levels make where no GAN makes it; `global` all GANs.
        loop: whether there is more than a first pass.

    Raises:
        UserError: a cascade that names an unknown band, one of the same GAN, or one that is not made before.
    """
    if isinstance(cascade, dict):
        _refuse_mapping(cascade, gans, bands, loop=loop)
    connected = []
    for i, gan in enumerate(gans):
        if isinstance(cascade, dict):
            wanted = {source for name in gan.bands for source in cascade.get(name, ())}
        else:
            wanted = set(_in_chain(cascade, i, gans, bands, scope=scope, loop=loop))
        first = _there_before(i, gans, bands)
        sees = [b.name for b in bands if b.name in wanted - set(gan.bands) and (loop or b.name in first)]
        connected.append(replace(gan, sees=tuple(sees), sees_first=tuple(name for name in sees if name in first)))
    return connected


def _in_chain(
    cascade: Literal["none", "previous", "all"],
    i: int,
    gans: Sequence[BandGAN],
    bands: Sequence[Band],
    *,
    scope: Scope,
    loop: bool,
) -> Iterator[str]:
    """Bands that GAN i sees by a named cascade: those of the links before it in its chain, or all round it."""
    chain = [gan.bands for gan in gans if scope == "global" or gan.level == gans[i].level]
    place = sum(scope == "global" or gan.level == gans[i].level for gan in gans[:i])
    if scope == "level":
        made = {name for gan in gans for name in gan.bands}
        lifted = [(band.name,) for band in bands if band.level == gans[i].level and band.name not in made]
        chain, place = lifted + chain, place + len(lifted)
    others = [*chain[:place], *chain[place + 1 :]] if loop else chain[:place]
    if cascade == "previous":
        others = [chain[place - 1]] if place or loop else []
    for names in others if cascade != "none" else ():
        yield from names


def _there_before(i: int, gans: Sequence[BandGAN], bands: Sequence[Band]) -> set[str]:
    """Bands that are complete when GAN i is run in the first pass."""
    later = {name for gan in gans[i:] for name in gan.bands}
    there = set()
    for band in bands:
        # The low image of a finer level needs all that is coarser.
        needs = [other.name for other in bands if band.frequency_class == 0 and other.level > band.level]
        if not later.intersection((band.name, *needs)):
            there.add(band.name)
    return there


def _refuse_mapping(
    cascade: Mapping[str, Sequence[str]], gans: Sequence[BandGAN], bands: Sequence[Band], *, loop: bool
) -> None:
    names = [band.name for band in bands]
    made = [name for name in names if any(name in gan.bands for gan in gans)]
    for name, sources in cascade.items():
        own = [i for i, gan in enumerate(gans) if name in gan.bands]
        if not own:
            raise UserError(f"model.cascade.{name} is no band that a GAN makes: {hint(name, made)}")
        for source in sources:
            if source not in names:
                raise UserError(f"model.cascade.{name}: {source} is no band of this transform: {hint(source, names)}")
            if all(source in gans[i].bands for i in own):
                raise UserError(f"model.cascade.{name}: {source} is made by the same GAN; name bands of others")
            if not loop and source not in _there_before(own[0], gans, bands):
                raise UserError(f"model.cascade.{name}: {source} is not made before it; set model.passes=2")
