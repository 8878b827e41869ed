"""What a job of a sweep costs beyond its training: start-up, examination, files, and its share of the driver.

A sweep of n jobs and one of 2n, each job a single step of the smallest model: the difference is n jobs. That step is
counted, too, so that the figures are upper bounds.
"""

import ctypes
import os
import resource
import subprocess
import sys
import tempfile

from tests.forked import TINY

Row = tuple[str, float, str]
SET_CHILD_SUBREAPER = 36


def rows() -> list[Row]:
    """Name, figure and goal."""
    ctypes.CDLL(None).prctl(SET_CHILD_SUBREAPER, 1)  # the fork server outlives its sweep by a moment
    return [
        ("a sweep's job that forks, CPU seconds", per_job("fork", 4), "<= 2"),
        ("a sweep's job in a fresh process, CPU seconds", per_job("fresh", 1), "<= 12"),
    ]


def per_job(start: str, jobs: int) -> float:
    """CPU seconds of a further job."""
    return (cpu_of_sweep(start, 2 * jobs) - cpu_of_sweep(start, jobs)) / jobs


def cpu_of_sweep(start: str, jobs: int) -> float:
    """CPU seconds of a sweep, of its jobs, and of all that they start."""
    with tempfile.TemporaryDirectory() as folder:
        given = [*TINY, "transform=identity", f"paths.output_dir={folder}", f"paths.cache_dir={folder}"]
        swept = ["budget.images=4", f"sweep.engine.start={start}", f"seed=range({jobs})"]
        before = cpu_of_children()
        command = [sys.executable, "-m", "freqgan.cli", "train", "-m", *given, *swept]
        subprocess.run(command, check=True, capture_output=True)
        wait_for_all()
        return cpu_of_children() - before


def cpu_of_children() -> float:
    """CPU seconds of the processes that this one has waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def wait_for_all() -> None:
    """Waits for what a sweep has left to end."""
    while True:
        try:
            os.wait()
        except ChildProcessError:
            return
