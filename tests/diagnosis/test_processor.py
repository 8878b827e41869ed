import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from freqgan import hardware
from freqgan.diagnosis import processor
from freqgan.diagnosis.cgroup import Limits
from freqgan.diagnosis.row import Row

GIB = 2**30


def only(rows: Iterator[Row]) -> Row:
    (row,) = rows
    return row


@pytest.fixture
def allowed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Eight cores, of which a container may allow less."""
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)))

    def allow(cpus: float | None = None, memory: int | None = None, used: int = 0) -> None:
        monkeypatch.setattr(processor, "limits", lambda: Limits(cpus, memory, used))

    allow()
    return allow


def test_facts_of_the_kernel(tmp_path: Path) -> None:
    file = tmp_path / "cpuinfo"
    file.write_text("processor\t: 0\nmodel name\t: Xeon: Gold\nflags\t\t: avx2 amx_bf16\n\nprocessor\t: 1\n")
    assert processor.facts(file) == ("Xeon: Gold", {"avx2", "amx_bf16"})
    file.write_text("processor : 0\nFeatures : fp asimd bf16\n")
    assert processor.facts(file)[1] == {"fp", "asimd", "bf16"}
    assert processor.facts(tmp_path / "none")[1] == set()


def test_the_processor_is_named_with_its_units(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processor, "facts", lambda: ("Xeon", {"avx2", "amx_bf16"}))
    assert only(processor.processor()).fact == "Xeon, with AMX, AVX2"
    monkeypatch.setattr(processor, "facts", lambda: ("old", set()))
    assert only(processor.processor()).status == "ok"


@pytest.mark.parametrize(
    ("flags", "fast", "status", "fact"),
    [
        ({"amx_bf16"}, True, "ok", "bf16: AMX has matrix units for it"),
        ({"avx512_bf16"}, True, "ok", "bf16: AVX-512 on AMD is faster in it"),
        ({"amx_bf16"}, False, "note", "float32: the processor has AMX, which this system does not let PyTorch use"),
        ({"avx512_bf16"}, False, "ok", "float32: AVX-512 bf16 without AMX is no faster"),
        (set(), False, "ok", "float32: bf16 would have to be emulated"),
    ],
)
def test_precision_and_why(
    flags: set[str], fast: bool, status: str, fact: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processor, "facts", lambda: ("Xeon", flags))
    monkeypatch.setattr(hardware, "cpu_is_fast_in_bf16", lambda: fast)
    row = only(processor.precision())
    assert (row.status, row.fact) == (status, f"hardware=auto takes {fact}")
    assert bool(row.remedy) == (status == "note")


@pytest.mark.parametrize(("supported", "taken"), [(True, "bf16"), (False, "float32")])
def test_precision_on_a_gpu(supported: bool, taken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: supported)
    assert only(processor.precision()).fact.startswith(f"hardware=auto takes {taken}: the GPU has")


def test_a_container_with_less_time_than_cores_is_noted(allowed: Callable[..., None]) -> None:
    assert only(processor.cores()) == Row("cores", "ok", "8 usable of 8")
    allowed(cpus=2.5)
    row = only(processor.cores())
    assert (row.status, row.remedy) == ("note", "export OMP_NUM_THREADS=2, or set hardware.threads=2")
    assert "the time of 2.5 cores, but sees 8" in row.fact
    allowed(cpus=0.5)
    assert "OMP_NUM_THREADS=1" in only(processor.cores()).remedy
    allowed(cpus=16)
    assert only(processor.cores()).status == "ok"


@pytest.mark.parametrize(
    ("asked", "status"), [(None, "ok"), ("1", "ok"), ("8", "ok"), ("9", "note"), ("many", "note"), ("0", "note")]
)
def test_more_threads_than_cores_are_noted(
    asked: str | None, status: str, allowed: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if asked is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", asked)
    row = only(processor.threads())
    assert (row.status, row.remedy) == (status, "export OMP_NUM_THREADS=8" if status == "note" else "")
    allowed(cpus=1)
    assert (only(processor.threads()).status == "note") == (asked not in (None, "1"))


def test_memory_is_what_the_container_leaves(allowed: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    said = f"MemTotal: {16 * 2**20} kB\nMemFree: 1 kB\nMemAvailable: {8 * 2**20} kB\n"
    monkeypatch.setattr(Path, "read_text", lambda self: said)
    assert only(processor.memory()) == Row("memory", "ok", "8.0 GiB available of 16.0")
    allowed(memory=4 * GIB, used=GIB)
    assert only(processor.memory()).fact == "3.0 GiB available of 16.0; the container may use 4.0"
    allowed(memory=4 * GIB, used=3 * GIB)
    row = only(processor.memory())
    assert row.status == "note"
    assert "data.batch_size" in row.remedy


def test_little_shared_memory_is_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "statvfs", lambda path: SimpleNamespace(f_bavail=64, f_frsize=2**20))
    row = only(processor.shared_memory(tmp_path))
    assert (row.status, row.remedy) == ("note", "docker run --shm-size=1g, or set data.num_workers=0")
    monkeypatch.setattr(os, "statvfs", lambda path: SimpleNamespace(f_bavail=2048, f_frsize=2**20))
    assert only(processor.shared_memory(tmp_path)).status == "ok"
    assert only(processor.shared_memory(tmp_path / "none")).status == "note"
