"""The environment of each launcher, as torchrun and srun set it, and what Lightning makes of it."""

import os

import pytest
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment

from freqgan.launcher import Launch, is_rank_zero, launch
from freqgan.systems.parallel import environment

TORCHRUN = {
    "TORCHELASTIC_RUN_ID": "1",
    "GROUP_WORLD_SIZE": "2",
    "WORLD_SIZE": "8",
    "LOCAL_WORLD_SIZE": "4",
    "RANK": "4",
    "LOCAL_RANK": "0",
}
JOB = {"SLURM_JOB_ID": "4711", "SLURM_NTASKS": "8", "SLURM_NODELIST": "n[1-4]", "SLURM_PROCID": "0"}
STEP = JOB | {
    "SLURM_STEP_ID": "2",
    "SLURM_STEP_NUM_TASKS": "4",
    "SLURM_STEP_NUM_NODES": "2",
    "SLURM_STEP_NODELIST": "n[3-4]",
    "SLURM_NTASKS_PER_NODE": "8",
    "SLURM_PROCID": "3",
    "SLURM_LOCALID": "1",
    "SLURM_NODEID": "1",
}


@pytest.fixture
def started_by(monkeypatch: pytest.MonkeyPatch):
    """Sets the environment of a launcher, and puts everything back."""
    for name in {*TORCHRUN, *STEP, "MASTER_ADDR", "MASTER_PORT", "SLURM_NNODES"}:
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    return lambda variables: [monkeypatch.setenv(name, value) for name, value in variables.items()]


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, None),
        ({"LOCAL_RANK": "1"}, None),  # Lightning started it
        (TORCHRUN, Launch("torchrun", nodes=2, world=8, rank=4)),
        (STEP, Launch("srun", nodes=2, world=4, rank=3)),
        (JOB, None),  # the batch script itself
        (STEP | {"SLURM_STEP_NUM_TASKS": "1"}, None),  # a shell, or one job of a sweep
        (STEP | TORCHRUN, Launch("torchrun", nodes=2, world=8, rank=4)),  # srun started torchrun on each machine
    ],
)
def test_who_started_this_process(variables: dict[str, str], expected: Launch | None) -> None:
    assert launch(variables) == expected


@pytest.mark.parametrize(
    ("variables", "first"),
    [
        ({}, True),
        ({"LOCAL_RANK": "1"}, False),
        (TORCHRUN, False),  # first of its machine, not of all
        (STEP, False),
        (STEP | {"SLURM_PROCID": "0"}, True),
        (JOB | {"LOCAL_RANK": "1"}, False),
        (TORCHRUN | {"RANK": "0", "SLURM_PROCID": "1"}, True),  # torchrun numbers the machines in an order of its own
    ],
)
def test_one_process_writes(variables: dict[str, str], first: bool, started_by) -> None:
    started_by(variables)
    assert is_rank_zero() is first


def test_lightning_learns_of_the_step_and_not_of_the_job(started_by) -> None:
    started_by(STEP)
    place = environment()
    assert isinstance(place, SLURMEnvironment)
    assert (place.world_size(), place.global_rank(), place.local_rank(), place.node_rank()) == (4, 3, 1, 1)
    place.validate_settings(num_devices=2, num_nodes=2)
    assert place.main_address == "n3"
    port = place.main_port
    assert 15000 <= port < 30000
    started_by(STEP | {"SLURM_STEP_ID": "3"})
    del os.environ["MASTER_PORT"]
    assert environment().main_port != port


def test_a_batch_script_starts_its_processes_itself(started_by) -> None:
    started_by(JOB)
    assert type(environment()) is LightningEnvironment
