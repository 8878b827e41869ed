from functools import partial

import pytest
import torch

from freqgan.errors import UserError
from freqgan.networks import (
    BandDiscriminators,
    BandGenerators,
    DCGANDiscriminator,
    DCGANGenerator,
    cascade_sources,
)
from freqgan.networks.band_cascade import context_image

SHAPES = {"LL2": (3, 8, 8), "HL2": (3, 8, 8), "HL1": (3, 16, 16), "LH1": (3, 16, 16)}
NAMES = list(SHAPES)


def generators(cascade: str) -> BandGenerators:
    torch.manual_seed(0)
    make = partial(DCGANGenerator, channels=8, norm="none")
    sources = cascade_sources(NAMES, cascade)  # type: ignore[arg-type]
    # Weights of the published scale would let a noise of 0.02 through; here only who depends on whom matters.
    networks = BandGenerators(SHAPES, sources=sources, latent_dim=8, generator=make)
    for parameter in networks.parameters():
        torch.nn.init.normal_(parameter, 0, 0.3)
    return networks


def test_cascades_by_name() -> None:
    assert cascade_sources(NAMES, "none") == dict.fromkeys(NAMES, ())
    assert cascade_sources(NAMES, "previous")["HL1"] == ("HL2",)
    assert cascade_sources(NAMES, "all")["LH1"] == ("LL2", "HL2", "HL1")
    assert cascade_sources(NAMES, {"LH1": ["LL2"]}) == {"LL2": (), "HL2": (), "HL1": (), "LH1": ("LL2",)}


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ({"HL3": ["LL2"]}, "HL3 is no band"),
        ({"HL2": ["LH1"]}, "LH1 is not made before it"),
        ({"LL2": ["LL2"]}, "not made"),
    ],
)
def test_impossible_cascades_are_refused(mapping: dict[str, list[str]], message: str) -> None:
    with pytest.raises(UserError, match=message):
        cascade_sources(NAMES, mapping)


@pytest.mark.parametrize("cascade", ["none", "previous", "all"])
def test_noise_of_a_band_reaches_exactly_the_bands_that_see_it(cascade: str) -> None:
    network = generators(cascade)
    frame = torch.randn(2, len(NAMES), 8)
    before = network(frame)
    reached: dict[str, set[str]] = {}
    for name in NAMES:  # who sees whom, directly or through others
        reached[name] = {name}
        for later in NAMES:
            if any(source in reached[name] for source in network.sources[later]):
                reached[name].add(later)
    for j, name in enumerate(NAMES):
        moved = frame.clone()
        moved[:, j] += 1
        after = network(moved)
        assert {other for other in NAMES if not torch.equal(before[other], after[other])} == reached[name]


def test_context_keeps_coarse_bands_and_averages_fine_ones() -> None:
    bands = {"coarse": torch.arange(4.0).view(1, 1, 2, 2), "fine": torch.arange(16.0).view(1, 1, 4, 4)}
    up = context_image(bands, ["coarse"], (4, 4))
    assert up is not None
    assert torch.equal(up[..., ::2, ::2], bands["coarse"])
    assert torch.equal(up[..., 1::2, 1::2], bands["coarse"])
    down = context_image(bands, ["coarse", "fine"], (2, 2))
    assert down is not None
    assert torch.equal(down[:, 1], torch.tensor([[[2.5, 4.5], [10.5, 12.5]]]))
    assert context_image(bands, [], (2, 2)) is None


def test_a_discriminator_sees_what_its_generator_saw() -> None:
    sources = cascade_sources(NAMES, "previous")
    network = BandDiscriminators(SHAPES, sources=sources, discriminator=partial(DCGANDiscriminator, channels=8))
    network.eval()
    bands = {name: torch.randn(2, *shape) for name, shape in SHAPES.items()}
    before = network(bands)
    bands["HL2"] = bands["HL2"] + 1
    after = network(bands)
    assert {name for name in NAMES if not torch.equal(before[name], after[name])} == {"HL2", "HL1"}
