"""Data parallelism for two players: the model is not wrapped, gradients are averaged by hand, once per player.

Plain DistributedDataParallel refuses a step in which one player's parameters get no gradient, and its switch for
unused parameters lets buffers drift. Averaging one flattened tensor before clipping is ten lines and exact.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import final

import torch
import torch.distributed as dist
from lightning_fabric.plugins.environments.cluster_environment import ClusterEnvironment
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from pytorch_lightning.strategies import DDPStrategy
from torch import Tensor, nn

from freqgan.launcher import Launch, launch
from freqgan.ops.global_batch import world_size


@final
class UnwrappedDDP(DDPStrategy):
    """Lightning's process groups and launchers without its wrapper around the model."""

    def configure_ddp(self) -> None:
        """Broadcasts rank zero's weights and buffers once, in place of the wrapper."""
        assert self.lightning_module is not None
        broadcast(self.lightning_module.state_dict().values())


def meet(backend: str, timeout: timedelta) -> None:
    """Meets the processes that torchrun or srun started beside this one; Lightning's own meet in training.

    Args:
        backend: gloo between CPUs, nccl between GPUs.
        timeout: after which a process gives up waiting for the others.
    """
    if launch() is None or dist.is_initialized():
        return
    place = environment()
    if backend == "nccl":
        torch.cuda.set_device(place.local_rank())
    os.environ["MASTER_ADDR"], os.environ["MASTER_PORT"] = place.main_address, str(place.main_port)
    dist.init_process_group(backend, timeout=timeout, rank=place.global_rank(), world_size=place.world_size())


def environment() -> ClusterEnvironment:
    """Where Lightning learns which process this one is; its own guess takes every batch script for a step of srun."""
    started = launch()
    if started is None:
        return LightningEnvironment()
    if started.by == "torchrun":
        return TorchElasticEnvironment()
    _describe_step(started)
    # What a signal means is this package's own matter: a checkpoint, and exit status 143.
    return SLURMEnvironment(auto_requeue=False)


def _describe_step(step: Launch) -> None:
    """Lightning reads what is said of the whole job: a step may be smaller, and is not alone on its port."""
    nodes = os.environ["SLURM_STEP_NODELIST"]
    port = 15000 + (31 * int(os.environ["SLURM_JOB_ID"]) + int(os.environ["SLURM_STEP_ID"])) % 15000
    os.environ["SLURM_NTASKS"] = str(step.world)
    os.environ["SLURM_NNODES"] = str(step.nodes)
    os.environ["SLURM_NTASKS_PER_NODE"] = str(step.world // step.nodes)
    os.environ.setdefault("MASTER_ADDR", SLURMEnvironment.resolve_root_node_address(nodes))
    os.environ.setdefault("MASTER_PORT", str(port))


def broadcast(tensors: Iterable[Tensor]) -> None:
    """Gives every process rank zero's values."""
    if world_size() > 1:
        for tensor in tensors:
            dist.broadcast(tensor, src=0)


def average_gradients(parameters: Sequence[nn.Parameter]) -> None:
    """Replaces every gradient by its mean over processes, in one all-reduce."""
    if world_size() == 1:
        return
    gradients = [p.grad for p in parameters if p.grad is not None]
    flat = torch.cat([g.reshape(-1) for g in gradients])
    dist.all_reduce(flat)
    flat /= world_size()
    for gradient, part in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
        gradient.copy_(part.view_as(gradient))


def averaged(values: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Means over processes of scalars that every process has under the same names."""
    if world_size() == 1 or not values:
        return dict(values)
    flat = torch.stack(list(values.values()))
    dist.all_reduce(flat)
    return dict(zip(values, (flat / world_size()).unbind(), strict=True))


def greatest(value: int) -> int:
    """The greatest value of all processes, on every process."""
    if world_size() == 1:
        return value
    box = torch.tensor(value, device="cuda" if dist.get_backend() == "nccl" else "cpu")
    dist.all_reduce(box, dist.ReduceOp.MAX)
    return int(box)


def agree(value: int | None) -> int | None:
    """Rank zero's value, on every process."""
    if world_size() == 1:
        return value
    box = [value]
    dist.broadcast_object_list(box, src=0)
    return box[0]
