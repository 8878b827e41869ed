"""Who started this process and how many others: torchrun, srun, or nobody but its user; the environment tells."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, final


@final
@dataclass(frozen=True)
class Launch:
    """Processes that a launcher started together.

    Attributes:
        by: the launcher.
        nodes: machines.
        world: processes on all of them.
        rank: number of this one, from 0.
    """

    by: Literal["torchrun", "srun"]
    nodes: int
    world: int
    rank: int


def launch(environment: Mapping[str, str] = os.environ) -> Launch | None:
    """What torchrun or srun started; None for a process by itself, or one that Lightning started.

    Only a step of several tasks counts as srun's: inside a batch script, an interactive job or a task of a sweep, a
    command starts its processes itself. torchrun counts first, as srun may start one on each machine.
    """
    if "TORCHELASTIC_RUN_ID" in environment:
        nodes, world, rank = (int(environment[name]) for name in ("GROUP_WORLD_SIZE", "WORLD_SIZE", "RANK"))
        return Launch("torchrun", nodes, world, rank)
    if int(environment.get("SLURM_STEP_NUM_TASKS", "1")) > 1:
        names = ("SLURM_STEP_NUM_NODES", "SLURM_STEP_NUM_TASKS", "SLURM_PROCID")
        return Launch("srun", *(int(environment[name]) for name in names))
    return None


def is_rank_zero() -> bool:
    """Whether this process is the one that writes."""
    started = launch()
    return os.environ.get("LOCAL_RANK", "0") == "0" if started is None else started.rank == 0
