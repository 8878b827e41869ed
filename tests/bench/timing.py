"""Time ratios that hold on a noisy machine: one thread, CPU time of the thread, interleaved shuffled rounds.

Absolute times drift with the neighbours on the cores; the ratio of two candidates timed within one short
round hardly does. So every round times all candidates once in a fresh random order, and a candidate's figure
is the median over rounds of its time divided by the baseline's time in the same round.
"""

import ctypes
import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence

import torch

_M_MMAP_THRESHOLD, _M_TRIM_THRESHOLD = -3, -1


def keep_memory() -> None:
    """Tell glibc to keep freed blocks: page faults otherwise cost up to four times the work itself."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        for option in (_M_MMAP_THRESHOLD, _M_TRIM_THRESHOLD):
            libc.mallopt(option, 2**30)


def times(
    candidates: dict[str, Callable[[], object]], rounds: int = 30, *, repeats: int = 1, seed: int = 0
) -> dict[str, list[float]]:
    """CPU seconds of each candidate per round, after one warm-up call each.

    Args:
        candidates: name to a function without arguments.
        rounds: how many times every candidate is timed.
        repeats: calls per timing, for candidates of a few microseconds.
        seed: of the order within the rounds.
    """
    keep_memory()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    shuffled = random.Random(seed)
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    try:
        for run in candidates.values():
            run()
        for _ in range(rounds):
            for name in shuffled.sample(list(candidates), len(candidates)):
                run = candidates[name]
                start = time.thread_time()
                for _ in range(repeats):
                    run()
                seconds[name].append((time.thread_time() - start) / repeats)
    finally:
        torch.set_num_threads(threads)
    return seconds


def ratios(
    candidates: dict[str, Callable[[], object]], baseline: str, rounds: int = 30, *, repeats: int = 1
) -> dict[str, float]:
    """Each candidate's time over the baseline's: the median of the per-round ratios (2.0 = twice as slow)."""
    seconds = times(candidates, rounds, repeats=repeats)
    return {name: median_ratio(own, seconds[baseline]) for name, own in seconds.items()}


def median_ratio(seconds: Sequence[float], baseline: Sequence[float]) -> float:
    """The median of the per-round ratios of two candidates' times."""
    return statistics.median(own / base for own, base in zip(seconds, baseline, strict=True))
