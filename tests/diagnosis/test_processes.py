import os
import time
from typing import Any

import pytest
import torch
import torch.distributed as dist

from freqgan.diagnosis import processes


def test_two_processes_form_a_group_within_seconds() -> None:
    begun = time.monotonic()
    (row,) = processes.gloo()
    assert row.status == "ok", row
    assert time.monotonic() - begun < 5


def test_a_group_that_cannot_be_formed_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: Any, **options: Any) -> None:
        raise RuntimeError("could not resolve the name of this machine")

    monkeypatch.setattr(dist, "init_process_group", refuse)
    (row,) = processes.gloo()
    assert row.status == "note"
    assert row.fact.endswith("RuntimeError: could not resolve the name of this machine")
    assert "GLOO_SOCKET_IFNAME" in row.remedy


def test_a_wrong_sum_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dist, "all_reduce", lambda tensor: None)
    (row,) = processes.gloo()
    assert (row.status, row.fact[-10:-1]) == ("note", "2 gave 1.") or row.fact.endswith("2 gave 2.0")


def test_a_group_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dist, "init_process_group", lambda *arguments, **options: time.sleep(60))
    monkeypatch.setattr(processes, "SECONDS", 0.3)
    begun = time.monotonic()
    (row,) = processes.gloo()
    assert time.monotonic() - begun < 5
    assert row.fact.endswith("no answer within 0.3 s")


def test_a_member_that_dies_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dist, "init_process_group", lambda *arguments, **options: os._exit(9))
    (row,) = processes.gloo()
    assert row.fact.endswith("one of them died")


def test_a_pytorch_without_gloo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dist, "is_gloo_available", lambda: False)
    (row,) = processes.gloo()
    assert row.status == "note"


@pytest.mark.parametrize(
    ("gpus", "there", "status", "fact"),
    [
        (0, False, "ok", "not needed with no GPU on this machine"),
        (1, False, "ok", "not needed with one GPU on this machine"),
        (2, True, "ok", "2.30.7 for 2 GPUs"),
        (2, False, "note", "is not in this PyTorch, 2 GPUs cannot share a run"),
    ],
)
def test_nccl(gpus: int, there: bool, status: str, fact: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    monkeypatch.setattr(torch.cuda.nccl, "version", lambda: (2, 30, 7))
    monkeypatch.setattr(dist, "is_nccl_available", lambda: there)
    (row,) = processes.nccl()
    assert (row.status, row.fact) == (status, fact)
