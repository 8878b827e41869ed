"""Processes that do not outlive those who started them."""

import ctypes
import os
import signal
import sys


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
