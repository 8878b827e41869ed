"""When a process ends: not after those who started it, and not in the middle of what must stay whole."""

import ctypes
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_shields = 0
_late: list[Callable[[], None]] = []


def end_with_parent(signum: int = signal.SIGKILL, parent: int | None = None) -> None:
    """On Linux, this process gets a signal when the one that started it ends: nobody else would end it.

    Args:
        signum: the signal.
        parent: process that started this one, if known: it may have ended already.
    """
    if sys.platform == "linux":
        set_parent_death_signal = 1
        ctypes.CDLL(None).prctl(set_parent_death_signal, signum)
        if parent not in (None, os.getppid()):
            signal.raise_signal(signum)


@contextmanager
def shielded() -> Iterator[None]:
    """What `when_safe` is asked for meanwhile waits for the end of the block, of the outermost one."""
    global _shields
    _shields += 1
    try:
        yield
    finally:
        _shields -= 1
        while _late and not _shields:
            _late.pop(0)()


def when_safe(act: Callable[[], None]) -> None:
    """Acts at once, or behind what is shielded now: a signal's handler may raise so."""
    if _shields:
        _late.append(act)
    else:
        act()
