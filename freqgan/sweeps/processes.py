"""The process of a job: it leads a group of its own, writes to a log, has a time limit, and ends with the sweep."""

import importlib
import math
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import forkserver, resource_tracker
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import final

from freqgan.lifetime import end_with_parent

PROGRAM = "freqgan.cli"
IMPORTED_ONCE = ["freqgan.train", "freqgan.config.sweeping", "freqgan.callbacks", "freqgan.networks", "freqgan.losses"]
SAVED = 143  # of a command that SIGTERM has ended with a checkpoint
TIMED_OUT = 124  # as of timeout(1)
LOST = 255  # what multiprocessing says of a fork when the fork server has died
GRACE = 60.0  # seconds to end a step and write a checkpoint
TICK = 0.2  # seconds between two looks
UNHEARD = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)  # by the fork server
FIRST_TO_GO = 500  # of 1000, when the system is out of memory: a job, and never the sweep


@final
@dataclass(frozen=True)
class Command:
    """A command line and where it runs.

    Args:
        arguments: what follows `freqgan`.
        log: file that its output is appended to.
        minutes: time limit; None for none.
        environment: variables to set.
        folder: working directory.
    """

    arguments: tuple[str, ...]
    log: str
    minutes: float | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: str = field(default_factory=os.getcwd)


class Handle(ABC):
    """A job that has been started, wherever it runs."""

    @abstractmethod
    def poll(self) -> int | None:
        """The exit status, negative for a signal; None while it runs."""

    @abstractmethod
    def stop(self) -> None:
        """Asks it, once, to write a checkpoint and end."""

    @abstractmethod
    def kill(self) -> None:
        """Ends it at once."""


@final
class Child(Handle):
    """A job's process on this machine.

    Args:
        pid: of the process, which leads its group.
        status: its exit status; None while it runs.
        minutes: after which it is asked to end, and killed if it does not.
    """

    def __init__(self, pid: int, status: Callable[[], int | None], minutes: float | None) -> None:
        self.pid = pid
        self._status = status
        self._limit = time.monotonic() + minutes * 60 if minutes is not None else math.inf
        self._kill_at = math.inf
        self._too_late = False
        self._ended: int | None = None

    def poll(self) -> int | None:
        """The exit status, `TIMED_OUT` for a job that was stopped for its time limit."""
        if self._ended is not None:
            return self._ended
        status, now = self._status(), time.monotonic()
        if status is not None:
            _send(os.killpg, self.pid, signal.SIGKILL)  # what it left behind
            stopped = status == SAVED or status < 0
            self._ended = TIMED_OUT if self._too_late and stopped else status
            return self._ended
        if now > self._limit:
            self._limit, self._too_late = math.inf, True
            self.stop()
        if now > self._kill_at:
            self.kill()
        return None

    def stop(self) -> None:
        """SIGTERM; SIGKILL after `GRACE` seconds."""
        if self._kill_at == math.inf and self._status() is None:
            self._kill_at = time.monotonic() + GRACE
            _send(os.kill, self.pid, signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL to the process and all that it started."""
        if self._status() is None:
            _send(os.kill, self.pid, signal.SIGKILL)  # it may not lead a group yet
            _send(os.killpg, self.pid, signal.SIGKILL)


def fork_server() -> ForkServerContext:
    """Starts processes as forks of one that has imported what jobs need, and computed nothing.

    Signals to the whole group, as from a terminal, leave it alone: a job's process takes them from the sweep.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(IMPORTED_ONCE)
    resource_tracker.ensure_running()  # first, as it sets the signals free
    old = signal.pthread_sigmask(signal.SIG_BLOCK, UNHEARD)
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, old)
    return context


def fork(command: Command) -> Child:
    """Starts a command as a fork of the fork server."""
    process = fork_server().Process(target=_run, args=(command,))
    process.start()
    assert process.pid is not None
    return Child(process.pid, partial(_status_of_fork, process), command.minutes)


def _status_of_fork(process: BaseProcess) -> int | None:
    """The exit status; a fork that lives on without its server, which would tell how it ends, is killed."""
    status = process.exitcode
    if status == LOST and process.pid and _send(os.kill, process.pid, signal.SIGKILL):
        return -signal.SIGKILL
    return status


def spawn(command: Command) -> Child:
    """Starts a command in a fresh interpreter."""
    Path(command.log).parent.mkdir(parents=True, exist_ok=True)
    with Path(command.log).open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", PROGRAM, *command.arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=command.folder,
            env=os.environ | dict(command.environment),
            start_new_session=True,
            preexec_fn=partial(end_with_parent, signal.SIGTERM, os.getpid()),
        )
    return Child(process.pid, process.poll, command.minutes)


def execute(command: Command) -> int:
    """Runs a command to its end, in a process of its own; what ends this function ends it, too.

    Returns:
        The exit status, negative for a signal.
    """
    child = spawn(command)
    try:
        return wait(child)
    finally:
        child.stop()
        wait(child)


def wait(child: Child) -> int:
    """The exit status of a child, once it has ended."""
    while (status := child.poll()) is None:
        time.sleep(TICK)
    return status


def _run(command: Command) -> None:
    """What a fork does: become a session, write to the log, be the program."""
    os.setsid()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, UNHEARD)
    threading.Thread(target=_end_with_sweep, daemon=True).start()
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(str(FIRST_TO_GO))
    Path(command.log).parent.mkdir(parents=True, exist_ok=True)
    log = os.open(command.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    for stream in (1, 2):
        os.dup2(log, stream)
    os.environ.update(command.environment)
    os.chdir(command.folder)
    sys.argv = ["freqgan", *command.arguments]
    program = importlib.import_module(PROGRAM)
    # Lightning starts the other processes of a parallel run as `python -m <this module's name>`.
    sys.modules["__main__"] = program
    sys.exit(program.main())


def _end_with_sweep() -> None:
    """A checkpoint and the end, when the sweep has died: its fork server lives as long as a job does."""
    sweep = multiprocessing.parent_process()
    assert sweep is not None
    sweep.join()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE)
    os.killpg(os.getpid(), signal.SIGKILL)


def _send(call: Callable[[int, int], None], pid: int, signum: int) -> bool:
    """Sends a signal to a process or group; False where there is none."""
    try:
        call(pid, signum)
    except (ProcessLookupError, PermissionError):
        return False
    return True
