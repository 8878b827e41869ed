"""Everything that depends on the machine: devices, processes, precision, memory layout, threads.

`auto` is settled here once, from what the machine has. The shipped choices are measurements, not beliefs: on CPUs with
bf16 units, bf16 in channels-last layout is the fastest setting for convolutions; elsewhere float32 is.
"""

import ctypes
import logging
import os
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, final

import torch

from freqgan.errors import UserError

log = logging.getLogger(__name__)

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
KEPT_BYTES = 2**30


@final
@dataclass(frozen=True, kw_only=True)
class Hardware:
    """Where and how a run computes.

    Args:
        accelerator: `auto` takes a GPU where there is one.
        devices: per node; `auto` takes one on CPU and all GPUs otherwise.
        num_nodes: machines; started by torchrun or SLURM.
        strategy: `auto` is one process for one device and `ddp` for more.
        precision: of the training step; weights stay float32. `auto` is bf16 where the device has units for it.
        memory_format: of networks and images; `auto` is channels_last with bf16 and on GPUs, contiguous otherwise.
        threads: per process; null takes OMP_NUM_THREADS or else the cores that this process may use.
        compile: compiles the networks; the first step takes minutes.
        deterministic: refuses operations whose result depends on timing.
        timeout_minutes: after which a process gives up waiting for the others.
    """

    accelerator: Literal["auto", "cpu", "gpu"] = "auto"
    devices: int | Literal["auto"] = "auto"
    num_nodes: int = 1
    strategy: Literal["auto", "ddp"] = "auto"
    precision: Literal["auto", "float32", "bf16"] = "auto"
    memory_format: Literal["auto", "channels_last", "contiguous"] = "auto"
    threads: int | None = None
    compile: bool = False
    deterministic: bool = False
    timeout_minutes: float = 30.0

    def __post_init__(self) -> None:
        if self.accelerator == "gpu" and not torch.cuda.is_available():
            raise UserError("hardware.accelerator=gpu, but this machine has no GPU that PyTorch sees: use hardware=cpu")
        if isinstance(self.devices, int) and self.devices < 1:
            raise UserError(f"hardware.devices={self.devices} must be at least 1, or auto")

    @property
    def on_gpu(self) -> bool:
        """Whether the run computes on GPUs."""
        return self.accelerator == "gpu" or (self.accelerator == "auto" and torch.cuda.is_available())

    @property
    def processes(self) -> int:
        """Processes on this machine."""
        if isinstance(self.devices, int):
            return self.devices
        return torch.cuda.device_count() if self.on_gpu else 1

    @property
    def bf16(self) -> bool:
        """Whether the training step runs in bf16."""
        if self.precision != "auto":
            return self.precision == "bf16"
        return torch.cuda.is_bf16_supported() if self.on_gpu else bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())

    @property
    def layout(self) -> torch.memory_format:
        """Memory format of networks and images."""
        last = self.memory_format == "channels_last" or (self.memory_format == "auto" and (self.bf16 or self.on_gpu))
        return torch.channels_last if last else torch.contiguous_format

    def apply(self) -> None:
        """Sets threads, the allocator and determinism for this process."""
        torch.set_num_threads(self.threads or _threads_available() // (1 if self.on_gpu else self.processes) or 1)
        torch.use_deterministic_algorithms(self.deterministic)
        torch.backends.cudnn.benchmark = not self.deterministic
        keep_freed_memory()

    def trainer_arguments(self) -> dict[str, Any]:
        """Arguments of Lightning's Trainer."""
        return {
            "accelerator": "gpu" if self.on_gpu else "cpu",
            "devices": self.processes,
            "num_nodes": self.num_nodes,
            "strategy": self._strategy(),
            "precision": "bf16-mixed" if self.bf16 else "32-true",
        }

    def _strategy(self) -> Any:
        if self.strategy == "auto" and self.processes * self.num_nodes == 1:
            return "auto"
        from freqgan.systems.parallel import UnwrappedDDP

        backend = "nccl" if self.on_gpu else "gloo"
        return UnwrappedDDP(process_group_backend=backend, timeout=timedelta(minutes=self.timeout_minutes))


def keep_freed_memory() -> None:
    """Lets glibc keep large blocks: returning them to the system costs page faults at every step."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return
    mallopt(M_MMAP_THRESHOLD, KEPT_BYTES)
    mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)


def _threads_available() -> int:
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return int(asked) if asked.isdigit() and int(asked) > 0 else len(os.sched_getaffinity(0))
