import io
import tarfile

import numpy as np
import pytest
from PIL import Image

from freqgan.data.tar_index import TarIndex, scan
from freqgan.errors import UserError


def png(seed=0, mode="RGB", size=(8, 8)):
    rng = np.random.default_rng(seed)
    file = io.BytesIO()
    Image.fromarray(rng.integers(0, 256, (*size, 3), np.uint8)).convert(mode).save(file, "PNG")
    return file.getvalue()


def tar(*members, **settings):
    """A tar file of (name, content) pairs or TarInfo objects."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", **settings) as archive:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                archive.addfile(member)
                continue
            name, content = member
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return file.getvalue()


def index_of(content):
    return scan(io.BytesIO(content), shard="x.tar")


def test_parts_are_found_by_offset():
    members = [
        ("a/1.png", png(1)),
        ("a/1.txt", b"one"),
        ("a/1.seg.png", png(2)),
        ("./b.JPG", png(3)),
        ("b.json", b"{}"),
    ]
    content = tar(*members)
    first, second = index_of(content).entries
    assert (first.name, second.name) == ("a/1.png", "b.JPG")
    assert list(first.parts) == ["image", "txt", "seg"]
    assert list(second.parts) == ["image", "json"]
    found = [content[at : at + size] for entry in (first, second) for at, size in entry.parts.values()]
    assert found == [data for _, data in members]


@pytest.mark.parametrize("format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_every_format_of_tar(format):
    name = "n" * 60 + "/" + "ü" * 30 + ".png"
    (entry,) = index_of(tar((name, png()), format=format)).entries
    assert entry.name == name


def test_what_is_no_part_of_a_sample_is_left_out():
    folder = tarfile.TarInfo("d.png")
    folder.type = tarfile.DIRTYPE
    link = tarfile.TarInfo("l.png")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    others = [("README.md", b"x"), (".hidden.png", b"x"), ("1.npy", b"x"), ("only.txt", b"no picture")]
    (entry,) = index_of(tar(folder, link, *others, ("1.png", png()))).entries
    assert entry.name == "1.png"
    assert list(entry.parts) == ["image"]


@pytest.mark.parametrize("name", ["../../escape.png", "/absolute.png", "a/../b.png"])
@pytest.mark.fault("data", "damaged or hostile shard")
def test_names_are_names_and_not_paths(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (entry,) = index_of(tar((name, png()))).entries
    assert entry.name == name
    assert list(tmp_path.iterdir()) == []


def test_headers_are_read_and_bad_ones_remembered():
    deep = io.BytesIO()
    Image.fromarray(np.zeros((4, 4), np.uint16)).save(deep, "PNG")
    index = index_of(tar(("a.png", png()), ("b.png", deep.getvalue()), ("c.jpg", b"no picture")))
    assert index.depth == 16
    assert list(index.unreadable) == ["c.jpg"]
    assert len(index.entries) == 3


def test_checksums_follow_the_content_and_not_the_archive():
    plain = [("a.png", png(1)), ("a.txt", b"one")]
    stamped = tarfile.TarInfo("a.png")
    stamped.size, stamped.mtime, stamped.mode = len(png(1)), 12345, 0o600
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.GNU_FORMAT) as archive:
        archive.addfile(stamped, io.BytesIO(png(1)))
        text = tarfile.TarInfo("a.txt")
        text.size = 3
        archive.addfile(text, io.BytesIO(b"one"))
    checksums = [index_of(content).entries[0].checksum for content in (tar(*plain), file.getvalue())]
    assert checksums[0] == checksums[1]
    others = [tar(("a.png", png(2)), plain[1]), tar(plain[0]), tar(plain[0], ("a.txt", b"two"))]
    assert len({index_of(content).entries[0].checksum for content in others} | {checksums[0]}) == 4


WHOLE = tar(*[(f"{i}.png", png(i)) for i in range(4)])
ENTRY = 512 + -(-len(png(0)) // 512) * 512


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: whole[: ENTRY * 2 + 700],  # within a picture
        lambda whole: whole[: ENTRY * 2 + 100],  # within a header
        lambda whole: whole[: ENTRY * 2],  # between two members: no end mark
        lambda whole: whole[: ENTRY * 2] + b"\1" * 512 + whole[ENTRY * 2 + 512 :],  # a header overwritten
    ],
    ids=["in a picture", "in a header", "between members", "overwritten"],
)
@pytest.mark.fault("data", "damaged or hostile shard")
def test_a_shard_that_is_cut_off_or_damaged_is_an_error(damage):
    with pytest.raises(UserError, match=r"^data\.root: x\.tar: .*(cut off|damaged|unexpected end).*: repair it"):
        index_of(damage(WHOLE))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "this is no plain tar file"),
        (b"hello" * 1000, "this is no plain tar file"),
        (tar(("a.txt", b"x")), "holds no picture"),
        (tar(), "holds no picture"),
        (tar(("a.png", png()), ("b.png", png()), ("a.png", png())), "a is in it twice"),
        (tar(("a.png", png()), ("a.png", png())), "a.png and a.png are of one sample"),
        (tar(("a.png", png()), ("a.jpg", png())), "a.jpg and a.png are of one sample"),
    ],
    ids=["empty", "text", "no picture", "no member", "name twice", "member twice", "two pictures"],
)
@pytest.mark.fault("data", "damaged or hostile shard")
def test_what_is_no_shard_is_one_line(content, message):
    with pytest.raises(UserError, match=message) as error:
        index_of(content)
    assert len(error.value.lines) == 1


def test_a_compressed_shard_is_told_why(tmp_path):
    with tarfile.open(tmp_path / "x.tar.gz", "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("a.png"))
    with pytest.raises(UserError, match="no plain tar file \\(a compressed one has no offsets"):
        index_of((tmp_path / "x.tar.gz").read_bytes())


@pytest.mark.fault("data", "damaged or hostile shard")
def test_flipped_bytes_never_raise_anything_else(tally):
    rng = np.random.default_rng(0)
    for number in range(300):
        tally(300, number)
        damaged = bytearray(WHOLE)
        for place in rng.integers(0, len(WHOLE), 3):
            damaged[place] = rng.integers(0, 256)
        try:
            index = index_of(bytes(damaged))
        except UserError:
            continue
        assert all(0 <= at <= at + size <= len(WHOLE) for entry in index.entries for at, size in entry.parts.values())
    tally(300, 300)


def test_the_index_comes_back_from_its_file():
    index = index_of(tar(("a/1.png", png(1)), ("a/1.txt", b"one"), ("b.jpg", b"no picture")))
    assert TarIndex.from_json(index.to_json()) == index


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text[:-20],
        lambda text: text.replace(b'"version":1', b'"version":0'),
        lambda text: text.replace(b'"size":', b'"length":'),
        lambda text: text.replace(b'"image":[512', b'"image":[-512'),
        lambda text: text.replace(b'"image":[512', b'"image":[99999999'),
        lambda text: text.replace(b'"image"', b'"shell"'),
        lambda text: b"[]",
        lambda text: b"[" * 100_000,
        lambda text: b"\xff",
    ],
)
@pytest.mark.fault("data", "damaged or hostile shard")
def test_a_damaged_index_is_noticed(change):
    text = index_of(tar(("a.png", png()))).to_json()
    assert change(text) != text
    with pytest.raises(ValueError, match=r".+"):
        TarIndex.from_json(change(text))
