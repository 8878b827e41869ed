"""What turns out bad while a run goes on: named, counted, replaced by index, and the same after a resume."""

import os
import shutil
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from freqgan.data import ImageFolder, Scenes, UnpairedFolders
from freqgan.data.base import ImageDataset, Sample
from freqgan.data.datamodule import DataModule
from freqgan.data.decode import UnreadableImageError
from freqgan.data.quarantine import Found, Quarantines
from freqgan.data.stream import FOUND
from freqgan.errors import UserError

N = 6


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "a").mkdir()
    for number in range(N):
        Image.new("RGB", (8, 8), (number, 0, 0)).save(tmp_path / "a" / f"{number}.png")
    return tmp_path / "a"


@pytest.fixture
def make(tmp_path: Path, root: Path) -> Any:
    def make(source: Any = ImageFolder, **settings: Any) -> DataModule:
        given = {"root": str(root), "image_size": 8, "batch_size": 2, "val_fraction": 0.0, "on_error": "skip"}
        given |= {"cache_dir": tmp_path / "cache"} | settings
        data = DataModule(source=partial(source, cache_limit_gib=0.0), **given)
        data.dataset("train")
        return data

    return make


def _numbers(data: DataModule, batches: int = N) -> list[int]:
    """The number of each picture that training gets."""
    taken = [data.on_before_batch_transfer(batch, 0) for batch in islice(iter(data.train_dataloader()), batches)]
    assert all(FOUND not in batch for batch in taken)
    return [int(x) for batch in taken for x in batch["image"][:, 0, 0, 0]]


def _drawn(data: DataModule, batches: int = N) -> list[int]:
    return [int(x) for batch in islice(iter(data.train_dataloader()), batches) for x in batch["index"]]


def _replaced(order: list[int], *bad: int) -> list[int]:
    """By the next good number, behind the last by the first."""
    stands_in = {n: next(m % N for m in range(n, n + N) if m % N not in bad) for n in range(N)}
    return [stands_in[number] for number in order]


@pytest.mark.parametrize("place", [0, 3, N - 1])
@pytest.mark.parametrize("num_workers", [0, 2])
@pytest.mark.fault("data", "file changed while training")
def test_a_file_that_vanishes_is_replaced_by_index(
    make: Any, root: Path, caplog: pytest.LogCaptureFixture, place: int, num_workers: int
) -> None:
    data = make(num_workers=num_workers)
    order = _drawn(make())
    (root / f"{place}.png").unlink()
    assert _numbers(data) == _replaced(order, place)
    assert [(one.place, one.name) for one in data.quarantines.found] == [(place, f"{place}.png")]
    assert caplog.text.count(f"{place}.png cannot be read as an image: No such file") == 1
    assert "skipped from here on (data.on_error=skip), 1 so far" in caplog.text


@pytest.mark.parametrize(
    "change",
    ["replaced by a picture", "replaced by a text", "cut", "longer", "rewritten in place", "with its old times"],
)
@pytest.mark.parametrize("on_error", ["raise", "skip"])
@pytest.mark.fault("data", "file changed while training")
def test_a_file_that_changes_is_named(make: Any, root: Path, change: str, on_error: str) -> None:
    data, file = make(on_error=on_error), root / "3.png"
    before, whole = file.stat(), file.read_bytes()
    order = _drawn(data)
    if change.startswith("replaced"):
        file.unlink()
    if change == "replaced by a text":
        file.write_text("a text")
    elif change == "cut":
        file.write_bytes(whole[:-30])
    elif change == "longer":
        file.write_bytes(whole + b"more")
    else:
        Image.new("RGB", (8, 8), (200, 0, 0)).save(file)
    if change == "with its old times":
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    if on_error == "skip":
        assert _numbers(data) == _replaced(order, 3)
        assert [one.name for one in data.quarantines.found] == ["3.png"]
    else:
        with pytest.raises(UserError, match=r"^3\.png cannot be read as an image: .*set data\.on_error=skip$") as error:
            _numbers(data)
        assert len(error.value.lines) == 1


@pytest.mark.fault("data", "file changed while training")
def test_a_file_that_only_looks_changed_is_read(make: Any, root: Path) -> None:
    data = make(on_error="raise")
    order = _drawn(data)
    content = (root / "3.png").read_bytes()
    (root / "3.png").unlink()
    (root / "3.png").write_bytes(content)
    (root / "2.png").chmod(0o600)
    assert _numbers(data) == order


@pytest.mark.fault("data", "file changed while training")
def test_pixels_that_are_kept_are_those_of_the_beginning(make: Any, root: Path) -> None:
    data = make(partial(ImageFolder, cache_limit_gib=1.0), on_error="raise")
    data._datasets.clear()
    data.source = ImageFolder
    order = _drawn(data)
    shutil.rmtree(root)
    assert _numbers(data) == order


@pytest.mark.fault("data", "file changed while training")
def test_a_resumed_run_leaves_out_what_it_left_out(make: Any, root: Path) -> None:
    whole = make()
    content = (root / "2.png").read_bytes()
    (root / "2.png").unlink()
    expected = _numbers(whole)
    (root / "2.png").write_bytes(content)  # a disk that was away for a while
    resumed = make()
    resumed.load_state_dict(whole.state_dict())
    resumed.images_seen = 4
    assert _numbers(resumed, N - 2) == expected[4:]
    assert resumed.state_dict() == whole.state_dict() == {"quarantine": [list(whole.quarantines.found[0])]}
    assert make().state_dict() == {}


