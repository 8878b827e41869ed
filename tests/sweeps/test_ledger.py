import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from freqgan.errors import StorageError
from freqgan.sweeps import Ledger, Row

ROW = Row("abc", 1, ("seed=1", "tags=[a, b]"), "failed", 3, "why", 2, 1.5, "2026-01-31T12:00:00+0000")


def test_rows_come_back_as_they_were(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.jsonl")
    assert ledger.rows() == []
    rows = [ROW, replace(ROW, state="running"), Row("d", 2, (), "waiting")]
    for row in rows:
        ledger.write(row)
    assert ledger.rows() == rows
    written = json.loads((tmp_path / "ledger.jsonl").read_text().splitlines()[0])
    assert written == {
        **{"key": "abc", "number": 1, "overrides": ["seed=1", "tags=[a, b]"], "state": "failed", "exit_status": 3},
        **{"line": "why", "attempt": 2, "seconds": 1.5, "time": "2026-01-31T12:00:00+0000"},
    }


def test_rows_of_another_version_are_read_as_far_as_they_go(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    least = {"key": "a", "number": 1, "overrides": ["x=1"], "state": "finished"}
    path.write_text(json.dumps(least | {"later": 1}) + "\n" + json.dumps({"key": "b"}) + '\n{"key": "torn')
    Ledger(path).write(ROW)
    first, second = Ledger(path).rows()
    assert (first.key, first.overrides, first.attempt, second) == ("a", ("x=1",), 0, ROW)


@pytest.mark.parametrize("damage", [{"overrides": None}, {"overrides": [1]}, {"number": "x"}, {"state": ["failed"]}])
def test_rows_that_are_none_are_left_out(tmp_path: Path, damage: dict[str, Any]) -> None:
    path = tmp_path / "ledger.jsonl"
    least = {"key": "a", "number": 1, "overrides": ["x=1"], "state": "finished"}
    path.write_text(json.dumps(least | damage) + "\n")
    Ledger(path).write(ROW)
    assert Ledger(path).rows() == [ROW]


def test_a_ledger_that_cannot_be_written_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"ledger\.jsonl could not be written"):
        Ledger(tmp_path / "gone" / "ledger.jsonl").write(ROW)
