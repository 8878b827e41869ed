import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from freqgan.data.id_maps import IdMaps
from freqgan.editing import label_files
from freqgan.editing.label_files import decode_apart, png, written_instances
from freqgan.errors import UserError
from tests.editing.canvases import CAR, THINGS, files, street


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def made_png(width: int, height: int, pixels: bytes, *extra: bytes, depth: int = 8, kind: int = 0) -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0))
    return b"".join((b"\x89PNG\r\n\x1a\n", head, *extra, chunk(b"IDAT", pixels), chunk(b"IEND", b"")))


def test_what_is_written_is_read_again() -> None:
    canvas = street()
    again = files().read(files().written(canvas.labels), THINGS)
    assert np.array_equal(again.labels, canvas.labels)
    assert len(np.unique(again.instances[again.labels == CAR])) == 1  # they touch, and labels are all there is


def test_files_have_the_ids_of_the_data() -> None:
    some = files(ids=(7, 8, 26, 300), dont_care=(0, 9))
    content = some.written(street().labels)
    assert {*np.unique(np.asarray(Image.open(io.BytesIO(content))))} == {7, 8, 26}
    assert np.array_equal(some.read(content, THINGS).labels, street().labels)
    tall = street().labels.copy()
    tall[0, 0], tall[0, 1] = 3, 255
    content = some.written(tall)
    assert np.asarray(Image.open(io.BytesIO(content)))[0, :2].tolist() == [300, 0]
    assert np.array_equal(some.read(content, THINGS).labels, tall)


def test_what_is_no_class_stays_so_where_255_is_one() -> None:
    some, labels = files(ids=(0, 1, 2, 255), dont_care=(255, 7)), street().labels.copy()
    labels[0, 0], labels[0, 1] = 3, 255
    assert np.array_equal(some.read(some.written(labels), THINGS).labels, labels)


def test_ids_that_are_no_classes_are_named() -> None:
    with pytest.raises(UserError, match="the ids 4, 9, which are no classes: wanted of 0 to 3"):
        files().read(png(Image.fromarray(np.array([[0, 9, 4]], np.uint8))), THINGS)


def test_instance_maps_keep_instances_apart() -> None:
    ids = np.array([[0, 70000, 1000, 0]], np.int32)
    stored = Image.open(io.BytesIO(written_instances(ids)))
    read = np.asarray(IdMaps(instances=True).of_stored(stored, name="ids"))
    assert np.array_equal(np.unique(read, return_inverse=True)[1], np.unique(ids, return_inverse=True)[1])
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(written_instances(street().instances)))), street().instances)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "I;16", "LA"])
def test_every_mode_arrives_as_it_is(mode: str) -> None:
    random = np.random.default_rng(0).integers(0, 256, (5, 7, 3)).astype(np.uint8)
    grey = Image.fromarray(np.arange(35, dtype=np.uint16).reshape(5, 7) * 999)
    image = grey if mode == "I;16" else Image.fromarray(random).convert(mode)
    arrived = decode_apart(png(image), max_pixels=35)
    wanted = image.convert("RGBA") if mode == "LA" else image
    assert arrived.mode == wanted.mode
    assert np.array_equal(np.asarray(arrived.convert("RGB")), np.asarray(wanted.convert("RGB")))


HOSTILE = {
    "no PNG": b"GIF89a" + bytes(100),
    "nothing": b"",
    "a bomb": made_png(60_000, 60_000, zlib.compress(bytes(100))),
    "a header of no pixels": made_png(0, 5, zlib.compress(bytes(10))),
    "a header that lies": made_png(8, 8, zlib.compress(bytes(3))),
    "cut": png(Image.fromarray(street().labels))[:-30],
    "a bomb in a text": made_png(
        8, 8, zlib.compress(bytes(72)), chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(200_000_000), 1))
    ),
    "another format in its name": b"\x89PNG\r\n\x1a\n" + bytes(200),
    "a JPEG behind a head": png(Image.fromarray(street().labels))[:33] + bytes(range(256)),
}


@pytest.mark.fault("edit", "damaged or hostile label map")
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_ends_in_one_line(name: str) -> None:
    with pytest.raises(UserError) as caught:
        files().read(HOSTILE[name], THINGS)
    assert len(caught.value.lines) == 1


@pytest.mark.fault("edit", "damaged or hostile label map")
def test_a_picture_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(label_files, "SECONDS", 0.001)
    with pytest.raises(UserError, match="takes more than"):
        decode_apart(png(Image.fromarray(street().labels)), max_pixels=10**6)
