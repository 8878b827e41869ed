from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import yaml

from freqgan import hardware as module
from freqgan.errors import UserError
from freqgan.hardware import Hardware, keep_freed_memory
from freqgan.systems.parallel import UnwrappedDDP

CONF = Path(__file__).parents[1] / "conf" / "hardware"
LAST, FIRST = torch.channels_last, torch.contiguous_format


def machine(
    monkeypatch: pytest.MonkeyPatch, *, gpus: int = 0, gpu_units: bool = False, cpu_units: bool = False, cores: int = 8
) -> None:
    """A machine of these facts."""

    def is_bf16_supported(including_emulation: bool = True) -> bool:
        return gpu_units or including_emulation

    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", is_bf16_supported)
    monkeypatch.setattr(module, "cpu_is_fast_in_bf16", lambda: cpu_units)
    monkeypatch.setattr(module.os, "sched_getaffinity", lambda _: set(range(cores)))
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)


@pytest.mark.parametrize(
    ("facts", "settings", "expected"),
    [
        ({}, {}, ("cpu", 1, "32-true", FIRST)),
        ({"cpu_units": True}, {}, ("cpu", 1, "bf16-mixed", LAST)),
        ({"cpu_units": True}, {"precision": "float32"}, ("cpu", 1, "32-true", FIRST)),
        ({"cpu_units": True}, {"memory_format": "contiguous"}, ("cpu", 1, "bf16-mixed", FIRST)),
        ({}, {"precision": "bf16"}, ("cpu", 1, "bf16-mixed", LAST)),
        ({}, {"memory_format": "channels_last"}, ("cpu", 1, "32-true", LAST)),
        ({"gpus": 1, "gpu_units": True}, {}, ("gpu", 1, "bf16-mixed", LAST)),
        ({"gpus": 1, "cpu_units": True}, {}, ("gpu", 1, "32-true", LAST)),  # an older GPU only emulates bf16
        ({"gpus": 4, "gpu_units": True}, {}, ("gpu", 4, "bf16-mixed", LAST)),
        ({"gpus": 4, "gpu_units": True}, {"devices": 2}, ("gpu", 2, "bf16-mixed", LAST)),
        ({"gpus": 4, "gpu_units": True}, {"accelerator": "cpu"}, ("cpu", 1, "32-true", FIRST)),
        ({"gpus": 1}, {"accelerator": "gpu", "precision": "bf16"}, ("gpu", 1, "bf16-mixed", LAST)),
    ],
)
def test_auto_takes_what_the_machine_is_fast_at(
    monkeypatch: pytest.MonkeyPatch, facts: Any, settings: Any, expected: Any
) -> None:
    machine(monkeypatch, **facts)
    hardware = Hardware(**settings)
    arguments = hardware.trainer_arguments()
    assert (arguments["accelerator"], arguments["devices"], arguments["precision"], hardware.layout) == expected


@pytest.mark.parametrize(
    ("settings", "environment", "threads"),
    [
        ({}, None, 8),
        ({}, "3", 3),
        ({}, "0", 8),
        ({}, "2,1", 8),
        ({"threads": 5}, "3", 5),
        ({"devices": 2}, None, 4),
        ({"devices": 3}, "3", 1),
        ({"devices": 16}, None, 1),
    ],
)
def test_threads(monkeypatch: pytest.MonkeyPatch, settings: Any, environment: str | None, threads: int) -> None:
    machine(monkeypatch)
    if environment is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", environment)
    asked: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", asked.append)
    Hardware(**settings).apply()
    assert asked == [threads]


def test_processes_on_gpus_do_not_share_the_cores_out(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, gpus=4)
    asked: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", asked.append)
    Hardware().apply()
    assert asked == [8]


