import io
import logging
import sys
from pathlib import Path

import pytest
from rich.table import Table

from freqgan.errors import UserError
from freqgan.terminal import WIDEST, LogFile, log_to, table_console


def test_what_is_written_is_what_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.StringIO()
    monkeypatch.setattr(sys, "stdout", written)
    table = Table("swept", "run")
    long = "a" * 500
    table.add_row("tags=[first] [bold]x[/]", long)
    console = table_console()
    console.print(table)
    console.print("data.x=[a]")
    assert console.width == WIDEST
    assert "tags=[first] [bold]x[/]" in written.getvalue()
    assert long in written.getvalue()
    assert "data.x=[a]" in written.getvalue()


@pytest.mark.fault("logging", "full disk")
def test_a_log_that_cannot_be_opened_says_so_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "train.log").mkdir()
    with log_to(LogFile(tmp_path / "train.log")):
        for _ in range(2):
            logging.getLogger("freqgan.x").info("words")
    assert capsys.readouterr().err.count("train.log could not be written") == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no device that is always full")
@pytest.mark.fault("logging", "full disk")
def test_a_log_that_is_full_hides_no_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "train.log").symlink_to("/dev/full")

    def fail() -> None:
        with log_to(LogFile(tmp_path / "train.log")):
            logging.getLogger("freqgan.x").info("words")
            raise UserError("the news")

    with pytest.raises(UserError, match="the news"):
        fail()
    assert capsys.readouterr().err.count("train.log could not be written") == 1
