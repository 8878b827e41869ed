import io
import sys

import pytest
from rich.table import Table

from freqgan.terminal import WIDEST, table_console


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
