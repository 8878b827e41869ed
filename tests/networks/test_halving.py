from functools import partial

import pytest

from freqgan.errors import UserError
from freqgan.networks.halving import halvings, refuse_size, widths
from freqgan.transforms import WaveletTransform


@pytest.mark.parametrize(("size", "count"), [((4, 4), 0), ((7, 5), 0), ((8, 8), 1), ((64, 32), 3), ((12, 200), 1)])
def test_no_side_falls_below_four_pixels(size: tuple[int, int], count: int) -> None:
    assert halvings(size) == count


@pytest.mark.parametrize(
    ("size", "message"),
    [
        ((3, 8), "a DCGAN of 3x8 pixels needs sides of at least 4, divisible by 1: the nearest are 4x8 and 4x8"),
        ((18, 24), "needs sides of at least 4, divisible by 4: the nearest are 16x24 and 20x24; set data.image_size"),
    ],
)
def test_other_sizes_are_refused_with_the_nearest(size: tuple[int, int], message: str) -> None:
    with pytest.raises(UserError, match=message):
        halvings(size)


def parts(side: int, *, divisor: int) -> list[tuple[int, int]]:
    return [(side // divisor, side // divisor), (side, side)]


def test_images_are_refused_for_their_parts() -> None:
    refuse_size(64, partial(parts, divisor=4))
    with pytest.raises(UserError, match=r"data.image_size=36 gives bands .* the nearest sizes are 32 and 40; or lower"):
        refuse_size(36, partial(parts, divisor=2))


def test_sizes_that_the_transform_refuses_are_no_proposals() -> None:
    def even(side: int) -> list[tuple[int, int]]:
        if side in (24, 32, 40):
            raise UserError("no")
        return parts(side, divisor=2)

    with pytest.raises(UserError, match="the nearest sizes are 28 and 48"):
        refuse_size(36, even)


def test_sizes_are_found_however_small_the_part() -> None:
    transform = WaveletTransform("haar", levels=5)

    def bands(side: int) -> list[tuple[int, int]]:
        return [band.shape[1:] for band in transform.bands(side)]

    with pytest.raises(UserError, match=r"sizes are 128 and 160; or lower transform\.levels"):
        refuse_size(17, bands)
    with pytest.raises(UserError, match="image_size of at least 17, got 16"):  # the transform's own words
        refuse_size(16, bands)


def test_widths_double_up_to_the_cap() -> None:
    assert widths(5, channels=8, max_channels=50) == [8, 16, 32, 50, 50]
    assert widths(0, channels=8, max_channels=50) == []
