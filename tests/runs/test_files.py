import hashlib
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from freqgan.errors import StorageError, UserError
from freqgan.runs import copy_whole, read_checkpoint, verify_checkpoint, write_checkpoint, write_json
from freqgan.runs.files import SEAL, write_below, write_whole

GOOD: dict[str, Any] = {"state_dict": {"w": torch.arange(1000.0)}, "ema": {}, "clock": {"images_seen": 4}}


def test_a_checkpoint_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "a.ckpt"
    write_checkpoint(path, GOOD)
    copy_whole(path, tmp_path / "b.ckpt")
    assert torch.equal(read_checkpoint(tmp_path / "b.ckpt")["state_dict"]["w"], GOOD["state_dict"]["w"])
    assert not os.path.samefile(path, tmp_path / "b.ckpt")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.ckpt", "b.ckpt"]


def test_a_name_may_be_as_long_as_names_can_be(tmp_path: Path) -> None:
    path = tmp_path / "folder" / f"{'é' * 125}.png"
    write_below(path, b"picture")
    assert path.read_bytes() == b"picture"
    assert [*path.parent.iterdir()] == [path]


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
@pytest.mark.fault("checkpoint", "checkpoint cut or with a flipped bit")
def test_truncated_files_are_refused(tmp_path: Path, share: float) -> None:
    path = tmp_path / "a.ckpt"
    write_checkpoint(path, GOOD)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(StorageError, match="not a whole checkpoint"):
        read_checkpoint(path)


@pytest.mark.fault("checkpoint", "checkpoint cut or with a flipped bit")
def test_a_flipped_byte_of_data_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a.ckpt"
    write_checkpoint(path, GOOD)
    content = bytearray(path.read_bytes())
    content[content.index(torch.arange(1000.0).numpy().tobytes()[:64]) + 32] ^= 1
    path.write_bytes(content)
    with pytest.raises(StorageError, match="not those that were written"):
        verify_checkpoint(path)


@pytest.mark.fault("checkpoint", "checkpoint cut or with a flipped bit")
def test_a_flipped_bit_anywhere_is_noticed(tmp_path: Path, tally: Any) -> None:
    path = tmp_path / "a.ckpt"
    write_checkpoint(path, GOOD)
    content, random = path.read_bytes(), np.random.default_rng(0)
    end = content.index(SEAL)
    with zipfile.ZipFile(path) as archive:
        places = [*random.integers(0, end, 100), *random.integers(archive.start_dir, end, 300)]
    for number, (place, bit) in enumerate(zip(places, random.integers(0, 8, len(places)), strict=True)):
        tally(len(places), number)
        path.write_bytes(content[:place] + bytes([content[place] ^ (1 << bit)]) + content[place + 1 :])
        with pytest.raises(StorageError, match="not those that were written"):
            read_checkpoint(path)
    tally(len(places), len(places))


def test_a_checkpoint_of_another_writer_is_read(tmp_path: Path) -> None:
    torch.save(GOOD, tmp_path / "a.ckpt")
    assert read_checkpoint(tmp_path / "a.ckpt")["clock"] == GOOD["clock"]


@pytest.mark.fault("foreign", "hostile or damaged checkpoint")
def test_a_checkpoint_is_no_larger_than_it_looks(tmp_path: Path) -> None:
    torch.save(GOOD, tmp_path / "a.ckpt")
    path = tmp_path / "b.ckpt"
    with zipfile.ZipFile(tmp_path / "a.ckpt") as plain, zipfile.ZipFile(path, "w") as packed:
        for record in plain.infolist():
            packed.writestr(record.filename, plain.read(record), zipfile.ZIP_DEFLATED)
    for seal in ("", SEAL.decode() + hashlib.sha256(path.read_bytes()).hexdigest()):
        with path.open("a") as file:
            file.write(seal)
        with pytest.raises(StorageError, match=r"is damaged at a/data\.pkl"):
            read_checkpoint(path)


class Exploit:
    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, ("exploited",))


@pytest.mark.fault("foreign", "hostile or damaged checkpoint")
def test_code_in_a_checkpoint_does_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save(GOOD | {"extra": Exploit()}, tmp_path / "a.ckpt")
    with pytest.raises(UserError, match="other than plain data"):
        read_checkpoint(tmp_path / "a.ckpt")
    assert not (tmp_path / "exploited").exists()


@pytest.mark.fault("foreign", "hostile or damaged checkpoint")
def test_other_files_are_not_checkpoints(tmp_path: Path) -> None:
    torch.save({"weights": 1}, tmp_path / "a.ckpt")
    with pytest.raises(UserError, match="not a checkpoint of freqgan"):
        read_checkpoint(tmp_path / "a.ckpt")
    with zipfile.ZipFile(tmp_path / "b.ckpt", "w") as archive:
        archive.writestr("a", "b")
    with pytest.raises(UserError, match="was not loaded"):
        read_checkpoint(tmp_path / "b.ckpt")


@pytest.mark.parametrize("images", [None, -1, True, 4.0, "x/../../elsewhere"])
@pytest.mark.fault("foreign", "hostile or damaged checkpoint")
def test_a_checkpoint_has_seen_a_number_of_images(tmp_path: Path, images: object) -> None:
    write_checkpoint(tmp_path / "a.ckpt", GOOD | {"clock": {"images_seen": images}})
    with pytest.raises(UserError, match=r"a\.ckpt is not a checkpoint of freqgan: clock\.images_seen"):
        read_checkpoint(tmp_path / "a.ckpt")


@pytest.mark.fault("checkpoint", "full or failing disk")
def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"old": 1})

    def fail(file: Any) -> None:
        file.write(b"half")
        raise OSError(28, "No space left on device")

    with pytest.raises(StorageError, match="No space left"):
        write_whole(path, fail)
    assert path.read_text() == '{\n  "old": 1\n}\n'
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


@pytest.mark.fault("checkpoint", "full or failing disk")
def test_a_full_disk_is_a_storage_error() -> None:
    with pytest.raises(StorageError):
        write_json(Path("/dev/full/a.json"), {})


def test_bytes_go_below_folders_that_are_made(tmp_path: Path) -> None:
    write_below(tmp_path / "a" / "b" / "c.bin", b"\0\1")
    assert (tmp_path / "a" / "b" / "c.bin").read_bytes() == b"\0\1"
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="could not be written"):
        write_below(tmp_path / "file" / "c.bin", b"")
