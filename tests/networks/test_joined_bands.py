import pytest
import torch

from freqgan.networks import BandGAN, group_bands, joined_bands, parted_bands
from freqgan.networks.joined_bands import context_channels, context_image
from freqgan.transforms import EveryLow, WaveletTransform

BANDS = EveryLow(WaveletTransform("haar", levels=3)).bands(32)
SHAPES = {band.name: band.shape for band in BANDS}


def of(*names: str) -> BandGAN:
    own = [band for band in BANDS if band.name in names]
    (gan,) = group_bands(own, "all")
    return gan


@pytest.mark.parametrize("names", [("LL3",), ("HL1", "LH1"), ("LL3", "HH2", "HL1"), ("LL1", "LL2", "LL3")])
def test_parting_undoes_joining(names: tuple[str, ...]) -> None:
    gan = of(*names)
    bands = {name: torch.randn(2, *shape) for name, shape in SHAPES.items()}
    image = joined_bands(gan, bands)
    assert image.shape == (2, *gan.shape)
    parted = parted_bands(gan, image, SHAPES)
    assert list(parted) == list(gan.bands)
    assert all(torch.equal(parted[name], bands[name]) for name in names)
    again = torch.randn(2, *gan.shape)
    assert torch.equal(joined_bands(gan, parted_bands(gan, again, SHAPES)), again)


def test_pixels_of_larger_bands_become_channels() -> None:
    bands = {name: torch.zeros(1, *shape) for name, shape in SHAPES.items()}
    bands["LL2"][0, 2, 3, 4] = 1  # row 1, column 0 of block (1, 2) of channel 2
    ((_, channel, row, column),) = joined_bands(of("LL3", "LL2"), bands).nonzero().tolist()
    assert (channel, row, column) == (3 + 2 * 4 + 2, 1, 2)


def test_context_keeps_coarse_bands_and_averages_fine_ones() -> None:
    bands = {"coarse": torch.arange(4.0).view(1, 1, 2, 2), "fine": torch.arange(16.0).view(1, 1, 4, 4)}
    up = context_image(bands, ["coarse"], (4, 4))
    assert up is not None
    assert all(torch.equal(up[..., i::2, j::2], bands["coarse"]) for i in (0, 1) for j in (0, 1))
    odd = context_image(bands, ["coarse"], (3, 3))
    assert odd is not None
    assert set(odd.unique().tolist()) == {0, 1, 2, 3}
    down = context_image(bands, ["coarse", "fine"], (2, 2))
    assert down is not None
    assert torch.equal(down[:, 0], bands["coarse"][:, 0])
    assert torch.equal(down[:, 1], torch.tensor([[[2.5, 4.5], [10.5, 12.5]]]))
    assert context_image(bands, [], (2, 2)) is None


def test_context_channels_are_those_of_its_image() -> None:
    image = context_image({"a": torch.ones(2, 3, 4, 4), "b": torch.ones(2, 5, 8, 8)}, ["b", "a"], (4, 4))
    assert image is not None
    assert image.shape == (2, context_channels(["b", "a"], {"a": (3, 4, 4), "b": (5, 8, 8)}), 4, 4)
    assert context_channels([], {}) == 0
