import io
import struct
import threading
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image

from freqgan.data.decode import UnreadableImageError, decode, read_header

RGB = np.random.default_rng(0).integers(0, 256, (24, 40, 3), np.uint8)
GREY16 = np.random.default_rng(1).integers(0, 65536, (24, 40)).astype(np.uint16)


def encoded(image, form="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    buffer.seek(0)
    return buffer


def png_claiming(width, height):
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("form", "options"),
    [
        ("PNG", {}),
        ("WEBP", {"lossless": True}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("BMP", {}),
    ],
)
def test_lossless_formats_give_back_their_pixels(form, options):
    image = decode(encoded(Image.fromarray(RGB), form, **options))
    assert image.mode == "RGB"
    assert np.array_equal(np.asarray(image), RGB)


def test_jpeg_and_gif_give_nearly_their_pixels_and_gif_its_first_frame():
    smooth = np.tile(np.linspace(0, 255, 40, dtype=np.uint8)[None, :, None], (24, 1, 3))
    jpeg = np.asarray(decode(encoded(Image.fromarray(smooth), "JPEG", quality=95)), np.int64)
    assert np.abs(jpeg - smooth).max() <= 4
    frames = [Image.new("RGB", (8, 8), color) for color in ("red", "blue")]
    gif = decode(encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    assert gif.getpixel((0, 0)) == (255, 0, 0)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "CMYK", "YCbCr", "LAB"])
def test_opaque_modes(mode):
    source = Image.fromarray(RGB, "LAB") if mode == "LAB" else Image.fromarray(RGB).convert(mode)
    form = "TIFF" if mode in ("CMYK", "YCbCr", "LAB") else "PNG"
    expected = source.convert("L" if mode in ("1", "L") else "RGB")
    how = {"compression": "tiff_lzw"} if mode == "YCbCr" else {}  # Pillow 12 reads no uncompressed ones
    image = decode(encoded(source, form, **how))
    assert image.mode == expected.mode
    # YCbCr is stored and read back through integers.
    assert np.abs(np.asarray(image, np.int64) - np.asarray(expected)).max() <= (2 if mode == "YCbCr" else 0)


def on_white(color, alpha):
    return round((color * alpha + 255 * (255 - alpha)) / 255)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_is_kept_where_it_is_asked_for(mode):
    source = Image.fromarray(np.dstack([RGB, RGB[..., 0]]), "RGBA").convert(mode)
    image = decode(encoded(source), alpha=True)
    assert (image.mode, image.tobytes()) == (mode, source.tobytes())


@pytest.mark.parametrize(
    ("mode", "kept", "transparent"), [("1", "LA", 0), ("L", "LA", 7), ("P", "RGBA", 3), ("RGB", "RGBA", (1, 2, 3))]
)
def test_colour_keys_and_transparent_palette_entries_become_transparency(mode, kept, transparent):
    source = Image.new(mode, (4, 4), 1 if mode == "1" else 200 if mode != "P" else 3)
    source.putpixel((0, 0), transparent)
    if mode == "P":
        source.putpalette([50] * 12)
        source.putpixel((1, 1), 2)
    image = decode(encoded(source, transparency=transparent), alpha=True)
    assert image.mode == kept
    assert (image.getpixel((0, 0))[-1], image.getpixel((1, 1))[-1]) == (0, 255)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "CMYK"])
def test_what_has_no_transparency_gets_none(mode):
    source = Image.fromarray(RGB).convert(mode)
    file = encoded(source, "TIFF")
    assert decode(file, alpha=True).tobytes() == decode(file).tobytes()


@pytest.mark.parametrize("mode", ["L", "P", "RGB", "RGBA", "I;16"])
@pytest.mark.parametrize("alpha", [False, True])
def test_of_what_else_a_file_holds_the_colour_profile_is_handed_on(mode, alpha):
    source = Image.fromarray(GREY16) if mode == "I;16" else Image.fromarray(RGB).convert(mode)
    exif = Image.Exif()
    exif[274] = 6
    file = encoded(source, icc_profile=b"profile", exif=exif, dpi=(72, 72))
    assert decode(file, alpha=alpha).info == {"icc_profile": b"profile"}
    assert decode(encoded(source), alpha=alpha).info == {}


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_is_composited_on_white(mode):
    pixel = (200, 40, 10, 64) if mode == "RGBA" else (40, 64)
    image = decode(encoded(Image.new(mode, (4, 4), pixel)))
    got = image.getpixel((1, 1))
    expected = tuple(on_white(color, 64) for color in pixel[:-1])
    assert np.abs(np.subtract(got, expected if mode == "RGBA" else expected[0])).max() <= 1
    assert image.mode == ("RGB" if mode == "RGBA" else "L")


def test_transparent_palette_entries_and_colour_keys_become_white():
    palette = Image.new("P", (4, 4), 1)
    palette.putpalette([255, 0, 0, 0, 0, 255])
    palette.putpixel((0, 0), 0)
    image = decode(encoded(palette, transparency=0))
    assert (image.getpixel((0, 0)), image.getpixel((1, 1))) == ((255, 255, 255), (0, 0, 255))
    keyed = decode(encoded(Image.new("RGB", (4, 4), (1, 2, 3)), transparency=(1, 2, 3)))
    assert keyed.getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize(("form", "options"), [("PNG", {}), ("TIFF", {}), ("TIFF", {"compression": "tiff_lzw"})])
def test_sixteen_bit_grey_keeps_its_depth(form, options):
    file = encoded(Image.fromarray(GREY16), form, **options)
    assert read_header(file).depth == 16
    image = decode(file)
    assert image.mode == "I;16"
    assert np.array_equal(np.asarray(image), GREY16)


