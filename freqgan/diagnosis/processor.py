"""Processor and memory: what they can do, what `hardware=auto` makes of it, how much of them this process may use."""

import os
import platform
from collections.abc import Iterator
from pathlib import Path

from freqgan.diagnosis.cgroup import limits
from freqgan.diagnosis.row import Row, note, ok

GIB = 2**30
FEATURES = {"amx_bf16": "AMX", "avx512_bf16": "AVX-512 bf16", "avx512f": "AVX-512", "avx2": "AVX2", "bf16": "bf16"}
LITTLE_MEMORY = 2 * GIB  # a default training takes 1.3
LITTLE_SHARED = GIB // 4  # containers have 64 MiB unless told otherwise


def facts(cpuinfo: Path = Path("/proc/cpuinfo")) -> tuple[str, set[str]]:
    """Name and instruction sets of the processor, as far as the kernel tells."""
    try:
        lines = cpuinfo.read_text().splitlines()
    except OSError:
        lines = []
    words = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    return words.get("model name") or platform.machine(), set((words.get("flags") or words.get("Features", "")).split())


def processor() -> Iterator[Row]:
    """Which one, with the instructions that matter for training."""
    name, flags = facts()
    units = [unit for flag, unit in FEATURES.items() if flag in flags]
    yield ok("processor", f"{name}, with {', '.join(units) or 'no vector instructions that are known here'}")


def precision() -> Iterator[Row]:
    """What `hardware=auto` takes, and why."""
    from freqgan.hardware import Hardware

    hardware = Hardware()
    name = "bf16" if hardware.bf16 else "float32"
    if hardware.on_gpu:
        why = "the GPU has bf16 units" if hardware.bf16 else "the GPU has no bf16 units"
        yield ok("precision", f"hardware=auto takes {name}: {why}")
        return
    _, flags = facts()
    if hardware.bf16:
        why = "AMX has matrix units for it" if "amx_bf16" in flags else "AVX-512 on AMD is faster in it"
    elif "amx_bf16" in flags:
        fact = f"hardware=auto takes {name}: the processor has AMX, which this system does not let PyTorch use"
        yield note("precision", fact, "use Linux 5.16 or newer, outside a sandbox that hides AMX")
        return
    else:
        why = "AVX-512 bf16 without AMX is no faster" if "avx512_bf16" in flags else "bf16 would have to be emulated"
    yield ok("precision", f"hardware=auto takes {name}: {why}")


def usable_cores() -> float:
    """Cores that this process may use: of its affinity, and of the processor time its container has."""
    cores = len(os.sched_getaffinity(0))
    return min(cores, limits().cpus or cores)


def cores() -> Iterator[Row]:
    """Those this process may use against those there are."""
    there, allowed, usable = os.cpu_count() or 1, len(os.sched_getaffinity(0)), usable_cores()
    if usable < allowed:
        fact = f"the container has the time of {usable:g} cores, but sees {allowed}: as many threads would wait"
        threads = max(int(usable), 1)
        yield note("cores", fact, f"export OMP_NUM_THREADS={threads}, or set hardware.threads={threads}")
    else:
        yield ok("cores", f"{allowed} usable of {there}")


def threads() -> Iterator[Row]:
    """OMP_NUM_THREADS against the usable cores."""
    asked, usable = os.environ.get("OMP_NUM_THREADS", ""), max(int(usable_cores()), 1)
    if not asked:
        yield ok("threads", "OMP_NUM_THREADS is not set: a run takes hardware.threads, or else every core it sees")
    elif not asked.isdigit() or int(asked) < 1:
        yield note("threads", f"OMP_NUM_THREADS={asked} is no count, and ignored", f"export OMP_NUM_THREADS={usable}")
    elif int(asked) > usable:
        fact = f"OMP_NUM_THREADS={asked} is more than the {usable} usable cores: threads that wait slow each other down"
        yield note("threads", fact, f"export OMP_NUM_THREADS={usable}")
    else:
        yield ok("threads", f"OMP_NUM_THREADS={asked}")


def memory() -> Iterator[Row]:
    """What is available to this process."""
    words = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    total, free = (int(words[name].split()[0]) * 1024 for name in ("MemTotal", "MemAvailable"))
    allowed = limits()
    container = ""
    if allowed.memory is not None and allowed.memory < total:
        free = min(free, allowed.memory - allowed.used)
        container = f"; the container may use {allowed.memory / GIB:.1f}"
    fact = f"{free / GIB:.1f} GiB available of {total / GIB:.1f}{container}"
    if free < LITTLE_MEMORY:
        yield note("memory", f"{fact}; a default run takes 1.3", "end other programs, or set a smaller data.batch_size")
    else:
        yield ok("memory", fact)


def shared_memory(folder: Path = Path("/dev/shm")) -> Iterator[Row]:
    """Where loader workers leave their batches."""
    if not folder.is_dir():
        yield note("shared memory", f"there is no {folder}", "set data.num_workers=0")
        return
    space = os.statvfs(folder)
    free = space.f_bavail * space.f_frsize
    if free < LITTLE_SHARED:
        fact = f"{free / 2**20:.0f} MiB in {folder}: loader workers may die of a bus error"
        yield note("shared memory", fact, "docker run --shm-size=1g, or set data.num_workers=0")
    else:
        yield ok("shared memory", f"{free / GIB:.1f} GiB in {folder}, for loader workers")
