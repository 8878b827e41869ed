import io

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms

from freqgan.data.decode import decode
from freqgan.errors import UserError
from freqgan.inference import Restorer, encode, restore_picture
from tests.inference.stand_ins import Small, noise, repeat, restorer

RGB_PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
GREY_PROFILE = RGB_PROFILE[:16] + b"GRAY" + RGB_PROFILE[20:]


def doubled(pixels):
    return np.asarray(pixels).repeat(2, 0).repeat(2, 1)


@pytest.mark.parametrize("mode", ["L", "RGB", "I;16"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(1, 1), (7, 1), (90, 71)])
def test_every_mode_keeps_its_kind_its_depth_and_its_values(mode, channels, size):
    picture = noise(*size, mode)
    restored = restore_picture(picture, repeat(channels=channels, tile=40))
    assert restored.mode == mode
    assert np.array_equal(np.asarray(restored), doubled(picture))


@pytest.mark.parametrize("mode", ["L", "RGB", "I;16", "LA", "RGBA"])
@pytest.mark.parametrize("channels", [1, 3])
def test_tiles_give_the_same_bytes(mode, channels):
    network = Small(channels=channels)
    picture = noise(101, 75, mode)
    whole, cut = (restore_picture(picture, restorer(network, tile=side)) for side in (101, 20))
    assert whole.tobytes() == cut.tobytes()


def test_grey_through_a_network_of_colours_is_the_luminance_of_what_it_makes():
    def tint(low):
        return low * torch.tensor([1.0, 0.5, 0.0]).view(1, 3, 1, 1)

    restored = restore_picture(Image.new("L", (3, 3), 255), Restorer(restore=tint, scale=1, halo=0))
    assert restored.getpixel((1, 1)) == round((0.299 + 0.587 * 0.5 + 1) * 127.5)


@pytest.mark.parametrize("mode", ["L", "LA", "I;16"])
def test_grey_may_get_the_colours_that_the_network_makes(mode):
    def tint(low):
        return low * torch.tensor([1.0, 0.5, 0.0]).view(1, 3, 1, 1)

    picture = Image.new(mode, (3, 3), {"L": 255, "LA": (255, 200), "I;16": 65535}[mode])
    picture.info = {"icc_profile": GREY_PROFILE}
    restored = restore_picture(picture, Restorer(restore=tint, scale=1, halo=0, grey="colour"))
    expected = (255, round(1.5 * 127.5), round(127.5))
    assert (restored.mode, restored.info) == ("RGBA" if mode == "LA" else "RGB", {})
    assert restored.getpixel((1, 1)) == (*expected, *((200,) if mode == "LA" else ()))
    grey = Restorer(restore=lambda low: low, scale=1, halo=0, channels=1, grey="colour")
    assert restore_picture(picture, grey).mode == mode


def test_results_beyond_the_range_are_clipped():
    for mode, white in (("L", 255), ("I;16", 65535)):
        bright = Restorer(restore=lambda low: low + 9, scale=1, halo=0)
        assert restore_picture(noise(4, 4, mode), bright).getextrema() == (white, white)


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_what_is_opaque_stays_opaque_and_what_is_empty_empty(mode):
    picture = noise(40, 40, mode)
    alpha = np.zeros((40, 40), np.uint8)
    alpha[:, 20:] = 255
    picture.putalpha(Image.fromarray(alpha))
    restored = np.asarray(restore_picture(picture, restorer(Small())).getchannel("A"))
    assert restored.shape == (80, 80)
    assert (restored[:, :36] == 0).all()
    assert (restored[:, 44:] == 255).all()
    assert ((restored[:, 39:41] > 0) & (restored[:, 39:41] < 255)).any()


def test_colours_that_cannot_be_seen_do_not_bleed():
    pixels = np.zeros((40, 40, 4), np.uint8)  # black where it is empty
    pixels[10:30, 10:30] = (200, 40, 60, 255)
    blur = torch.nn.AvgPool2d(9, 1, padding=4, count_include_pad=False)
    restored = np.asarray(restore_picture(Image.fromarray(pixels), Restorer(restore=blur, scale=1, halo=4)))
    assert (restored[..., :3] == (200, 40, 60)).all()
    assert np.array_equal(restored[..., 3], pixels[..., 3])


def test_an_empty_picture_stays_empty():
    restored = restore_picture(Image.new("RGBA", (5, 5), (9, 9, 9, 0)), repeat())
    assert restored.getextrema() == ((9, 9), (9, 9), (9, 9), (0, 0))


@pytest.mark.parametrize(
    ("mode", "profile", "kept"),
    [
        ("RGB", RGB_PROFILE, True),
        ("RGBA", RGB_PROFILE, True),
        ("L", GREY_PROFILE, True),
        ("I;16", GREY_PROFILE, True),
        ("L", RGB_PROFILE, False),
        ("RGB", GREY_PROFILE, False),
        ("RGB", b"torn", False),
    ],
)
def test_the_profile_of_these_colours_is_kept(mode, profile, kept):
    picture = noise(6, 6, mode)
    picture.info = {"icc_profile": profile, "comment": "private"}
    assert restore_picture(picture, repeat()).info == ({"icc_profile": profile} if kept else {})


def test_advance_is_told_the_whole_picture():
    shares = []
    restore_picture(noise(90, 50), repeat(tile=20), advance=shares.append)
    assert len(shares) == 15
    assert sum(shares) == pytest.approx(1)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".TIFF"])
@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "I;16"])
def test_png_and_tiff_hold_everything(suffix, mode):
    picture = noise(20, 10, mode)
    profile = RGB_PROFILE if "RGB" in mode else GREY_PROFILE
    picture.info = {"icc_profile": profile}
    content = io.BytesIO(encode(picture, suffix, quality=95))
    again = decode(content, alpha=True)
    assert (again.mode, again.tobytes()) == (mode, picture.tobytes())
    assert again.info == {"icc_profile": profile}


@pytest.mark.parametrize(("suffix", "form"), [(".jpg", "JPEG"), (".JPEG", "JPEG"), (".webp", "WEBP"), (".bmp", "BMP")])
def test_quality_is_that_of_lossy_formats(suffix, form):
    picture = noise(8, 8).resize((256, 256), Image.Resampling.BICUBIC)
    fine, coarse = (encode(picture, suffix, quality=quality) for quality in (95, 20))
    assert Image.open(io.BytesIO(fine)).format == form
    assert (len(fine) > len(coarse)) == (form != "BMP")
    off = np.abs(np.asarray(decode(io.BytesIO(fine)), int) - np.asarray(picture))
    assert off.mean() < 3


@pytest.mark.parametrize(
    ("mode", "suffix", "lack"),
    [
        ("RGBA", ".jpg", "JPEG holds no transparency"),
        ("LA", ".bmp", "BMP holds no transparency"),
        ("I;16", ".jpeg", "JPEG holds no 16 bits"),
        ("I;16", ".webp", "WEBP holds no 16 bits"),
    ],
)
def test_what_a_format_cannot_hold_is_refused(mode, suffix, lack):
    with pytest.raises(UserError, match=f"^{lack}: set format=png$"):
        encode(noise(4, 4, mode), suffix, quality=95)


def test_a_picture_too_long_for_its_format_is_refused():
    with pytest.raises(UserError, match=r"^WEBP cannot hold 16384x1 pixels .*: set format=png$"):
        encode(Image.new("RGB", (16384, 1)), ".webp", quality=95)
