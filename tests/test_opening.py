"""What is opened ends, and what waits for somebody else is not opened."""

import os
import socket
from pathlib import Path

import pytest

from freqgan.opening import content_of, open_file, stamp_of


@pytest.mark.parametrize("kind", ["pipe", "socket", "device", "folder"])
@pytest.mark.fault("data", "rights and races")
def test_what_is_no_file_is_refused_at_once(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # the path of a socket may have 108 characters
    path = Path("x.png")
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        path.mkdir()
    open_files = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError, match=f"it is a {kind}|No such device|Is a directory"):
        open_file(path)
    assert len(os.listdir("/proc/self/fd")) == open_files


@pytest.mark.fault("data", "rights and races")
def test_a_file_without_an_end_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with open(tmp_path / "sparse.png", "wb") as file:
        file.truncate(2**40)
    with pytest.raises(OSError, match=f"it has {2**40} bytes, more than max_pixels allows for"):
        open_file(tmp_path / "sparse.png", most_bytes=2**30)
    with open_file(tmp_path / "sparse.png") as whole:
        assert whole.read(3) == bytes(3)


def test_a_stamp_tells_a_file_with_the_times_of_another_apart(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"1")
    before = path.stat()
    path.write_bytes(b"2")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    assert stamp_of(path.stat()) != stamp_of(before)
    with open_file(path) as file:
        assert content_of(file).startswith("c5faca15ac2f93578b39ef4b6bbb871b")  # of "2", by b2sum
        assert file.read() == b"2"
