import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any

import pytest
import torch
import yaml
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment

from freqgan import hardware as module
from freqgan.errors import UserError
from freqgan.hardware import Hardware, keep_freed_memory
from freqgan.systems.parallel import UnwrappedDDP

CONF = Path(__file__).parents[1] / "conf" / "hardware"
TORCHRUN = {"TORCHELASTIC_RUN_ID": "1", "GROUP_WORLD_SIZE": "2", "WORLD_SIZE": "8", "RANK": "5"}
SRUN = {
    "SLURM_STEP_NUM_TASKS": "8",
    "SLURM_STEP_NUM_NODES": "2",
    "SLURM_PROCID": "5",
    "SLURM_STEP_NODELIST": "n[1-2]",
    "SLURM_STEP_ID": "0",
    "SLURM_JOB_ID": "1",
    "SLURM_CPUS_PER_TASK": "6",
}
DERIVED = ("SLURM_NTASKS", "SLURM_NNODES", "SLURM_NTASKS_PER_NODE", "MASTER_ADDR", "MASTER_PORT")
LAST, FIRST = torch.channels_last, torch.contiguous_format


def machine(
    monkeypatch: pytest.MonkeyPatch,
    *,
    gpus: int = 0,
    gpu_units: bool = False,
    cpu_units: bool = False,
    cores: int = 8,
    launcher: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """A machine of these facts."""

    def is_bf16_supported(including_emulation: bool = True) -> bool:
        return gpu_units or including_emulation

    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", is_bf16_supported)
    monkeypatch.setattr(module, "cpu_is_fast_in_bf16", lambda: cpu_units)
    monkeypatch.setattr(module.os, "sched_getaffinity", lambda _: set(range(cores)))
    for name in ("OMP_NUM_THREADS", "CUBLAS_WORKSPACE_CONFIG", *TORCHRUN, *SRUN, *DERIVED):
        monkeypatch.setenv(name, "")  # so that it is put back whatever a test does
        monkeypatch.delenv(name)
    for name, value in launcher.items():
        monkeypatch.setenv(name, value)


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
        ({"devices": 3}, "3", 3),  # for each process
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


def test_processes_on_gpus_share_the_cores_too(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, gpus=4)
    asked: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", asked.append)
    Hardware().apply()
    assert asked == [2]


def test_tasks_of_srun_have_the_cores_that_it_gave_them(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", asked.append)
    for launcher in (SRUN, SRUN | {"SLURM_STEP_NUM_TASKS": "1", "SLURM_STEP_NUM_NODES": "1"}):
        machine(monkeypatch, launcher=launcher)
        several = launcher is SRUN
        Hardware(accelerator="cpu", devices=4, num_nodes=2 if several else 1).apply()
    assert asked == [6, 2]  # one task that starts four processes itself shares what it has


def test_lightning_leaves_the_threads_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    from lightning_fabric.utilities.distributed import _set_num_threads_if_needed

    machine(monkeypatch)
    asked: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", asked.append)
    Hardware(devices=2, threads=3).apply()
    _set_num_threads_if_needed(num_processes=2)
    assert asked == [3]


def test_determinism_is_set_and_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch)
    monkeypatch.setattr(torch, "set_num_threads", lambda _: None)
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", False)
    try:
        Hardware(accelerator="cpu", deterministic=True).apply()
        assert torch.are_deterministic_algorithms_enabled()
        assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
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


@pytest.mark.parametrize(("keep", "told"), [(True, [(-3, 2**30), (-1, 2**30)]), (False, [(-3, 2**20)])])
def test_freed_memory_is_kept_for_steps_and_returned_for_pictures(
    keep: bool, told: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[tuple[int, int]] = []
    library = SimpleNamespace(mallopt=lambda *given: heard.append(given))
    monkeypatch.setattr(module.ctypes, "CDLL", lambda _: library)
    Hardware(accelerator="cpu", threads=1).apply(keep_memory=keep)
    assert heard == told


def test_a_gpu_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch)
    with pytest.raises(UserError, match=r"hardware.accelerator=gpu, but this machine has no GPU .* use hardware=cpu"):
        Hardware(accelerator="gpu")


def test_more_gpus_than_there_are_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, gpus=2)
    Hardware(devices=2)
    Hardware(accelerator="cpu", devices=4)
    with pytest.raises(UserError, match=r"hardware\.devices=4 is 4 GPUs .* sees 2: set hardware\.devices=2"):
        Hardware(devices=4)


@pytest.mark.parametrize("launcher", [TORCHRUN, SRUN], ids=["torchrun", "srun"])
def test_several_machines_are_counted_by_what_the_launcher_started(
    monkeypatch: pytest.MonkeyPatch, launcher: dict[str, str]
) -> None:
    machine(monkeypatch, gpus=4, launcher=launcher)
    for settings in (
        {"num_nodes": "auto"},
        {"num_nodes": 2, "devices": 4},
        {"num_nodes": "auto", "accelerator": "cpu"},
    ):
        arguments = Hardware(**settings, strategy="ddp").trainer_arguments()
        assert (arguments["num_nodes"], arguments["devices"]) == (2, 4)


@pytest.mark.parametrize(
    ("launcher", "settings", "line"),
    [
        ({}, {"num_nodes": 2}, "hardware.num_nodes=2 means processes on several machines, and neither torchrun nor"),
        ({}, {"num_nodes": "auto"}, "hardware.num_nodes=auto means processes on several machines"),
        (
            TORCHRUN,
            {"devices": 2, "num_nodes": 2},
            "torchrun started 8 processes (machines: 2), and hardware has 4 (machines: 2)",
        ),
        (SRUN, {"devices": 1}, "has 1 (machines: 1): set hardware.devices=4 and hardware.num_nodes=2"),
        (SRUN | {"SLURM_STEP_NUM_TASKS": "3"}, {"num_nodes": "auto"}, "start equally many on each"),
    ],
)
def test_devices_that_nobody_started_are_refused_in_one_line(
    monkeypatch: pytest.MonkeyPatch, launcher: dict[str, str], settings: Any, line: str
) -> None:
    machine(monkeypatch, launcher=launcher)
    with pytest.raises(UserError) as error:
        Hardware(accelerator="cpu", **settings)
    (only,) = error.value.lines
    assert line in only


def test_a_process_that_sees_its_own_gpu_alone_is_told_why(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, gpus=1, launcher=SRUN)
    with pytest.raises(UserError, match=r"is 4 GPUs per machine, but this process sees 1: .* without --gpus-per-task"):
        Hardware(num_nodes="auto")


@pytest.mark.parametrize("path", sorted(CONF.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_config_makes_arguments_for_the_trainer(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    launcher = TORCHRUN if path.stem == "multi_node" else {}
    machine(monkeypatch, gpus=4, gpu_units=True, cpu_units=True, launcher=launcher)
    settings = yaml.safe_load(path.read_text())
    assert settings.pop("_target_") == "freqgan.hardware.Hardware"
    hardware = Hardware(**settings)
    arguments = hardware.trainer_arguments()
    strategy = arguments.pop("strategy")
    (environment,) = arguments.pop("plugins")
    assert type(environment) is (TorchElasticEnvironment if launcher else LightningEnvironment)
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
