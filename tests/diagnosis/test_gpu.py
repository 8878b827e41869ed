import subprocess
import warnings
from collections.abc import Callable
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from freqgan.diagnosis import gpu

GIB = 2**30
Driver = Callable[..., None]


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Driver:
    """What nvidia-smi says; without words there is no such program."""

    def say(*lines: str) -> None:
        def run(*arguments: Any, **options: Any) -> Any:
            if not lines:
                raise FileNotFoundError("nvidia-smi")
            return SimpleNamespace(stdout="\n".join(lines) + "\n")

        monkeypatch.setattr(subprocess, "run", run)

    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    say()
    return say


def test_without_a_gpu_runs_use_the_processor(driver: Driver) -> None:
    (row,) = gpu.gpus()
    assert (row.status, row.fact) == ("ok", "none; runs use the processor")


def test_every_gpu_has_a_row(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    driver("A100, 580.65", "A100, 580.65")
    memory = {0: (70 * GIB, 80 * GIB), 1: (10 * GIB, 80 * GIB)}
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "device", nullcontext)
    monkeypatch.setattr(torch.cuda, "mem_get_info", memory.get)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: True)
    facts = SimpleNamespace(name="A100", major=8, minor=0)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda number: facts)
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    machine, first, second = gpu.gpus()
    assert (machine.status, machine.fact) == ("ok", "2; PyTorch is made for CUDA 13.0, driver 580.65")
    assert (first.status, first.fact) == ("ok", "A100, 70.0 GiB free of 80.0, capability 8.0, with bf16")
    assert (second.name, second.status) == ("GPU 1", "note")


def test_a_gpu_that_pytorch_cannot_use(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    def is_available() -> bool:
        warnings.warn("CUDA initialization: the NVIDIA driver is too old\nmore", stacklevel=1)
        return False

    driver("A100, 470.1")
    monkeypatch.setattr(torch.cuda, "is_available", is_available)
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    (row,) = gpu.gpus()
    assert row.status == "note"
    assert row.fact == (
        "the driver has A100, 470.1, but PyTorch, made for CUDA 13.0, uses none "
        "(CUDA initialization: the NVIDIA driver is too old)"
    )
    assert "newer driver" in row.remedy


def test_a_gpu_that_is_hidden(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    driver("A100, 580.65")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    (row,) = gpu.gpus()
    assert (row.status, row.remedy) == ("note", "unset CUDA_VISIBLE_DEVICES to use them")


def test_a_driver_that_does_not_answer_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*arguments: Any, timeout: float, **options: Any) -> Any:
        raise subprocess.TimeoutExpired("nvidia-smi", timeout)

    monkeypatch.setattr(subprocess, "run", run)
    assert gpu.of_the_driver() == []
