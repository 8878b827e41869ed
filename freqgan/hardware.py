"""Everything that depends on the machine: devices, processes, precision, memory layout, threads.

`auto` is settled here once, from what the machine has. The shipped choices are measurements, not beliefs: in bf16 and
channels-last layout a step takes half of float32's time on CPUs with matrix units (AMX), and 0.6 of it on AMD's Zen 5;
on an Intel CPU with AVX-512 bf16 instructions alone it takes 1.2 times as long, and 2 to 3 times where emulated.
"""

import ctypes
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, final

import torch

from freqgan.errors import UserError
from freqgan.launcher import launch
from freqgan.limits import Count, Positive

log = logging.getLogger(__name__)

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
KEPT_BYTES = 2**30
RETURNED_BYTES = 2**20


@final
@dataclass(frozen=True, kw_only=True)
class Hardware:
    """Where and how a run computes.

    Args:
        accelerator: `auto` takes a GPU where there is one.
        devices: per machine, a process each; `auto` takes what torchrun or srun started, else all GPUs, else one CPU.
        num_nodes: machines; torchrun or srun starts the processes on more than one, and `auto` counts them.
        strategy: `auto` is one process for one device and `ddp` for more.
        precision: of the training step; weights stay float32. `auto` is bf16 where that is the faster one.
        memory_format: of networks and images; `auto` is channels_last with bf16 and on GPUs, contiguous otherwise.
        threads: per process; null takes OMP_NUM_THREADS, else the cores that srun gave each task, else its share of
            the cores there are.
        compile: compiles the networks; the first step takes minutes.
        deterministic: refuses operations whose result depends on timing.
        timeout_minutes: after which a process gives up waiting for the others.

    Raises:
        UserError: the machine lacks such devices, or the launcher started others.
    """

    accelerator: Literal["auto", "cpu", "gpu"] = "auto"
    devices: Count | Literal["auto"] = "auto"
    num_nodes: Count | Literal["auto"] = 1
    strategy: Literal["auto", "ddp"] = "auto"
    precision: Literal["auto", "float32", "bf16"] = "auto"
    memory_format: Literal["auto", "channels_last", "contiguous"] = "auto"
    threads: Count | None = None
    compile: bool = False
    deterministic: bool = False
    timeout_minutes: Positive = 30.0

    def __post_init__(self) -> None:
        if lines := list(self._problems()):
            raise UserError(*lines)

    def _problems(self) -> Iterator[str]:
        if self.accelerator == "gpu" and not torch.cuda.is_available():
            yield "hardware.accelerator=gpu, but this machine has no GPU that PyTorch sees: use hardware=cpu"
        elif self.on_gpu and self.processes > (there := torch.cuda.device_count()):
            yield (
                f"hardware.devices={self.devices} is {self.processes} GPUs per machine, but this process sees {there}: "
                f"set hardware.devices={there}, or start srun without --gpus-per-task"
            )
        yield from self._launch_problems()

    def _launch_problems(self) -> Iterator[str]:
        started = launch()
        if started is None and self.num_nodes != 1:
            yield (
                f"hardware.num_nodes={self.num_nodes} means processes on several machines, and neither torchrun nor "
                "srun started this one: start the command with one of them, or choose hardware=multi_gpu"
            )
        elif started is not None and self.processes * self.nodes != started.world:
            per_node, rest = divmod(started.world, started.nodes)
            fix = f"set hardware.devices={per_node} and hardware.num_nodes={started.nodes}"
            yield (
                f"{started.by} started {started.world} processes (machines: {started.nodes}), and hardware has "
                f"{self.processes * self.nodes} (machines: {self.nodes}): "
                + ("start equally many on each" if rest else fix)
            )

    @property
    def on_gpu(self) -> bool:
        """Whether the run computes on GPUs."""
        return self.accelerator == "gpu" or (self.accelerator == "auto" and torch.cuda.is_available())

    @property
    def processes(self) -> int:
        """Processes on this machine."""
        if isinstance(self.devices, int):
            return self.devices
        if (started := launch()) is not None:
            return started.world // started.nodes
        return torch.cuda.device_count() if self.on_gpu else 1

    @property
    def nodes(self) -> int:
        """Machines."""
        if isinstance(self.num_nodes, int):
            return self.num_nodes
        started = launch()
        return 1 if started is None else started.nodes

    @property
    def bf16(self) -> bool:
        """Whether the training step runs in bf16."""
        if self.precision != "auto":
            return self.precision == "bf16"
        if self.on_gpu:
            return bool(torch.cuda.is_bf16_supported(including_emulation=False))
        return cpu_is_fast_in_bf16()

    @property
    def layout(self) -> torch.memory_format:
        """Memory format of networks and images."""
        last = self.memory_format == "channels_last" or (self.memory_format == "auto" and (self.bf16 or self.on_gpu))
        return torch.channels_last if last else torch.contiguous_format

    @property
    def facts(self) -> dict[str, Any]:
        """What was settled here: device, processes in all, precision, layout, and whether networks are compiled."""
        return {
            "device": "gpu" if self.on_gpu else "cpu",
            "processes": self.processes * self.nodes,
            "precision": "bf16" if self.bf16 else "float32",
            "memory_format": str(self.layout).removeprefix("torch.").removesuffix("_format"),
            "compiled": self.compile,
        }

    def apply(self, *, keep_memory: bool = True) -> None:
        """Sets threads, the allocator and determinism for this process.

        Args:
            keep_memory: freed memory is kept for what comes next, which makes steps fast; else memory is bounded by
                what is in use.
        """
        threads = self.threads or _threads_of_a_process(self.processes)
        torch.set_num_threads(threads)
        os.environ.setdefault("OMP_NUM_THREADS", str(threads))  # else Lightning sets a number of its own
        if self.deterministic:
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it cuBLAS refuses
        torch.use_deterministic_algorithms(self.deterministic)
        torch.backends.cudnn.benchmark = not self.deterministic
        if keep_memory:
            keep_freed_memory()
        else:
            return_freed_memory()

    def meet(self) -> None:
        """Joins the processes that torchrun or srun started, before anything is decided."""
        from freqgan.systems import parallel

        if self._is_parallel:
            parallel.meet(self._backend, self._timeout)

    def trainer_arguments(self, *plugins: Any) -> dict[str, Any]:
        """Arguments of Lightning's Trainer.

        Args:
            *plugins: of the caller's own.
        """
        from freqgan.systems import parallel

        ddp = parallel.UnwrappedDDP(process_group_backend=self._backend, timeout=self._timeout)
        return {
            "accelerator": "gpu" if self.on_gpu else "cpu",
            "devices": self.processes,
            "num_nodes": self.nodes,
            "strategy": ddp if self._is_parallel else "auto",
            "precision": "bf16-mixed" if self.bf16 else "32-true",
            "plugins": [parallel.environment(), *plugins],
        }

    @property
    def _is_parallel(self) -> bool:
        return self.strategy == "ddp" or self.processes * self.nodes > 1

    @property
    def _backend(self) -> str:
        return "nccl" if self.on_gpu else "gloo"

    @property
    def _timeout(self) -> timedelta:
        return timedelta(minutes=self.timeout_minutes)


