"""What a container or a batch system allows, which the numbers of the machine do not show.

Control groups of Linux, version 2 (one tree) and 1 (a tree for each resource):
https://docs.kernel.org/admin-guide/cgroup-v2.html and https://docs.kernel.org/admin-guide/cgroup-v1/.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import final

UNLIMITED = 2**60  # version 1 says so with the largest number of whole pages


@final
@dataclass(frozen=True)
class Limits:
    """The narrowest limits of this process's group and those around it.

    Args:
        cpus: processor time per time, in cores; None without a limit.
        memory: bytes; None without a limit.
        used: bytes of it that cannot be given back.
    """

    cpus: float | None = None
    memory: int | None = None
    used: int = 0


def limits(root: Path = Path("/")) -> Limits:
    """Reads them below a root of the file system."""
    cpus = [share for folder in _folders(root, "cpu") if (share := _cpus(folder)) is not None]
    memory = [(limit, folder) for folder in _folders(root, "memory") if (limit := _memory(folder)) is not None]
    if not memory:
        return Limits(min(cpus, default=None))
    limit, folder = min(memory)
    return Limits(min(cpus, default=None), limit, _used(folder))


def _folders(root: Path, controller: str) -> Iterator[Path]:
    """The folder of this process's group and those around it, in either version."""
    mount = root / "sys/fs/cgroup"
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        tree = mount / controller if controllers else mount
        # Inside a container the path may be one of the host's, and its folder the tree's root.
        inside = tree / path.lstrip("/")
        while inside != tree:
            yield inside
            inside = inside.parent
        yield tree


def _cpus(folder: Path) -> float | None:
    quota, _, period = _text(folder / "cpu.max").partition(" ")
    if not period:
        quota, period = _text(folder / "cpu.cfs_quota_us"), _text(folder / "cpu.cfs_period_us")
    if not quota.isdigit() or not period.strip().isdigit():  # "max" and "-1" are no limit
        return None
    return int(quota) / int(period)


def _memory(folder: Path) -> int | None:
    text = _text(folder / "memory.max") or _text(folder / "memory.limit_in_bytes")
    return int(text) if text.isdigit() and int(text) < UNLIMITED else None


def _used(folder: Path) -> int:
    """What is used without the files that are only kept in memory as long as nobody wants it."""
    text = _text(folder / "memory.current") or _text(folder / "memory.usage_in_bytes")
    words = dict(line.split() for line in _text(folder / "memory.stat").splitlines())
    kept = int(words.get("total_inactive_file", words.get("inactive_file", "0")))
    return max(int(text or 0) - kept, 0)


def _text(file: Path) -> str:
    try:
        return file.read_text().strip()
    except OSError:
        return ""
