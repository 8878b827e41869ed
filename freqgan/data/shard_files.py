"""Shards wherever they lie: listing them, and reading a few bytes of one. Local disks and what fsspec reaches.

Files are opened for each read: that costs microseconds beside the milliseconds of decoding, and leaves nothing open
that a forked or spawned worker could share. A remote read is one request for exactly the bytes of a sample, since
samples are read in random order; fsspec's own `filecache::<url>` keeps whole shards on the local disk instead.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from freqgan.errors import StorageError, UserError
from freqgan.opening import open_file

_STAMPS = (
    "ETag",
    "etag",
    "md5Hash",
    "Content-MD5",
    "mtime",
    "LastModified",
    "last_modified",
    "Last-Modified",
    "created",
)
_BRACES = re.compile(r"\{([^{}]*)\}")
_RANGE = re.compile(r"(\d+)\.\.(\d+)")


@dataclass(frozen=True)
class Shard:
    """A tar file.

    Args:
        url: part of `data.root` that it was found by; says how to reach it.
        path: within the local or remote file system.
        size: in bytes.
        stamp: changes when the file does, as far as its file system tells.
        local: whether it is a file of this machine.
    """

    url: str
    path: str
    size: int
    stamp: str
    local: bool

    def open(self) -> BinaryIO:
        """The file for reading from end to end."""
        file: BinaryIO = _reach(self.url)[0].open(self.path, "rb")
        return file

    def read(self, first: int, size: int) -> bytes:
        """Bytes first … first + size.

        Raises:
            StorageError: the file has gone, or been written to, or cannot be reached.
        """
        try:
            if self.local:
                with open_file(self.path) as file:
                    content = os.pread(file.fileno(), size, first)
                    changed = str(os.fstat(file.fileno()).st_mtime) not in self.stamp.split()
            else:
                content, changed = _reach(self.url)[0].cat_file(self.path, start=first, end=first + size), False
        except Exception as error:  # file systems have errors of their own
            raise StorageError(f"{self.path} can no longer be read: {_in_one_line(error)}") from error
        if len(content) > size:
            raise StorageError(f"{self.path} comes whole when a part is asked for: set data.root=filecache::{self.url}")
        if len(content) < size:
            raise StorageError(f"{self.path} has become shorter than it was when it was indexed")
        if changed:
            raise StorageError(f"{self.path} has been written to since it was indexed: start again when nobody does")
        return content

    def beside(self, suffix: str) -> bytes | None:
        """The content of the file whose name is longer by a suffix; None where there is none.

        Raises:
            ValueError: it is older than the shard, as far as the file system tells.
        """
        files, path = _reach(self.url)[0], self.path + suffix
        try:
            content: bytes = files.cat_file(path)
            older = files.modified(path) < files.modified(self.path)
        except FileNotFoundError:
            return None
        except (NotImplementedError, KeyError):
            older = False  # http does not tell
        except OSError as error:
            raise ValueError(str(error)) from error
        if older:
            raise ValueError("it is older than its shard")
        return content


def find_shards(root: str) -> list[Shard]:
    """The shards that `data.root` names: files, folders, globs, braces and URLs of them.

    Raises:
        UserError: there are none, one is missing, or the file system cannot be reached.
    """
    found: list[Shard] = []
    for url in expand(root):
        try:
            found += _found_by(url)
        except FileNotFoundError as error:
            raise UserError(f"data.root={root}: {url} is not there, wanted a tar shard") from error
        except Exception as error:  # file systems have errors of their own, and may not be installed
            raise UserError(f"data.root={root}: {url} cannot be reached: {_in_one_line(error)}") from error
    if not found:
        raise UserError(f"data.root={root} names no tar shard, wanted files ending in .tar: set data.root=<files>")
    return found


def expand(pattern: str) -> Iterator[str]:
    """Every spelling of a pattern with braces, as shells expand them.

    >>> list(expand("{train,val}-{08..10}.tar"))[:4]
    ['train-08.tar', 'train-09.tar', 'train-10.tar', 'val-08.tar']
    """
    braces = _BRACES.search(pattern)
    if braces is None:
        yield pattern
        return
    between = _RANGE.fullmatch(braces[1])
    if between:
        first, last = between.groups()
        width = len(first) if len(first) == len(last) or first.startswith("0") else 0
        choices = [f"{number:0{width}}" for number in range(int(first), int(last) + 1)]
    else:
        choices = braces[1].split(",")
    for choice in choices:
        yield from expand(pattern[: braces.start()] + choice + pattern[braces.end() :])


def _found_by(url: str) -> list[Shard]:
    files, path = _reach(url)
    local = "file" in ([files.protocol] if isinstance(files.protocol, str) else files.protocol)
    # Over http, asking whether a file is a folder would fetch it.
    if not path.endswith(".tar") and files.isdir(path):
        paths = sorted(files.glob(f"{path.rstrip('/')}/*.tar"))
    else:
        paths = sorted(files.glob(path)) if any(sign in path for sign in "*?[") else [path]
    shards = []
    for path in paths:
        info = files.info(path)
        if info.get("type", "file") not in ("file", "link"):
            raise ValueError(f"it is a {info['type']}, wanted a file")
        stamp = " ".join(str(info[name]) for name in _STAMPS if info.get(name) is not None)
        shards.append(Shard(url, path, int(info["size"]), stamp, local))
    return shards


def _in_one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _reach(url: str) -> tuple[Any, str]:
    """The file system of a URL and the path in it; fsspec keeps one of each kind per process."""
    from fsspec.core import url_to_fs

    remote = "://" in url or "::" in url
    files, path = url_to_fs(url if remote else os.path.abspath(os.path.expanduser(url)))
    return files, path
