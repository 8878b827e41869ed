import io
import locale
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from freqgan.diagnosis import environment
from freqgan.diagnosis.row import Row


def only(rows: Iterator[Row]) -> Row:
    (row,) = rows
    return row


@pytest.mark.parametrize(
    ("limits", "status", "remedy"),
    [
        ((1024, 4096), "ok", ""),
        ((-1, -1), "ok", ""),
        ((256, 4096), "note", "ulimit -n 1024, or set data.num_workers=0"),
        ((256, 512), "note", "ulimit -n 512, or set data.num_workers=0"),
        ((256, 256), "note", "set data.num_workers=0"),
        ((256, -1), "note", "ulimit -n 1024, or set data.num_workers=0"),
    ],
)
def test_open_files(limits: tuple[int, int], status: str, remedy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda which: limits)
    row = only(environment.open_files())
    assert (row.status, row.remedy) == (status, remedy)


def test_a_clock_that_is_right(tmp_path: Path) -> None:
    assert only(environment.clock(str(tmp_path))).status == "ok"
    assert list(tmp_path.iterdir()) == []


def test_a_clock_from_before_the_installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 3600.0)
    row = only(environment.clock(str(tmp_path)))
    assert (row.status, row.fact[:4]) == ("note", "1970")
    assert "timedatectl" in row.remedy


@pytest.mark.parametrize(("ahead", "side"), [(60.0, "behind"), (-60.0, "ahead of")])
def test_a_disk_with_another_clock(ahead: float, side: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + ahead)
    row = only(environment.clock(str(tmp_path)))
    assert (row.status, f"is 60 s {side} it" in row.fact) == ("note", True)


def test_a_folder_that_cannot_be_written_is_not_the_clocks_matter(tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    assert only(environment.clock(str(tmp_path / "taken"))).status == "ok"


def test_a_terminal_and_files_without_utf8(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="UTF-8"))
    monkeypatch.setattr(locale, "getencoding", lambda: "UTF-8")
    assert only(environment.character_set()) == Row("character set", "ok", "UTF-8")
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="iso8859-1"))
    monkeypatch.setattr(locale, "getencoding", lambda: "ISO-8859-1")
    row = only(environment.character_set())
    assert (row.status, row.remedy) == ("note", "export LC_ALL=C.UTF-8 PYTHONUTF8=1")
    assert row.fact.startswith("output in iso8859-1, files in ISO-8859-1:")
