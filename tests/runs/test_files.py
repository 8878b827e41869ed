import os
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch

from freqgan.errors import StorageError, UserError
from freqgan.runs import copy_whole, read_checkpoint, verify_checkpoint, write_checkpoint, write_json
from freqgan.runs.files import write_whole

GOOD: dict[str, Any] = {"state_dict": {"w": torch.arange(1000.0)}, "ema": {}, "clock": {"images_seen": 4}}


def test_a_checkpoint_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "a.ckpt"
    write_checkpoint(path, GOOD)
    copy_whole(path, tmp_path / "b.ckpt")
    assert torch.equal(read_checkpoint(tmp_path / "b.ckpt")["state_dict"]["w"], GOOD["state_dict"]["w"])
    assert not os.path.samefile(path, tmp_path / "b.ckpt")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.ckpt", "b.ckpt"]


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_truncated_files_are_refused(tmp_path: Path, share: float) -> None:
    path = tmp_path / "a.ckpt"
    write_checkpoint(path, GOOD)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(StorageError, match="not a whole checkpoint"):
        read_checkpoint(path)


def test_a_flipped_byte_of_data_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a.ckpt"
    write_checkpoint(path, GOOD)
    content = bytearray(path.read_bytes())
    content[content.index(torch.arange(1000.0).numpy().tobytes()[:64]) + 32] ^= 1
    path.write_bytes(content)
    with pytest.raises(StorageError, match="damaged"):
        verify_checkpoint(path)


class Exploit:
    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, ("exploited",))


def test_code_in_a_checkpoint_does_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save(GOOD | {"extra": Exploit()}, tmp_path / "a.ckpt")
    with pytest.raises(UserError, match="other than plain data"):
        read_checkpoint(tmp_path / "a.ckpt")
    assert not (tmp_path / "exploited").exists()


def test_other_files_are_not_checkpoints(tmp_path: Path) -> None:
    torch.save({"weights": 1}, tmp_path / "a.ckpt")
    with pytest.raises(UserError, match="not a checkpoint of freqgan"):
        read_checkpoint(tmp_path / "a.ckpt")
    with zipfile.ZipFile(tmp_path / "b.ckpt", "w") as archive:
        archive.writestr("a", "b")
    with pytest.raises(UserError, match="was not loaded"):
        read_checkpoint(tmp_path / "b.ckpt")


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


def test_a_full_disk_is_a_storage_error() -> None:
    with pytest.raises(StorageError):
        write_json(Path("/dev/full/a.json"), {})
