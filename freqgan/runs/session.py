"""One command's time with a run: who holds it, where its words go, and how it ended."""

import json
import logging
import os
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

import torch.distributed as dist

from freqgan.errors import DivergedError, FreqganError, InterruptedRunError, StorageError, UserError
from freqgan.launcher import is_rank_zero
from freqgan.runs.directory import RunDirectory
from freqgan.runs.resume import Choice
from freqgan.terminal import LogFile, log_to

TOLD = "FREQGAN_RUN"  # by rank zero to the processes that it starts: its id, the run, the checkpoint, its images
ON_ALL = {InterruptedRunError: "interrupted", DivergedError: "diverged"}  # errors that come on every process at once


def told() -> Choice:
    """What rank zero chose before it started this process.

    Raises:
        UserError: it started none.
        FreqganError: it has ended since.
    """
    if TOLD not in os.environ:
        raise UserError(
            f"LOCAL_RANK={os.environ.get('LOCAL_RANK')} says that this is one of several processes, but nothing that "
            "freqgan knows has started them together: use torchrun or srun, or unset it"
        )
    parent, run, checkpoint, images = json.loads(os.environ[TOLD])
    if parent != os.getppid():
        raise FreqganError("the first process of this run has ended")
    return Choice(run=RunDirectory(Path(run)), checkpoint=Path(checkpoint) if checkpoint else None, images_seen=images)


class Started(Protocol):
    """What knows whether training has begun."""

    @property
    def started(self) -> bool:
        """Whether it has come to its first step."""


@contextmanager
def session(run: RunDirectory, choice: Choice) -> Iterator[None]:
    """Holds a run, logs to `train.log`, and leaves its state in `run.json` whatever happens.

    The other processes of a parallel run hold nothing and write nothing.

    Raises:
        UserError: another process holds the run, or has held it since the choice was made.
        StorageError: the machine of one of the others does not share the directory.
    """
    with _leading(run, choice) if is_rank_zero() else _following(run):
        yield


@contextmanager
def _leading(run: RunDirectory, choice: Choice) -> Iterator[None]:
    file = LogFile(run.path / "train.log")
    with run.lock(), log_to(file):
        if run.record.get("started") != choice.started:  # getting the data can take long
            raise UserError(f"{run.path} was started by another process meanwhile: give this command again")
        for stale in [*run.path.glob(".*.tmp"), *run.path.glob("*/.*.tmp")]:
            stale.unlink(missing_ok=True)
        file_or_none = None if choice.checkpoint is None else str(choice.checkpoint)
        os.environ[TOLD] = json.dumps([os.getpid(), str(run.path), file_or_none, choice.images_seen])
        begun = {"pid": os.getpid(), "started": time.strftime("%Y-%m-%dT%H:%M:%S%z")}
        run.write_record(status="running", **begun, ended=None, exit_status=None)
        spent = float(run.record.get("cpu_seconds", 0.0)) - cpu_seconds()
        status, exit_status = "failed", 1
        try:
            yield
            status, exit_status = "finished", 0
        except FreqganError as error:
            status, exit_status = ON_ALL.get(type(error), "failed"), error.exit_status
            facts: dict[str, Any] = {"levelname": "ERROR", "name": __name__, "msg": str(error)}
            facts |= {"exc_info": sys.exc_info()} if isinstance(error, UserError) and error.__cause__ else {}
            file.handle(logging.makeLogRecord(facts))
            raise
        except KeyboardInterrupt:
            status, exit_status = "interrupted", 130
            raise
        except Exception as error:
            facts = {"levelname": "ERROR", "name": __name__, "msg": "unexpected", "exc_info": sys.exc_info()}
            file.handle(logging.makeLogRecord(facts))
            _refuse_lost(error)
            raise
        finally:
            del os.environ[TOLD]
            cost = {"cpu_seconds": round(spent + cpu_seconds(), 1), "peak_memory_gib": round(peak_memory_gib(), 3)}
            end = {"ended": time.strftime("%Y-%m-%dT%H:%M:%S%z"), "exit_status": exit_status}
            try:
                run.write_record(status=status, **end, **cost)
            except StorageError as error:
                # What ended the run is the news; a disk that cannot even keep the record comes second.
                logging.getLogger(__name__).error("%s", error)
            if status in ON_ALL.values():
                _wait_for_all()


@contextmanager
def told_by_rank_zero() -> Iterator[None]:
    """What rank zero raises on every process is reported by rank zero alone."""
    try:
        yield
    except FreqganError as error:
        if is_rank_zero():
            raise
        _wait_for_all()
        raise SystemExit(error.exit_status) from error


@contextmanager
def _following(run: RunDirectory) -> Iterator[None]:
    if not run.path.is_dir():
        raise StorageError(f"{run.path} is not there on this machine: set paths.output_dir to a folder that all share")
    try:
        yield
    except (InterruptedRunError, DivergedError) as error:
        # Launchers end the whole run when one process fails: rank zero, which has the same to tell, has to be done.
        _wait_for_all()
        raise SystemExit(error.exit_status) from error
    except Exception as error:
        _refuse_lost(error)
        raise


def _refuse_lost(error: Exception) -> None:
    """Says in one line what the library between processes said in many: that one of the others is gone."""
    if not dist.is_available() or not dist.is_initialized():
        return
    if isinstance(error, dist.DistError) or (isinstance(error, RuntimeError) and "gloo/transport" in str(error)):
        raise FreqganError(
            "another process of this run has ended or is out of reach; why stands above, or in the log of its machine: "
            "the same command with resume=auto goes on from the last checkpoint"
        ) from error


def _wait_for_all() -> None:
    if dist.is_available() and dist.is_initialized():
        with suppress(RuntimeError):
            dist.barrier()


def cpu_seconds() -> float:
    """Processor time of this process and the children it has waited for."""
    return sum(
        u.ru_utime + u.ru_stime for u in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def peak_memory_gib() -> float:
    """Greatest resident size of this process so far; what `getrusage` says may be that of the process before `exec`."""
    try:
        status = Path("/proc/self/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 2**20
    except (OSError, StopIteration):
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30


@contextmanager
def taken_from(choice: Choice, clock: Started) -> Iterator[None]:
    """What fails between reading a checkpoint and the first step is the checkpoint's fault; `train.log` has it all.

    Raises:
        UserError: it is another model's, or none of ours.
    """
    try:
        yield
    except (LookupError, TypeError, AttributeError, ValueError, RuntimeError) as error:
        of_another = not isinstance(error, RuntimeError) or "loading state_dict" in str(error)
        if choice.checkpoint is None or clock.started or not of_another:
            raise
        words = " ".join((str(error) or type(error).__name__).split())
        raise UserError(
            f"{choice.checkpoint} cannot be continued from ({words[:200]}): resume from another one"
        ) from error
