"""Where jobs run: on this machine, on SLURM, on Ray. An engine starts a command and says how it ended."""

import getpass
import hashlib
import os
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, final

from freqgan.errors import UserError
from freqgan.limits import Count, NonNegative, Positive
from freqgan.sweeps.processes import Child, Command, Handle, execute, fork, spawn, wait

KILLED = -9
STOPPED = 143
REFUSALS = (AssertionError, NameError, TypeError, ValueError, RuntimeError, OSError, subprocess.SubprocessError)


class Engine(ABC):
    """Starts jobs.

    Args:
        slots: jobs at a time.
    """

    def __init__(self, *, slots: Count) -> None:
        self.slots = slots

    def open(self, folder: Path) -> None:  # noqa: B027 (nothing to do is a fine answer)
        """Gets ready.

        Args:
            folder: of the sweep.
        """

    @abstractmethod
    def start(self, command: Command, slot: int) -> Handle:
        """Starts a command in a slot, counted from 0."""

    def close(self) -> None:  # noqa: B027
        """Ends what `open` began."""


@final
class Local(Engine):
    """Processes of this machine.

    Args:
        slots: jobs at a time; they share the cores, unless OMP_NUM_THREADS says otherwise.
        start: `fork` shares the imports of all jobs; `fresh` starts an interpreter for each.
        devices: GPUs; slot i sees only the i-th one, counted around. None shows all to every job.
    """

    def __init__(
        self, *, slots: Count = 1, start: Literal["fork", "fresh"] = "fork", devices: Sequence[int] | None = None
    ) -> None:
        super().__init__(slots=slots)
        self.devices = devices
        self._start = fork if start == "fork" else spawn

    def start(self, command: Command, slot: int) -> Child:
        """Starts a process."""
        environment = dict(command.environment)
        if self.slots > 1 and "OMP_NUM_THREADS" not in os.environ:
            environment["OMP_NUM_THREADS"] = str(max(1, len(os.sched_getaffinity(0)) // self.slots))
        if self.devices:
            environment["CUDA_VISIBLE_DEVICES"] = str(self.devices[slot % len(self.devices)])
        return self._start(replace(command, environment=environment))


@final
class Submitit(Engine):
    """Jobs of a SLURM cluster, through submitit.

    A job that SLURM preempts, or that reaches `timeout_min`, is queued again and continues from its checkpoint. What a
    sweep that died has left in the queue is cancelled when the sweep goes on: its jobs are queued anew.

    Args:
        slots: jobs in the queue at a time.
        cluster: `local` runs submitit's jobs as processes of this machine.
        parameters: of submitit's `AutoExecutor.update_parameters`.

    Raises:
        UserError: submitit is not installed, or it does not know a parameter.
    """

    def __init__(
        self,
        *,
        slots: Count = 16,
        cluster: Literal["slurm", "local"] = "slurm",
        parameters: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(slots=slots)
        self.submitit = needed("submitit", "slurm")
        self.cluster = cluster
        self.parameters = {"timeout_min": 24 * 60, "name": "freqgan"} | dict(parameters or {})
        self._executor: Any = None

    def open(self, folder: Path) -> None:
        """Makes the executor; its files go to `submitit/` in the sweep's folder."""
        try:
            self._executor = self.submitit.AutoExecutor(folder / "submitit", cluster=self.cluster)
            name = f"{self.parameters['name']}-{hashlib.sha256(str(folder.absolute()).encode()).hexdigest()[:8]}"
            self._executor.update_parameters(**self.parameters | {"name": name})
            if self.cluster == "slurm":  # the sweep's folder is held, so that these jobs are nobody else's
                cancel = ["scancel", f"--user={getpass.getuser()}", f"--name={name}"]
                subprocess.run(cancel, check=False, capture_output=True, timeout=60)
        except REFUSALS as error:
            why = " ".join(str(error).split()) or type(error).__name__
            raise UserError(
                f"sweep.engine: submitit refuses cluster={self.cluster} or its parameters ({why})"
            ) from error

    def start(self, command: Command, slot: int) -> Handle:
        """Puts a job in the queue."""
        return _Queued(self._executor.submit(_Requeued(), command))


@final
class _Requeued:
    """A command as submitit queues it again after a preemption: not before it has written its checkpoint."""

    def __call__(self, command: Command) -> int:
        self.child = spawn(command)
        try:
            return wait(self.child)
        finally:
            self._stop()

    def checkpoint(self, command: Command) -> Any:
        self._stop()
        return import_module("submitit").helpers.DelayedSubmission(_Requeued(), command)

    def _stop(self) -> None:
        self.child.stop()
        wait(self.child)


@final
class _Queued(Handle):
    """A job in submitit's hands."""

    def __init__(self, job: Any) -> None:
        self.job = job
        self._asked = False

    def poll(self) -> int | None:
        if not self.job.done():
            return None
        try:
            return int(self.job.result())
        except Exception:
            return KILLED  # it left no result

    def stop(self) -> None:
        if not self._asked:
            self._asked = True
            self.job.cancel(check=False)

    def kill(self) -> None:
        self.job.cancel(check=False)


@final
class Ray(Engine):
    """Tasks of a Ray cluster.

    Args:
        slots: jobs at a time.
        address: of the cluster, `auto` for the one that this machine belongs to; None starts one here.
        cpus: that a job takes.
        gpus: that a job takes.

    Raises:
        UserError: ray is not installed, or there is no such cluster.
    """

    def __init__(
        self, *, slots: Count = 16, address: str | None = None, cpus: Positive = 1.0, gpus: NonNegative = 0.0
    ) -> None:
        super().__init__(slots=slots)
        self.ray = needed("ray", "ray")
        self.address, self.cpus, self.gpus = address, cpus, gpus
        self._task: Any = None

    def open(self, folder: Path) -> None:
        """Joins the cluster, or starts one."""
        own = {} if self.address else {"include_dashboard": False}
        try:
            self.ray.init(self.address, log_to_driver=False, logging_level="ERROR", **own)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise UserError(f"sweep.engine.address={self.address}: there is no such Ray cluster ({error})") from error
        self._task = self.ray.remote(num_cpus=self.cpus, num_gpus=self.gpus, max_retries=0)(execute)

    def start(self, command: Command, slot: int) -> Handle:
        """Submits a task."""
        return _Task(self.ray, self._task.remote(command))

    def close(self) -> None:
        """Leaves the cluster; one that was started here ends."""
        self.ray.shutdown()


@final
class _Task(Handle):
    """A task in Ray's hands."""

    def __init__(self, ray: Any, reference: Any) -> None:
        self.ray, self.reference = ray, reference
        self._asked = False

    def poll(self) -> int | None:
        if not self.ray.wait([self.reference], timeout=0)[0]:
            return None
        try:
            return int(self.ray.get(self.reference))
        except Exception:
            return STOPPED if self._asked else KILLED

    def stop(self) -> None:
        if not self._asked:
            self._asked = True
            self.ray.cancel(self.reference, force=False)

    def kill(self) -> None:
        self.ray.cancel(self.reference, force=True)


def needed(package: str, extra: str) -> Any:
    """A package that an extra installs.

    Raises:
        UserError: it is not installed.
    """
    try:
        return import_module(package)
    except ModuleNotFoundError as error:
        if error.name != package:
            raise
        raise UserError(f"{package} is not installed: pip install 'freqgan[{extra}]'") from error
