import re
from functools import partial

import pytest
import torch

from freqgan.errors import DivergedError, UserError
from freqgan.inference import Restorer
from freqgan.inference.live_memory import peak_bytes
from freqgan.networks import EDSR, SRCNN, Bicubic, BranchSR
from tests.inference.stand_ins import Small, restorer
from tests.networks.translators import FINITE, small


def image(height=75, width=101, channels=3):
    random = torch.Generator().manual_seed(1)
    picture = torch.rand(1, channels, height, width, generator=random) * 2 - 1
    return picture.contiguous(memory_format=torch.channels_last)


def by_tiles(in_tiles, low):
    """The whole result, tile by tile."""
    size = [in_tiles.scale * n for n in low.shape[-2:]]
    whole = torch.full((*low.shape[:2], *size), torch.nan)
    tiles = in_tiles.tiles(*low.shape[-2:])
    for tile, result in in_tiles.results(tiles, lambda tile: low[..., tile.rows.read, tile.columns.read]):
        whole[..., tile.rows.target(in_tiles.scale), tile.columns.target(in_tiles.scale)] = result
    assert len(tiles) > 1
    return whole


def levels(result):
    return ((result + 1) * 127.5).round()


@pytest.mark.parametrize("width", [8, 16, 33, 64])
@pytest.mark.parametrize("tile", [10, 32, 70])
@pytest.mark.parametrize("scale", [1, 3])
def test_tiles_are_the_untiled_result_to_the_last_bit(width, tile, scale):
    network = Small(width=width, scale=scale)
    assert torch.equal(by_tiles(restorer(network, tile=tile), image()), network(image()))


NETWORKS = {
    "branches": partial(BranchSR, channels=8, fused_channels=8, image_channels=8),
    "plain start": partial(BranchSR, channels=8, fused_channels=8, image_channels=8, start="plain"),
    "branch output": partial(BranchSR, channels=8, fused_channels=8, image_channels=8, link="branch_output"),
    "series, x3": partial(
        BranchSR, scales=(1, 3), kernels=(3, 5), channels=8, fused_channels=8, image_channels=8, arrangement="series"
    ),
    "edsr": partial(EDSR, scale=2, channels=16, blocks=2),
    "srcnn": SRCNN,
    "bicubic": Bicubic,
}


@pytest.mark.parametrize("make", NETWORKS.values(), ids=NETWORKS)
def test_networks_that_enlarge_are_exact_in_tiles(make):
    torch.manual_seed(0)
    network = make().eval().requires_grad_(False).to(memory_format=torch.channels_last)
    for weights in network.parameters():
        torch.nn.init.normal_(weights, 0, 0.1)  # images would begin without what the network adds
    in_tiles = Restorer(restore=network.upscale, scale=network.scale, halo=network.halo, tile=26)
    assert torch.equal(by_tiles(in_tiles, image()), network.upscale(image()))


@pytest.mark.parametrize("name", FINITE)
@pytest.mark.parametrize("tile", [26, 70])
def test_networks_that_halve_are_as_good_as_exact_in_tiles(name, tile):
    network = small(name).eval().requires_grad_(False).to(memory_format=torch.channels_last)
    for weights in network.parameters():
        torch.nn.init.normal_(weights, 0, 0.1)
    in_tiles = Restorer(restore=network, scale=1, halo=network.halo, stride=network.stride, tile=tile)
    for size in ((75, 101), (131, 97)):
        assert (by_tiles(in_tiles, image(*size)) - network(image(*size))).abs().max() < 1e-7


def test_tiles_that_begin_elsewhere_show():
    network = small("encoder_decoder_none").eval().requires_grad_(False)
    for weights in network.parameters():
        torch.nn.init.normal_(weights, 0, 0.1)
    in_tiles = Restorer(restore=network, scale=1, halo=network.halo, stride=1, tile=26)
    assert (by_tiles(in_tiles, image()) - network(image())).abs().max() > 1e-3


