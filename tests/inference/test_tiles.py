import numpy as np
import pytest

from freqgan.inference import tiles, tiles_of_side, tiles_within

SIZES = [(1, 1), (1, 50), (17, 33), (64, 64), (135, 240)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("side", "halo"), [(1, 0), (7, 3), (16, 40), (500, 5)])
def test_every_pixel_is_kept_once_with_all_the_context_there_is(size, side, halo):
    kept = np.zeros(size, int)
    for tile in tiles_of_side(*size, side, halo=halo):
        kept[tile.rows.target(1), tile.columns.target(1)] += 1
        for span, length in zip(tile, size, strict=True):
            assert 0 < span.end - span.first <= side
            assert (span.read_first, span.read_end) == (max(0, span.first - halo), min(length, span.end + halo))
            assert len(range(length)[span.read][span.kept(1)]) == span.end - span.first
    assert (kept == 1).all()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("halo", [0, 5, 40])
@pytest.mark.parametrize("stride", [4, 16])
def test_tiles_are_read_from_multiples_of_the_stride(size, halo, stride):
    within = tiles_within(*size, 20_000, halo=halo, stride=stride)
    for cut in (tiles_of_side(*size, 24, halo=halo, stride=stride), within):
        kept = np.zeros(size, int)
        for tile in cut:
            kept[tile.rows.target(1), tile.columns.target(1)] += 1
            for span, length in zip(tile, size, strict=True):
                assert span.read_first % stride == 0
                assert span.read_first <= max(0, span.first - halo) < span.read_first + stride
                assert span.read_end == min(length, span.end + halo)
                assert len(range(length)[span.read][span.kept(1)]) == span.end - span.first
        assert (kept == 1).all()
    continued = [
        [-(-len(range(n)[span.read]) // stride) * stride for span, n in zip(t, size, strict=True)] for t in within
    ]
    assert max(height * width for height, width in continued) <= 20_000


def test_places_in_the_result_are_scaled():
    (_, last) = (tile.columns for tile in tiles_of_side(5, 20, 10, halo=3))
    assert (last.read, last.kept(4), last.target(4)) == (slice(7, 20), slice(12, 52), slice(40, 80))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("halo", [0, 9, 40])
@pytest.mark.parametrize("pixels", [12_000, 20_000, 10**6])
def test_tiles_fit_and_no_square_ones_read_less(size, halo, pixels):
    cut = tiles_within(*size, pixels, halo=halo)
    assert max(tile.read_pixels for tile in cut) <= pixels
    covered = sum((t.rows.end - t.rows.first) * (t.columns.end - t.columns.first) for t in cut)
    assert covered == size[0] * size[1]
    read = sum(tile.read_pixels for tile in cut)
    for side in range(16, 300):
        squares = tiles_of_side(*size, side, halo=halo)
        if max(tile.read_pixels for tile in squares) <= pixels:
            assert read <= sum(tile.read_pixels for tile in squares)


@pytest.mark.parametrize(("size", "most"), [((3000, 4000), 500), ((65535, 1), 5)])
def test_each_cut_of_a_large_picture_is_looked_at_once(size, most, monkeypatch):
    looked, spans = [], tiles._spans
    monkeypatch.setattr(tiles, "_spans", lambda *given: looked.append(given) or spans(*given))
    assert tiles_within(*size, 205_000, halo=37) is not None
    assert len(looked) < most


def test_what_fits_whole_is_not_cut():
    assert len(tiles_within(100, 100, 10_000, halo=50)) == 1
    assert len(tiles_within(100, 100, 9_999, halo=10)) == 2


def test_tiles_that_would_be_almost_all_context_are_none():
    assert tiles_within(500, 500, (16 + 2 * 40) ** 2 - 1000, halo=40) is None
    assert tiles_within(500, 500, (18 + 2 * 40) ** 2, halo=40) is not None
