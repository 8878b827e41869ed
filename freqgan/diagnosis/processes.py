"""Several processes: whether two of them can form a group here, as runs on several devices do."""

import socket
import time
from collections.abc import Iterator
from datetime import timedelta
from multiprocessing.connection import Connection

from freqgan.diagnosis.row import Row, note, ok
from freqgan.diagnosis.supervision import PROCESSES, in_one_line

SECONDS = 10.0
REMEDY = "export GLOO_SOCKET_IFNAME=lo, or use one process: hardware=cpu"


def gloo() -> Iterator[Row]:
    """Two processes on this machine form a group and add their ranks."""
    import torch.distributed as dist

    if not dist.is_available() or not dist.is_gloo_available():
        yield note("gloo", "PyTorch was built without it: runs have one process", "pip install --force-reinstall torch")
        return
    begun = time.monotonic()
    said = _pair()
    if said:
        yield note("gloo", f"two processes cannot form a group: {said}", REMEDY)
    else:
        yield ok("gloo", f"two processes formed a group and added up in {time.monotonic() - begun:.1f} s")


def _pair() -> str:
    """What kept two processes from adding their ranks; empty if nothing."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    pipes = [PROCESSES.Pipe(duplex=False) for _ in range(2)]
    members = [PROCESSES.Process(target=_member, args=(rank, port, pipes[rank][1])) for rank in range(2)]
    for member in members:
        member.start()
    for _, sender in pipes:
        sender.close()
    try:
        deadline = time.monotonic() + SECONDS
        for receiver, _ in pipes:
            if not receiver.poll(max(deadline - time.monotonic(), 0.0)):
                return f"no answer within {SECONDS:g} s"
            if said := _answer(receiver):
                return said
        return ""
    finally:
        for member in members:
            member.kill()
            member.join()


def _answer(receiver: Connection) -> str:
    try:
        return str(receiver.recv())
    except EOFError:
        return "one of them died"


def _member(rank: int, port: int, sender: Connection) -> None:
    import torch
    import torch.distributed as dist

    try:
        address, limit = f"tcp://127.0.0.1:{port}", timedelta(seconds=SECONDS)
        dist.init_process_group("gloo", init_method=address, rank=rank, world_size=2, timeout=limit)
        total = torch.tensor([rank + 1.0])
        dist.all_reduce(total)
        sender.send("" if total.item() == 3.0 else f"1 + 2 gave {total.item()}")
    except Exception as error:
        sender.send(in_one_line(error))


def nccl() -> Iterator[Row]:
    """What GPUs would talk through."""
    import torch
    import torch.distributed as dist

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if count < 2:
        yield ok("NCCL", f"not needed with {'one' if count else 'no'} GPU on this machine")
    elif dist.is_available() and dist.is_nccl_available():
        yield ok("NCCL", f"{'.'.join(map(str, torch.cuda.nccl.version()))} for {count} GPUs")
    else:
        yield note("NCCL", f"is not in this PyTorch, {count} GPUs cannot share a run", "use hardware=gpu, one GPU")
