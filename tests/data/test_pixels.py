import numpy as np
import pytest
from PIL import Image

from freqgan.data.pixels import Fit, fitted_pixels, square_pixels
from freqgan.ops.palette import label_colors


def _ramp(height: int, width: int) -> Image.Image:
    y, x = np.mgrid[:height, :width]
    return Image.fromarray(
        np.stack([x * 255 / (width - 1), y * 255 / (height - 1), x * 0], -1).round().astype(np.uint8)
    )


@pytest.mark.parametrize("fit", ["resize", "crop", "pad"])
@pytest.mark.parametrize("size", [(8, 8), (12, 20), (20, 12), (1, 7)])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_fit_gives_the_size(fit: Fit, size: tuple[int, int], channels: int) -> None:
    for shape in ((8, 8), (31, 17), (5, 40), (1, 1)):
        picture = Image.fromarray(np.full((*shape, 3), (10, 20, 30), np.uint8))
        pixels = fitted_pixels(picture, size=size, fit=fit, channels=channels)
        assert (pixels.shape, pixels.dtype) == ((channels, *size), np.uint8)
        assert np.ptp(pixels, (1, 2)).max() == 0  # no border of another colour
        assert pixels[:, 0, 0].tolist() == ([10, 20, 30] if channels == 3 else [18])


def test_a_picture_of_the_size_stays_as_it_is() -> None:
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (6, 9, 3), np.uint8))
    for fit in ("resize", "crop", "pad"):
        pixels = fitted_pixels(picture, size=(6, 9), fit=fit, channels=3)
        assert np.array_equal(pixels.transpose(1, 2, 0), picture)


def test_what_is_seen_of_a_picture_of_another_shape() -> None:
    """A ramp from left to right (red) and from top to bottom (green), twice as wide as it should be."""
    seen = {fit: fitted_pixels(_ramp(40, 80), size=(20, 20), fit=fit, channels=3) for fit in ("resize", "crop", "pad")}
    ends = {fit: (int(pixels[0, 9, 0]), int(pixels[0, 9, -1])) for fit, pixels in seen.items()}
    assert ends["resize"] == pytest.approx((5, 250), abs=3)
    assert ends["crop"] == pytest.approx((67, 188), abs=3)  # from a quarter to three quarters
    assert ends["pad"] == pytest.approx((5, 250), abs=3)
    assert np.array_equal(seen["pad"][:, 4], seen["pad"][:, 5])  # the picture begins after a quarter of the height,
    assert np.array_equal(seen["pad"][:, :5], seen["pad"][:, 9:4:-1])  # and is mirrored above
    assert np.array_equal(seen["pad"][:, 15:], seen["pad"][:, 14:9:-1])
    assert seen["pad"][1, 5:15, 9].tolist() == pytest.approx(np.linspace(9, 246, 10), abs=4)
    square = square_pixels(_ramp(40, 80), image_size=20, channels=3)
    assert np.array_equal(seen["crop"], square)


def test_labels_get_colours_and_are_not_blended() -> None:
    labels = np.random.default_rng(0).integers(0, 4, (37, 53)).astype(np.uint8)
    colors = {tuple(color) for color in label_colors(4).tolist()}
    for fit in ("resize", "crop", "pad"):
        pixels = fitted_pixels(Image.fromarray(labels), size=(16, 16), fit=fit, channels=3, labels=True)
        assert {tuple(color) for color in pixels.reshape(3, -1).T.tolist()} == colors
    coloured = Image.fromarray(label_colors(4).numpy()[labels])
    given = fitted_pixels(coloured, size=(16, 16), fit="crop", channels=3, labels=True)
    assert np.array_equal(
        given, fitted_pixels(Image.fromarray(labels), size=(16, 16), fit="crop", channels=3, labels=True)
    )


def test_depth_is_kept() -> None:
    deep = np.random.default_rng(0).integers(0, 65536, (10, 14)).astype(np.uint16)
    pixels = fitted_pixels(Image.fromarray(deep), size=(10, 14), fit="pad", channels=3, depth=16)
    assert np.array_equal(pixels, np.broadcast_to(deep, (3, 10, 14)))


def test_a_crop_whose_size_is_no_binary_fraction_stays_inside() -> None:
    assert 699 / 174 * 174 > 699  # what rounding makes of it
    assert fitted_pixels(Image.new("RGB", (699, 800)), size=(174, 174), fit="crop", channels=3).shape == (3, 174, 174)