def cpu_is_fast_in_bf16() -> bool:
    """Whether a step in bf16 is the faster one: with AMX, and with AVX-512's bf16 instructions on AMD."""
    if torch.cpu._is_amx_tile_supported():
        return True
    try:
        facts = Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
    return "AuthenticAMD" in facts and "avx512_bf16" in facts


def keep_freed_memory() -> None:
    """Lets glibc keep large blocks: returning them to the system costs page faults at every step."""
    _tell_glibc(M_MMAP_THRESHOLD, KEPT_BYTES)
    _tell_glibc(M_TRIM_THRESHOLD, KEPT_BYTES)


def return_freed_memory() -> None:
    """Has glibc return large blocks: where their sizes vary, those it keeps add up to twice what is in use."""
    _tell_glibc(M_MMAP_THRESHOLD, RETURNED_BYTES)


def _tell_glibc(parameter: int, value: int) -> None:
    try:
        ctypes.CDLL(None).mallopt(parameter, value)
    except (OSError, AttributeError):
        return


def _threads_of_a_process(processes: int) -> int:
    """What the environment grants each process, or its share of the cores: spinning on another's costs tenfold."""
    started = launch()
    names = ("OMP_NUM_THREADS", *(["SLURM_CPUS_PER_TASK"] if started is not None and started.by == "srun" else []))
    for granted in (os.environ.get(name, "") for name in names):
        if granted.isdigit() and int(granted) > 0:
            return int(granted)
    return max(1, len(os.sched_getaffinity(0)) // processes)
