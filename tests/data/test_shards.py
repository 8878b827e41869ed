import io
import logging
import os
import pickle
import shutil
from itertools import islice

import fsspec
import numpy as np
import pytest
import torch
from PIL import Image

from freqgan.data import ImageFolder, Shards, TrainingStream, training_loader
from freqgan.data.datamodule import DataModule
from freqgan.data.decode import UnreadableImageError
from freqgan.data.shard_files import expand, find_shards
from freqgan.data.shard_writer import write_shards
from freqgan.data.stream import FAILURE, EndlessBatches
from freqgan.errors import StorageError, UserError
from tests.data.test_tar_index import png, tar

N = 23


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Pictures of several sizes and kinds, with captions and classes."""
    root = tmp_path_factory.mktemp("photos")
    (root / "nested").mkdir()
    rng = np.random.default_rng(0)
    for i in range(N):
        size = (12, 20 - i % 5, 3)
        stem = root / ("nested" if i % 3 else "") / f"{i:02}"
        Image.fromarray(rng.integers(0, 256, size, np.uint8)).save(stem.with_suffix((".png", ".jpg", ".webp")[i % 3]))
        stem.with_suffix(".txt").write_text(f"picture {i}\nnumber {i}\n")
        stem.with_suffix(".cls").write_text(str(i % 4))
    return root


@pytest.fixture(scope="module")
def packed(photos, tmp_path_factory):
    """The same in three shards or more, with indexes."""
    folder = tmp_path_factory.mktemp("packed")
    shards, skipped = write_shards(photos, folder, shard_bytes=16_000)
    assert len(shards) >= 3
    assert skipped == []
    return folder


@pytest.fixture
def bare(packed, tmp_path):
    """Shards without indexes, as another program leaves them."""
    folder = tmp_path / "bare"
    folder.mkdir()
    for shard in packed.glob("*.tar"):
        shutil.copy(shard, folder)
    return folder


@pytest.fixture
def shards(tmp_path):
    def make(root, **settings):
        dataset = Shards(**({"image_size": 8, "cache_dir": tmp_path / "cache"} | settings), root=str(root))
        dataset.prepare()
        return dataset

    return make


def all_images(dataset):
    return torch.stack([dataset[i]["image"] for i in range(len(dataset))])


@pytest.mark.parametrize("split", ["train", "val", "all"])
@pytest.mark.parametrize("channels", [1, 3])
def test_packed_pictures_are_those_of_the_folder_in_its_order_and_split(
    photos, packed, shards, tmp_path, split, channels
):
    settings = {"image_size": 8, "channels": channels, "split": split, "val_fraction": 0.3, "cache_dir": tmp_path}
    folder = ImageFolder(root=photos, **settings)
    folder.prepare()
    assert torch.equal(all_images(shards(packed, **settings)), all_images(folder))


def test_captions_and_classes_come_along(packed, shards):
    dataset = shards(packed)
    sample = dataset[0]
    assert sample["caption"] == ["picture 0", "number 0"]
    assert dataset.captions(0) == sample["caption"]
    assert [dataset[i]["class"] for i in range(4)] == [0, 3, 2, 1]  # the folder's order: 00, 03, 06 …
    assert [dataset.class_of(i) for i in range(4)] == [0, 3, 2, 1]


def test_indexes_are_made_once_where_there_are_none(bare, packed, shards, caplog):
    with caplog.at_level(logging.INFO, "freqgan"):
        first, again = shards(bare), shards(bare)
    assert caplog.text.count("reading ") == len(list(bare.glob("*.tar")))
    assert torch.equal(all_images(first), all_images(shards(packed)))
    assert first.fingerprint() == again.fingerprint() == shards(packed).fingerprint()
    assert sorted(path.suffix for path in bare.iterdir()) == [".tar"] * len(list(bare.iterdir()))


def test_the_fingerprint_follows_the_content_and_not_the_cut(photos, packed, shards, tmp_path):
    original = shards(packed).fingerprint()
    write_shards(photos, tmp_path / "one")
    assert len(list((tmp_path / "one").glob("*.tar"))) == 1
    assert shards(tmp_path / "one").fingerprint() == original
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "x.tar").write_bytes(tar(("a.png", png())))
    assert shards(f"{packed}/../{packed.name}/*.tar").fingerprint() == original
    assert shards(tmp_path / "other").fingerprint() != original
    others = ({"image_size": 16}, {"channels": 1}, {"split": "train"}, {"split": "val"})
    assert len({shards(packed, **other).fingerprint() for other in others} | {original}) == 5


@pytest.mark.parametrize(
    ("change", "warning"),
    [
        (lambda shard, index: os.utime(shard, (2e9, 2e9)), "it is older than its shard"),
        (lambda shard, index: index.write_text("{"), "is left unused"),
        (lambda shard, index: index.write_text("[" * 100_000), "is left unused"),
        (lambda shard, index: index.write_bytes(index.read_bytes().replace(b'"size":', b'"size":1')), "is left unused"),
    ],
    ids=["older", "damaged", "deep", "of another shard"],
)
def test_an_index_that_does_not_fit_is_left_unused(bare, packed, shards, caplog, change, warning):
    for index in packed.glob("*.idx.json"):
        shutil.copy(index, bare)
    first = bare / "shard-000000.tar"
    change(first, bare / f"{first.name}.idx.json")
    assert torch.equal(all_images(shards(bare)), all_images(shards(packed)))
    assert warning in caplog.text


def test_a_changed_shard_is_noticed(bare, shards):
    before = shards(bare)
    (bare / "shard-000000.tar").write_bytes(tar(("new.png", png(5))))
    after = shards(bare)
    assert len(after) < len(before)
    assert after.fingerprint() != before.fingerprint()
    with pytest.raises(StorageError, match=r"shard-000000\.tar has become shorter"):
        before[4]  # the last one of the old shard


def test_patterns(bare, packed, shards, monkeypatch):
    count = len(list(bare.glob("*.tar")))
    everything = all_images(shards(packed))
    for root in (bare, f"{bare}/", f"{bare}/*.tar", f"{bare}/shard-{{000000..{count - 1:06}}}.tar", f"file://{bare}"):
        assert torch.equal(all_images(shards(root)), everything), root
    monkeypatch.chdir(bare.parent)
    assert len(shards("bare")) == N
    one = shards(bare / "shard-000001.tar")
    assert 0 < len(one) < N
    assert list(expand("a-{9..11}.tar")) == ["a-9.tar", "a-10.tar", "a-11.tar"]
    assert list(expand("{a,b}{1,2}")) == ["a1", "a2", "b1", "b2"]


@pytest.mark.parametrize(
    ("root", "message"),
    [
        ("{}/none", r"none is not there, wanted a tar shard"),
        ("{}/shard-00000{{0..9}}.tar", r"shard-000009|shard-00000\d\.tar is not there"),
        ("{}/*.zip", "names no tar shard"),
        ("ftq://host/x.tar", "ftq://host/x.tar cannot be reached: Protocol not known: ftq"),
        ("s3://bucket/x.tar", "cannot be reached: Install s3fs"),
    ],
)
def test_shards_that_are_not_there_are_one_line(bare, root, message):
    with pytest.raises(UserError, match=message) as error:
        find_shards(root.format(bare))
    assert len(error.value.lines) == 1


def test_no_root_is_told_with_an_example():
    with pytest.raises(UserError, match=r"data\.root is empty, wanted tar shards: set data\.root=<files>"):
        Shards(image_size=8, root=None)


@pytest.fixture
def remote(packed):
    """The shards in another file system, with indexes."""
    files = fsspec.filesystem("memory")
    files.put(f"{packed}/*", "/bucket/")
    yield "memory://bucket"
    files.rm("/bucket", recursive=True)


@pytest.mark.parametrize("indexed", [True, False])
def test_shards_in_a_remote_file_system(remote, packed, shards, indexed, caplog):
    files = fsspec.filesystem("memory")
    if not indexed:
        files.rm(files.glob("/bucket/*.json"))
    expected = shards(packed)
    for root in (remote, f"{remote}/shard-*.tar"):
        dataset = shards(root)
        assert torch.equal(all_images(dataset), all_images(expected))
        assert dataset.fingerprint() == expected.fingerprint()
    assert "left unused" not in caplog.text


def test_whole_shards_can_be_kept_on_the_local_disk(remote, packed, shards):
    dataset = shards(f"filecache::{remote}/shard-{{000000..000001}}.tar")
    assert torch.equal(all_images(dataset), all_images(shards(packed))[: len(dataset)])


def test_only_the_bytes_of_a_sample_are_fetched(remote, shards, monkeypatch):
    dataset = shards(remote)
    fetched = []
    original = type(fsspec.filesystem("memory")).cat_file

    def cat_file(self, path, start=None, end=None, **settings):
        fetched.append(end - start)
        return original(self, path, start, end, **settings)

    monkeypatch.setattr(type(fsspec.filesystem("memory")), "cat_file", cat_file)
    dataset[3]
    assert len(fetched) == 1
    assert fetched[0] < 4096


def test_a_server_that_sends_everything_is_told_what_helps(remote, shards, monkeypatch):
    dataset = shards(remote)
    original = type(fsspec.filesystem("memory")).cat_file
    monkeypatch.setattr(
        type(fsspec.filesystem("memory")), "cat_file", lambda self, path, start, end: original(self, path)
    )
    with pytest.raises(
        StorageError, match=r"comes whole when a part is asked for: set data\.root=filecache::memory://"
    ):
        dataset[3]


def test_a_server_that_fails_is_one_line(remote, shards, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("connection\nlost")

    dataset = shards(remote)
    monkeypatch.setattr(type(fsspec.filesystem("memory")), "cat_file", fail)
    with pytest.raises(StorageError, match=r"^.* can no longer be read: connection lost$"):
        dataset[3]


@pytest.mark.parametrize("num_workers", [0, 2])
@pytest.mark.parametrize("place", ["local", "remote"])
def test_workers_and_processes_see_the_same_stream(packed, remote, shards, num_workers, place):
    def batches(count, **part):
        stream = TrainingStream(dataset, seed=3)
        loader = training_loader(stream, EndlessBatches(images_seen=20, batch_size=8, **part), num_workers=num_workers)
        return [batch["image"] for batch in islice(loader, count)]

    dataset = shards(packed)
    expected = [dataset[TrainingStream(dataset, seed=3)[k]["index"]]["image"] for k in range(20, 52)]
    dataset = shards(packed if place == "local" else remote)
    assert torch.equal(torch.cat(batches(4)), torch.stack(expected))
    halves = [batches(4, rank=rank, world_size=2) for rank in range(2)]
    together = [torch.cat(pair) for pair in zip(*halves, strict=True)]
    assert torch.equal(torch.cat(together), torch.stack(expected))


def test_a_prepared_set_travels_to_other_processes(packed, shards):
    dataset = shards(packed)
    assert torch.equal(all_images(pickle.loads(pickle.dumps(dataset))), all_images(dataset))


@pytest.fixture
def damaged(tmp_path):
    """Six pictures: the second has a broken header, the fourth broken pixels."""
    whole = png(3, size=(40, 40))
    pictures = [png(0), b"no picture", png(2), whole[:-400], png(4), png(5)]
    path = tmp_path / "damaged.tar"
    path.write_bytes(tar(*[(f"{i}.png", content) for i, content in enumerate(pictures)]))
    return path


@pytest.mark.fault("data", "damaged picture in a data set")
def test_unreadable_pictures_are_reported_by_name(damaged, shards):
    with pytest.raises(UserError) as error:
        shards(damaged)
    assert error.value.lines[0].startswith("1.png cannot be read as an image: not one of PNG")
    assert (
        "1 unreadable among 6 images: leave them out of the shards, or set data.on_error=skip" in error.value.lines[1]
    )


@pytest.mark.fault("data", "damaged picture in a data set")
def test_skip_takes_the_next_good_picture_by_index(damaged, shards, caplog, tmp_path):
    dataset = shards(damaged, on_error="skip")
    assert [error.name for error in dataset.skipped] == ["1.png"]
    assert torch.equal(dataset[1]["image"], dataset[2]["image"])
    with pytest.raises(UnreadableImageError, match=r"^3\.png of "):
        dataset[3]
    given = {"root": str(damaged), "image_size": 8, "cache_dir": tmp_path / "cache", "on_error": "skip"}
    data = DataModule(source=Shards, **given)
    images = torch.cat(list(data.evaluation_images("all")))
    assert len(images) == 6
    assert torch.equal(images[3], images[4])
    assert torch.equal(torch.cat(list(data.evaluation_images("all"))), images)
    assert caplog.text.count("3.png of ") == 1


@pytest.mark.fault("data", "damaged picture in a data set")
def test_damage_behind_a_header_is_one_line_from_a_worker_too(damaged, tmp_path):
    pictures = tmp_path / "later.tar"
    content = tar(*[(f"{i}.png", png(i, size=(40, 40))[: -400 if i == 3 else None]) for i in range(6)])
    pictures.write_bytes(content)
    for num_workers in (0, 1):
        data = DataModule(
            source=Shards,
            root=str(pictures),
            image_size=8,
            val_fraction=0.0,
            batch_size=6,
            num_workers=num_workers,
            cache_dir=tmp_path / "cache",
        )
        with pytest.raises(UserError, match=r"^3\.png of .*later\.tar cannot be read as an image: .*$") as error:
            data.on_before_batch_transfer(next(iter(data.train_dataloader())), 0)
        assert len(error.value.lines) == 1
    batch = next(iter(data.train_dataloader()))
    assert list(batch) == [FAILURE]


@pytest.mark.fault("data", "damaged picture in a data set")
def test_nothing_readable_is_an_error_even_with_skip(shards, tmp_path):
    (tmp_path / "x.tar").write_bytes(tar(("a.png", b"x"), ("b.png", b"y")))
    with pytest.raises(UserError, match="2 unreadable among 2 images"):
        shards(tmp_path / "x.tar", on_error="skip")


def test_larger_images_than_allowed_are_unreadable(shards, tmp_path):
    (tmp_path / "x.tar").write_bytes(tar(("a.png", png(size=(30, 30)))))
    with pytest.raises(UserError, match=r"30x30 pixels, more than max_pixels=899"):
        shards(tmp_path / "x.tar", max_pixels=899)[0]
    assert len(shards(tmp_path / "x.tar", max_pixels=900)[0]["image"]) == 3


def test_captions_in_json_and_what_cannot_be_read(shards, tmp_path):
    def captions(*texts):
        parts = [
            (f"{i}.{kind}", content)
            for i, text in enumerate(texts)
            for kind, content in (("png", png(i)), ("json", text))
        ]
        (tmp_path / "x.tar").write_bytes(tar(*parts))
        dataset = shards(tmp_path / "x.tar")
        return [dataset[i]["caption"] for i in range(len(dataset))]

    assert captions(b'{"caption": "one"}', b'{"captions": ["two", " drei "]}') == [["one"], ["two", "drei"]]
    for text in (b"{", b'{"caption": 3}', b'{"title": "x"}', b'{"caption": " "}', b"[1]", b"\xff", b"[" * 100_000):
        with pytest.raises(UserError, match=r"0\.png of .*its caption (cannot be read|is empty)") as error:
            captions(text)
        assert len(error.value.lines) == 1


def test_captions_of_some_pictures_are_left_out_with_a_warning(shards, tmp_path, caplog):
    (tmp_path / "x.tar").write_bytes(tar(("a.png", png()), ("a.txt", b"one"), ("b.png", png(1)), ("b.cls", b"x")))
    assert list(shards(tmp_path / "x.tar")[0]) == ["image"]
    assert "1 of 2 pictures have captions: left out" in caplog.text
    assert "1 of 2 pictures have classes: left out" in caplog.text


def test_a_class_is_a_whole_number(shards, tmp_path):
    (tmp_path / "x.tar").write_bytes(tar(("a.png", png()), ("a.cls", b"dog")))
    with pytest.raises(UserError, match=r"a\.png of .*: its class is b'dog', wanted a whole number"):
        shards(tmp_path / "x.tar")[0]


@pytest.mark.parametrize("mode", ["L", "P"])
def test_label_maps_keep_their_numbers_and_the_picture_s_frame(shards, tmp_path, mode):
    labels = np.zeros((16, 24), np.uint8)
    labels[:8, 4:12], labels[8:, 12:] = 3, 4  # the square in the middle, in quarters
    picture = Image.fromarray(labels)
    if mode == "P":
        picture.putpalette([7, 7, 7] * 256)
    picture.save(tmp_path / "seg.png")
    image = Image.fromarray(labels * 60).convert("RGB")
    image.save(tmp_path / "image.png")
    parts = [("a.png", (tmp_path / "image.png").read_bytes()), ("a.seg.png", (tmp_path / "seg.png").read_bytes())]
    (tmp_path / "x.tar").write_bytes(tar(*parts))
    sample = shards(tmp_path / "x.tar", num_classes=5)[0]
    expected = torch.tensor([[3, 0], [0, 4]], dtype=torch.uint8).repeat_interleave(4, 0).repeat_interleave(4, 1)
    assert torch.equal(sample["label_map"], expected)
    assert sample["image"].shape == (3, 8, 8)
    assert "label_map" not in shards(tmp_path / "x.tar")[0]
    with pytest.raises(UserError, match=r"has label 4, beyond data\.num_classes=4"):
        shards(tmp_path / "x.tar", num_classes=4)[0]


@pytest.mark.parametrize("rest", [1, 255])
def test_255_in_label_maps_is_no_label(shards, tmp_path, rest):
    labels = np.full((8, 8), rest, np.uint8)
    labels[:4] = 255
    Image.fromarray(labels).save(tmp_path / "seg.png")
    (tmp_path / "x.tar").write_bytes(tar(("a.png", png()), ("a.seg.png", (tmp_path / "seg.png").read_bytes())))
    assert np.array_equal(shards(tmp_path / "x.tar", num_classes=2)[0]["label_map"], labels)


def test_label_maps_that_are_missing_are_one_line(packed, shards):
    with pytest.raises(UserError, match=rf"data\.num_classes=5, but {N} of {N} pictures have no label map"):
        shards(packed, num_classes=5)


def test_sixteen_bit_pictures_keep_their_depth(shards, tmp_path):
    deep = np.random.default_rng(0).integers(0, 65536, (8, 8)).astype(np.uint16)
    Image.fromarray(deep).save(tmp_path / "a.png")
    (tmp_path / "x.tar").write_bytes(tar(("a.png", (tmp_path / "a.png").read_bytes()), ("b.png", png())))
    dataset = shards(tmp_path)
    assert dataset[0]["image"].dtype == dataset[1]["image"].dtype == torch.float32
    assert torch.equal(dataset[0]["image"], torch.from_numpy(deep.astype(np.float32) / 65535).expand(3, 8, 8))


def test_a_name_in_two_shards_is_told(shards, tmp_path, caplog):
    for shard in ("x.tar", "y.tar"):
        (tmp_path / shard).write_bytes(tar(("a.png", png())))
    assert len(shards(tmp_path)) == 2
    assert "1 names are in more than one shard" in caplog.text


def test_shards_of_the_webdataset_package(photos, shards, tmp_path):
    import webdataset

    with webdataset.ShardWriter(f"{tmp_path}/wds-%06d.tar", maxcount=9, verbose=0) as writer:
        for number in range(20):
            writer.write({"__key__": f"k{number:03}", "png": png(number), "txt": f"number {number}", "cls": number % 3})
    dataset = shards(f"{tmp_path}/wds-{{000000..000002}}.tar")
    assert len(dataset) == 20
    for number in (0, 8, 9, 19):
        sample = dataset[number]
        picture = np.asarray(Image.open(io.BytesIO(png(number))))
        assert np.array_equal(sample["image"], picture.transpose(2, 0, 1))
        assert (sample["caption"], sample["class"]) == ([f"number {number}"], number % 3)


def test_the_webdataset_package_reads_ours(photos, packed):
    from webdataset.tariterators import group_by_keys, tar_file_expander

    samples = []
    for path in sorted(packed.glob("*.tar")):
        with path.open("rb") as stream:
            samples += group_by_keys(tar_file_expander([{"url": str(path), "stream": stream}]))
    assert len(samples) == N
    for sample in samples:
        (suffix,) = {"png", "jpg", "webp"} & set(sample)
        for part in (suffix, "txt", "cls"):
            assert sample[part] == (photos / f"{sample['__key__']}.{part}").read_bytes()
