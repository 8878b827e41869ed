"""What the processes beside rank zero do with a run."""

from pathlib import Path

import pytest

from freqgan.errors import StorageError, UserError
from freqgan.runs import Choice, RunDirectory
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
