"""One command's time with a run: who holds it, where its words go, and how it ended."""

import logging
import os
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from freqgan.errors import DivergedError, FreqganError, InterruptedRunError, StorageError
from freqgan.runs.directory import RunDirectory
from freqgan.terminal import log_to

RANK_ZERO_RUN = "FREQGAN_RUN"


def is_rank_zero() -> bool:
    """Whether this process is the one that writes; launchers tell the others their rank by environment."""
    return all(os.environ.get(name, "0") == "0" for name in ("RANK", "LOCAL_RANK", "SLURM_PROCID"))


@contextmanager
def session(run: RunDirectory) -> Iterator[None]:
    """Holds a run, logs to `train.log`, and leaves its state in `run.json` whatever happens.

    The other processes of a parallel run hold nothing and write nothing.

    Raises:
        UserError: another process holds the run.
    """
    if not is_rank_zero():
        yield
        return
    file = logging.FileHandler(run.path / "train.log", delay=True)
    file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    with run.lock(), log_to(file):
        os.environ[RANK_ZERO_RUN] = str(run.path)
        run.write_record(status="running", pid=os.getpid(), started=time.strftime("%Y-%m-%dT%H:%M:%S%z"))
        spent = float(run.record.get("cpu_seconds", 0.0)) - cpu_seconds()
        status, exit_status = "failed", 1
        try:
            yield
            status, exit_status = "finished", 0
        except FreqganError as error:
            names = {InterruptedRunError: "interrupted", DivergedError: "diverged"}
            status, exit_status = names.get(type(error), "failed"), error.exit_status
            raise
        except KeyboardInterrupt:
            status, exit_status = "interrupted", 130
            raise
        finally:
            del os.environ[RANK_ZERO_RUN]
            cost = {"cpu_seconds": round(spent + cpu_seconds(), 1), "peak_memory_gib": round(peak_memory_gib(), 3)}
            facts = {"exit_status": exit_status, **cost}
            try:
                run.write_record(status=status, ended=time.strftime("%Y-%m-%dT%H:%M:%S%z"), **facts)
            except StorageError as error:
                # What ended the run is the news; a disk that cannot even keep the record comes second.
                logging.getLogger(__name__).error("%s", error)


def cpu_seconds() -> float:
    """Processor time of this process and the children it has waited for."""
    return sum(
        u.ru_utime + u.ru_stime for u in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def peak_memory_gib() -> float:
    """Greatest resident size of this process so far."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30