def test_big_endian_and_white_is_zero_and_keyed_sixteen_bit():
    big_endian = encoded(Image.fromarray(GREY16.astype(">u2")), "TIFF")
    assert np.array_equal(np.asarray(decode(big_endian)), GREY16)
    inverted = encoded(Image.fromarray(GREY16), "TIFF", tiffinfo={262: 0})
    assert np.array_equal(np.asarray(decode(inverted)), 65535 - GREY16)
    keyed = encoded(Image.fromarray(GREY16), "PNG", transparency=int(GREY16[3, 5]))
    assert np.asarray(decode(keyed))[3, 5] == 65535


def test_sixteen_bit_colour_is_read_at_eight_bits_and_said_to_be():
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    rows = b"".join(b"\0" + struct.pack(">HHH", 0x1234, 0xABCD, 0xFF00) * 5 for _ in range(3))
    header = struct.pack(">IIBBBBB", 5, 3, 16, 2, 0, 0, 0)
    file = io.BytesIO(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    )
    read = read_header(file)
    assert (read.depth, read.loses_depth) == (8, True)
    assert decode(file).getpixel((2, 1)) == (0x12, 0xAB, 0xFF)
    assert not read_header(encoded(Image.fromarray(RGB))).loses_depth


@pytest.mark.parametrize("form", ["TIFF", "GIF", "WEBP", "PNG"])
def test_further_frames_are_noticed(form: str) -> None:
    one, two, file = Image.fromarray(RGB), Image.fromarray(255 - RGB), io.BytesIO()
    one.save(file, form, save_all=True, append_images=[two])
    assert read_header(file).more_frames
    assert decode(file).size == one.size
    assert not read_header(encoded(one, form)).more_frames


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("deep", [False, True])
def test_exif_rotation(orientation, deep):
    upright = GREY16 if deep else RGB
    undo = {2: "h", 3: "hv", 4: "v", 5: "t", 6: "tv", 7: "thv", 8: "th"}.get(orientation, "")
    stored = upright
    for step in undo:
        stored = {"h": np.fliplr, "v": np.flipud, "t": lambda a: np.swapaxes(a, 0, 1)}[step](stored)
    exif = Image.Exif()
    exif[274] = orientation
    file = encoded(Image.fromarray(np.ascontiguousarray(stored)), "PNG", exif=exif)
    assert np.array_equal(np.asarray(decode(file)), upright)


@pytest.mark.parametrize("mode", ["I", "F"])
def test_modes_without_a_range_are_refused(mode):
    with pytest.raises(UnreadableImageError, match=mode):
        decode(encoded(Image.new(mode, (4, 4)), "TIFF"), name="x.tif")


@pytest.mark.parametrize("size", [(60000, 60000), (12000, 12000), (9000, 9000)])
@pytest.mark.parametrize("python_warns", ["ignore", "error"])
@pytest.mark.fault("data", "header that lies")
def test_lying_headers_are_refused_before_the_pixels_are_read(size, python_warns, monkeypatch):
    def never(*_):
        raise AssertionError("the pixels were read")

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", never)
    with warnings.catch_warnings():
        warnings.simplefilter(python_warns)
        with pytest.raises(UnreadableImageError, match=f"{size[0]}x{size[1]} pixels, more than max_pixels=67108864"):
            decode(io.BytesIO(png_claiming(*size)), name="bomb.png")


def test_the_pixel_limit_is_the_callers_and_pillows_stays_for_others():
    limit = Image.MAX_IMAGE_PIXELS
    assert read_header(io.BytesIO(png_claiming(20000, 20000)), max_pixels=10**9).width == 20000
    assert limit == Image.MAX_IMAGE_PIXELS


def test_the_pixel_limit_is_inclusive():
    file = encoded(Image.new("L", (10, 10)))
    assert decode(file, max_pixels=100).size == (10, 10)
    with pytest.raises(UnreadableImageError, match="10x10"):
        decode(file, max_pixels=99)


@pytest.mark.parametrize("content", [b"", b"hello", b"%!PS-Adobe EPSF", encoded(Image.fromarray(RGB)).getvalue()[:700]])
@pytest.mark.fault("data", "damaged picture")
def test_empty_foreign_and_truncated_files_are_unreadable(content, tmp_path):
    path = tmp_path / "broken.png"
    path.write_bytes(content)
    with pytest.raises(UnreadableImageError, match=r"broken\.png cannot be read as an image: \w") as error:
        decode(path)
    assert error.value.exit_status == 2


def test_a_missing_file_is_unreadable_by_name(tmp_path):
    with pytest.raises(UnreadableImageError, match=r"gone\.png"):
        decode(tmp_path / "gone.png")


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF"])
@pytest.mark.filterwarnings("ignore")
@pytest.mark.fault("data", "flipped byte of a picture")
def test_flipped_bytes_raise_only_our_error(form, tally):
    content = bytearray(encoded(Image.fromarray(RGB), form).getvalue())
    rng = np.random.default_rng(2)
    for number in range(300):
        tally(300, number)
        damaged = bytearray(content)
        damaged[rng.integers(len(content))] = rng.integers(256)
        try:
            image = decode(io.BytesIO(damaged), name="damaged", max_pixels=2**20)
        except UnreadableImageError:
            continue
        assert image.mode in ("L", "RGB", "I;16")
    tally(300, 300)


def test_an_error_survives_the_way_back_from_a_worker_process():
    import pickle

    error = pickle.loads(pickle.dumps(UnreadableImageError("a\nb.png", "zero bytes")))
    assert str(error) == "a\\nb.png cannot be read as an image: zero bytes"


def test_threads_decode_at_once():
    content = encoded(Image.fromarray(RGB)).getvalue()
    results = []

    def work():
        results.extend(np.array_equal(np.asarray(decode(io.BytesIO(content))), RGB) for _ in range(20))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 80
