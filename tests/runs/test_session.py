"""Who writes to a run: one process, as its choice found it; those beside rank zero write nothing."""

from pathlib import Path

import pytest
import torch

from freqgan.errors import StorageError, UserError
from freqgan.runs import Choice, RunDirectory, choose, write_checkpoint
from freqgan.runs.resume import choose_own
from freqgan.runs.session import session, told, told_by_rank_zero


@pytest.fixture
def second(monkeypatch: pytest.MonkeyPatch) -> None:
    """This is not the process that writes."""
    monkeypatch.setenv("LOCAL_RANK", "1")


@pytest.mark.usefixtures("second")
def test_a_machine_that_does_not_share_the_directory_is_told_so(tmp_path: Path) -> None:
    with (
        pytest.raises(StorageError, match=r"is not there on this machine: set paths\.output_dir to a folder that all"),
        session(RunDirectory(tmp_path / "elsewhere"), Choice()),
    ):
        pass


@pytest.mark.usefixtures("second")
def test_the_others_write_nothing(tmp_path: Path) -> None:
    with session(RunDirectory(tmp_path), Choice()):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("second")
def test_what_rank_zero_reports_the_others_do_not() -> None:
    with pytest.raises(SystemExit) as ended, told_by_rank_zero():
        raise UserError("a mistake")
    assert ended.value.code == 2


def test_rank_zero_reports_it() -> None:
    with pytest.raises(UserError, match="a mistake"), told_by_rank_zero():
        raise UserError("a mistake")


@pytest.mark.usefixtures("second")
def test_a_process_that_nobody_knows_is_told_what_to_use() -> None:
    with pytest.raises(UserError, match=r"LOCAL_RANK=1 says .* use torchrun or srun"):
        told()


@pytest.mark.fault("logging", "second process in one run directory")
def test_a_run_that_another_process_went_on_with_is_not_gone_back_in(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path)
    run.write_record(status="killed", started="2026-01-01T00:00:00+0000")
    content = {"state_dict": {"w": torch.zeros(3)}, "ema": {}, "clock": {"images_seen": 8}}
    write_checkpoint(run.path / "checkpoints" / "images_8.ckpt", content)
    ours, theirs = (choose(tmp_path, "auto") for _ in range(2))
    with session(run, theirs):
        pass
    record = run.record
    with pytest.raises(UserError, match="was started by another process meanwhile: give this command again"):
        session(run, ours).__enter__()
    assert run.record == record
    with session(run, choose(tmp_path, str(run.path))):
        pass


def test_a_run_that_died_before_its_first_checkpoint_may_be_begun_again(tmp_path: Path) -> None:
    run = RunDirectory.at(tmp_path / "own")
    for _ in range(2):
        with session(run, choose_own(run.path, "auto")):
            run.write_record(status="running")
