import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from freqgan.diagnosis import storage
from freqgan.diagnosis.row import Row

GIB = 2**30


def only(rows: Iterator[Row]) -> Row:
    (row,) = rows
    return row


# Writing


def test_a_folder_that_can_be_written_is_left_as_it_was(tmp_path: Path) -> None:
    folder = tmp_path / "not" / "there"
    row = only(storage.writable("output_dir", str(folder)))
    assert (row.status, row.fact) == ("ok", f"{folder} can be written to and locked")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def read_only() -> Iterator[Path]:
    """A folder that this process, unprivileged for a while, can see and not write to."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o555)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    yield folder
    os.seteuid(user)
    shutil.rmtree(folder)


def test_a_read_only_folder_is_broken(read_only: Path) -> None:
    row = only(storage.writable("output_dir", str(read_only / "runs")))
    assert row.status == "broken"
    assert "Permission denied" in row.fact
    assert row.remedy == "set paths.output_dir to a folder on a local disk that you can write to"


def test_a_file_in_the_way_is_broken(tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    row = only(storage.writable("cache_dir", str(tmp_path / "taken" / "runs")))
    assert (row.status, f"{tmp_path / 'taken'} is a file" in row.fact) == ("broken", True)


def test_a_disk_that_does_not_flush_is_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fsync(descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fsync)
    row = only(storage.writable("output_dir", str(tmp_path)))
    assert (row.status, "Input/output error" in row.fact) == ("broken", True)
    assert list(tmp_path.iterdir()) == []


def test_a_disk_without_locks_is_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def lockf(*arguments: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "lockf", lockf)
    row = only(storage.writable("output_dir", str(tmp_path)))
    assert row.status == "broken"
    assert row.fact.endswith("locking fails ([Errno 37] No locks available)")


def test_locks_that_hold_nobody_back_are_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fcntl, "lockf", lambda *arguments: None)
    row = only(storage.writable("output_dir", str(tmp_path)))
    assert row.fact == f"{tmp_path} cannot keep two programs out of one run: a lock is given to two processes"


# Space


@pytest.mark.parametrize(
    ("free", "size", "files", "status"),
    [
        (100 * GIB, "100.0 GiB", 10**6, "ok"),
        (2 * GIB, "2.0 GiB", 10**6, "note"),
        (GIB // 8, "128 MiB", 10**6, "broken"),
        (100 * GIB, "100.0 GiB", 5, "broken"),
    ],
)
def test_a_full_disk(
    free: int, size: str, files: int, status: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = SimpleNamespace(f_bavail=free // 4096, f_frsize=4096, f_files=10**7, f_favail=files)
    monkeypatch.setattr(os, "statvfs", lambda path: facts)
    row = only(storage.space("output_dir", str(tmp_path / "not there")))
    assert (row.name, row.status) == ("output_dir space", status)
    assert row.fact.startswith(f"{size} free at {tmp_path}")
    assert bool(row.remedy) == (status != "ok")
    assert ("5 more files" in row.fact) == (files == 5)
    temporary = only(storage.temporary_space())
    assert temporary.status == ("ok" if status == "ok" else "note")
    assert ("TMPDIR" in temporary.remedy) == (status != "ok")


def test_file_systems_that_count_no_files_have_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    facts = SimpleNamespace(f_bavail=10**9, f_frsize=4096, f_files=0, f_favail=0)
    monkeypatch.setattr(os, "statvfs", lambda path: facts)
    assert only(storage.space("output_dir", str(tmp_path))).status == "ok"