def test_determinism_is_set_and_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "set_num_threads", lambda _: None)
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", False)
    try:
        Hardware(accelerator="cpu", deterministic=True).apply()
        assert torch.are_deterministic_algorithms_enabled()
        assert not torch.backends.cudnn.benchmark
    finally:
        Hardware(accelerator="cpu").apply()
    assert not torch.are_deterministic_algorithms_enabled()
    assert torch.backends.cudnn.benchmark


def test_a_c_library_without_the_allocators_switches_is_let_be(monkeypatch: pytest.MonkeyPatch) -> None:
    keep_freed_memory()
    monkeypatch.setattr(module.ctypes, "CDLL", lambda _: SimpleNamespace())
    keep_freed_memory()

    def refuse(_: Any) -> None:
        raise OSError("no such library")

    monkeypatch.setattr(module.ctypes, "CDLL", refuse)
    keep_freed_memory()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"accelerator": "gpu"}, "hardware.accelerator=gpu, but this machine has no GPU .* use hardware=cpu"),
        ({"devices": 0}, "hardware.devices=0 must be at least 1: set hardware.devices=auto"),
        ({"devices": -1}, "hardware.devices=-1 must be at least 1"),
        ({"num_nodes": 0}, "hardware.num_nodes=0 must be at least 1: set hardware.num_nodes=1"),
        ({"threads": 0}, "hardware.threads=0 must be at least 1: set hardware.threads=null"),
        ({"threads": -2}, "hardware.threads=-2 must be at least 1"),
        ({"timeout_minutes": 0.0}, "hardware.timeout_minutes=0.0 must be greater than 0"),
    ],
)
def test_what_cannot_be_is_refused(monkeypatch: pytest.MonkeyPatch, settings: Any, message: str) -> None:
    machine(monkeypatch)
    with pytest.raises(UserError, match=message):
        Hardware(**settings)


def test_more_gpus_than_there_are_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, gpus=2)
    Hardware(devices=2)
    Hardware(accelerator="cpu", devices=4)
    with pytest.raises(UserError, match=r"hardware\.devices=4, but this machine has 2: set hardware\.devices=2"):
        Hardware(devices=4)


@pytest.mark.parametrize("path", sorted(CONF.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_config_makes_arguments_for_the_trainer(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    machine(monkeypatch, gpus=4, gpu_units=True, cpu_units=True)
    settings = yaml.safe_load(path.read_text())
    assert settings.pop("_target_") == "freqgan.hardware.Hardware"
    hardware = Hardware(**settings)
    arguments = hardware.trainer_arguments()
    strategy = arguments.pop("strategy")
    accelerator, devices, num_nodes, parallel = {
        "auto": ("gpu", 4, 1, True),
        "cpu": ("cpu", 1, 1, False),
        "cpu_ddp": ("cpu", 2, 1, True),
        "gpu": ("gpu", 1, 1, False),
        "multi_gpu": ("gpu", 4, 1, True),
        "multi_node": ("gpu", 4, 2, True),
    }[path.stem]
    assert arguments == {
        "accelerator": accelerator,
        "devices": devices,
        "num_nodes": num_nodes,
        "precision": "bf16-mixed",
    }
    if parallel:
        assert isinstance(strategy, UnwrappedDDP)
        assert strategy.process_group_backend == ("nccl" if accelerator == "gpu" else "gloo")
        assert strategy._timeout.total_seconds() == 60 * hardware.timeout_minutes
    else:
        assert strategy == "auto"


@pytest.mark.parametrize(
    ("amx", "facts", "fast"),
    [
        (True, "", True),
        (False, "vendor_id: AuthenticAMD\nflags: avx512_bf16", True),
        (False, "vendor_id: GenuineIntel\nflags: avx512_bf16", False),
        (False, "vendor_id: AuthenticAMD\nflags: avx2", False),
    ],
)
def test_bf16_is_for_the_processors_that_are_fast_in_it(
    monkeypatch: pytest.MonkeyPatch, amx: bool, facts: str, fast: bool
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    monkeypatch.setattr(Path, "read_text", lambda self: facts)
    assert module.cpu_is_fast_in_bf16() is fast