def test_whole_images_are_refused_where_they_do_not_fit():
    network = small("resnet").eval().to(memory_format=torch.channels_last)
    seen = []

    def restore(low):
        seen.append(low.shape[-2:])
        with torch.no_grad():
            return network(low)

    whole = Restorer(restore=restore, scale=1, halo=None, stride=network.stride, memory_mib=4)
    with pytest.raises(
        UserError, match=r"^memory_mib=4 is too little for 400x301 pixels, .* at once: set memory_mib="
    ) as e:
        whole.tiles(301, 400)
    enough = int(re.findall(r"\d+", str(e.value))[-1])
    (tile,) = Restorer(restore=restore, scale=1, halo=None, stride=4, memory_mib=enough).tiles(301, 400)
    low = image(301, 400)
    assert (tile.rows.read, tile.columns.read) == (slice(0, 301), slice(0, 400))
    assert peak_bytes(lambda: restore(low)) <= enough * 2**20 < 1.2 * peak_bytes(lambda: restore(low)) + 2**20
    small_one = image(20, 30)
    ((_, result),) = whole.results(whole.tiles(20, 30), lambda tile: small_one)
    assert torch.equal(result, restore(small_one))
    with pytest.raises(UserError, match=r"^tile=64: this network looks at all of a picture .*: set tile=null$"):
        Restorer(restore=restore, scale=1, halo=None, tile=64)


def test_less_context_than_the_network_reaches_shows():
    network = Small()
    off = (by_tiles(restorer(network, tile=20, halo=network.halo - 1), image()) - network(image())).abs()
    assert off.max() > 1e-4


@pytest.mark.parametrize("width", [8, 64])
def test_in_the_contiguous_layout_tiles_differ_by_rounding_alone(width):
    network = Small(width=width).to(memory_format=torch.contiguous_format)
    low = image().contiguous()
    assert (by_tiles(restorer(network, tile=20), low) - network(low)).abs().max() < 1e-6


@pytest.mark.parametrize("width", [16, 64])
def test_in_bf16_tiles_differ_by_a_level_at_most(width):
    network = Small(width=width)
    with torch.autocast("cpu", torch.bfloat16):
        off = (levels(by_tiles(restorer(network, tile=20), image())) - levels(network(image()).float())).abs()
    assert off.max() <= 1
    assert off.mean() < 0.01


@pytest.mark.parametrize("width", [16, 64])
def test_tiles_are_as_large_as_memory_allows(width):
    network = Small(width=width)
    in_tiles = restorer(network, memory_mib=4)
    tiles = in_tiles.tiles(300, 400)
    low = image(300, 400)
    peaks = [
        peak_bytes(lambda tile=tile: network(low[..., tile.rows.read, tile.columns.read].clone())) for tile in tiles
    ]
    assert 0.5 * 2**22 < max(peaks) <= 2**22
    assert len(restorer(network, memory_mib=4096).tiles(300, 400)) == 1


def test_a_batch_takes_as_much_memory_as_its_images():
    in_tiles = restorer(Small(), memory_mib=4)
    assert len(in_tiles.tiles(300, 400, batch=3)) > 2 * len(in_tiles.tiles(300, 400))


def test_small_images_are_neither_cut_nor_measured():
    def never(low):
        raise AssertionError

    assert len(Restorer(restore=never, scale=2, halo=6, memory_mib=1).tiles(64, 64)) == 1


def test_too_little_memory_is_refused_with_what_is_enough():
    network = Small(width=512)
    with pytest.raises(UserError, match=r"^memory_mib=1 is too little .*: set memory_mib=\d+$") as error:
        restorer(network, memory_mib=1).tiles(300, 400)
    enough = int(re.findall(r"\d+", str(error.value))[-1])
    assert restorer(network, memory_mib=enough).tiles(300, 400)


def test_values_that_are_not_finite_end_it():
    network = Small()
    torch.nn.init.constant_(network.layers[0].bias, float("nan"))
    with pytest.raises(DivergedError, match="not finite"):
        by_tiles(restorer(network, tile=20), image())


def test_channels_are_grey_or_rgb():
    with pytest.raises(UserError, match="have 4 channels, wanted 1 or 3"):
        Restorer(restore=Small(), scale=2, halo=6, channels=4)


def test_peak_counts_what_is_alive_at_once():
    def sum_of_three():
        total = torch.zeros(256)
        for _ in range(5):
            total = total + torch.ones(256)  # the old total, the ones, the new total
        return total

    assert peak_bytes(sum_of_three) == 3 * 1024
    given = torch.zeros(10**6)
    assert peak_bytes(lambda: given.view(1000, 1000).mul_(2)[0]) == 0