@pytest.mark.fault("data", "file changed while training")
def test_each_domain_has_its_own(make: Any, root: Path) -> None:
    shutil.copytree(root, root.with_name("b"))
    data = make(UnpairedFolders, root_b=str(root.with_name("b")), draws="unpaired")
    (root / "1.png").unlink()
    (root.with_name("b") / "4.png").unlink()
    for batch in islice(iter(data.train_dataloader()), N):
        data.on_before_batch_transfer(batch, 0)
    found = {(one.part, one.name) for one in data.quarantines.found}
    assert found == {("train", "1.png"), ("train of B", "4.png")}


@pytest.mark.fault("data", "file changed while training")
def test_evaluations_leave_out_the_same(make: Any, root: Path) -> None:
    data = make()
    (root / "5.png").unlink()
    images = torch.cat(list(data.evaluation_images("train")))
    numbers = ((images[:, 0, 0, 0] + 1) * 127.5).round().int().tolist()
    assert numbers == [0, 1, 2, 3, 4, 0]
    assert _numbers(data) == _replaced(_drawn(data), 5)
    assert len(data.quarantines.found) == 1


@pytest.mark.parametrize(("most", "bad"), [(0.5, 3), (1, 1), (6, 5)])
@pytest.mark.fault("data", "file changed while training")
def test_more_than_max_skipped_is_an_error(make: Any, root: Path, most: float, bad: int) -> None:
    data = make(max_skipped=most)
    for number in range(bad):
        (root / f"{number}.png").unlink()
    _numbers(data)
    (root / f"{bad}.png").unlink()
    with pytest.raises(UserError, match=rf"{bad + 1} of 6 train images .* more than data\.max_skipped={most}|none can"):
        _numbers(data)


@pytest.mark.parametrize(("most", "refused"), [(0.3, True), (0.5, False), (2, True), (3, False)])
@pytest.mark.fault("data", "damaged picture in a data set")
def test_a_set_that_is_mostly_bad_is_refused_at_once(make: Any, root: Path, most: float, refused: bool) -> None:
    for number in range(3):
        (root / f"{number}.png").write_bytes(b"")
    if refused:
        with pytest.raises(UserError, match=rf"3 of 6 train images cannot be used, more than data\.max_skipped={most}"):
            make(max_skipped=most)
    else:
        make(max_skipped=most)


@pytest.mark.parametrize("many", ["root", "root_b"])
@pytest.mark.fault("data", "damaged picture in a data set")
def test_bad_pictures_are_a_share_of_their_own_domain(make: Any, root: Path, tmp_path: Path, many: str) -> None:
    large = tmp_path / "large"
    large.mkdir()
    for number in range(20):
        Image.new("RGB", (8, 8), (number, 0, 0)).save(large / f"{number}.png")
    for number in range(5):
        (large / f"{number}.png").write_bytes(b"")
    domains = {"root": str(root), "root_b": str(root)} | {many: str(large)}
    make(UnpairedFolders, **domains, max_skipped=0.5)
    part = "train" if many == "root" else "train of B"
    with pytest.raises(UserError, match=rf"^5 of 20 {part} images cannot be used, more than data\.max_skipped=0\.2"):
        make(UnpairedFolders, **domains, max_skipped=0.2)


@pytest.mark.parametrize("most", [-0.1, 1.5, -1])
def test_what_is_no_share_and_no_number_is_refused(most: float) -> None:
    with pytest.raises(UserError, match=f"data.max_skipped={most} must be a share"):
        DataModule(source=Scenes, image_size=8, max_skipped=most)


def test_a_set_of_which_nothing_is_left_ends() -> None:
    def never(index: int) -> Sample:
        raise UnreadableImageError(f"{index}.png", "gone")

    quarantine = Quarantines("skip", 1.0).of("train", 3)
    with pytest.raises(UserError, match="of the 3 train images none can be read any more"):
        quarantine.read(1, never)
    assert [one.place for one in quarantine.taken()] == [1, 2, 0]
    assert quarantine.taken() == []


def test_what_another_set_has_left_out_is_no_index_of_this_one() -> None:
    quarantines = Quarantines("skip", 1.0)
    quarantines.restore([["train", 7, "7.png", "gone"], ["train", 1, "1.png", "gone"]])
    assert quarantines.of("train", 3).bad.tolist() == [False, True, False]
    assert quarantines.of("train", 3).stand_in(1) == 2
    assert quarantines.found[1] == Found("train", 1, "1.png", "gone")


@pytest.mark.fault("data", "file changed while training")
def test_crops_of_one_picture_tell_of_it_once(make: Any, root: Path) -> None:
    data = make(crops_per_image=2)
    (root / "0.png").unlink()
    _numbers(data)
    assert len(data.quarantines.found) == 1


def test_a_source_of_ones_own_needs_nothing_of_this() -> None:
    class Own(ImageDataset):
        def prepare(self) -> None:
            self.bad = {1}

        def __len__(self) -> int:
            return 4

        def __getitem__(self, index: int) -> Sample:
            if index in self.bad:
                raise UnreadableImageError(f"thing {index}", "it is odd")
            return {"image": torch.full((3, 8, 8), index, dtype=torch.uint8)}

        def content(self) -> str:
            return "own"

    data = DataModule(source=Own, image_size=8, batch_size=2, on_error="skip", val_fraction=0.0)
    images = torch.cat(list(data.evaluation_images("train")))
    assert np.array_equal(((images[:, 0, 0, 0] + 1) * 127.5).round(), [0, 2, 2, 3])
