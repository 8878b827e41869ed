"""`freqgan doctor`: what runs need of this machine, and what to do about what is missing."""

import json
import sys
from collections.abc import Iterable
from dataclasses import asdict
from io import TextIOWrapper

from omegaconf import DictConfig
from rich.table import Table
from rich.text import Text

from freqgan import config
from freqgan.diagnosis import Check, Row, checks, examine
from freqgan.errors import FreqganError
from freqgan.terminal import table_console

Found = Iterable[tuple[Check, list[Row]]]

STYLES = {"ok": "green", "note": "yellow", "broken": "bold red"}
STATUS_WIDTH, NAME_WIDTH = 8, 18


def main(cfg: DictConfig) -> None:
    """Prints a row for everything that was looked at.

    Raises:
        FreqganError: something is broken that every run needs.
    """
    settings = config.resolve(cfg)
    paths = settings["paths"]
    found = examine(checks(output_dir=paths["output_dir"], cache_dir=paths["cache_dir"]))
    rows = as_json(found) if settings["format"] == "json" else as_text(found)
    if broken := [row.name for row in rows if row.status == "broken"]:
        raise FreqganError(f"{len(broken)} of {len(rows)} broken: {', '.join(broken)}")


def as_json(found: Found) -> list[Row]:
    """Writes one document once all is known: whether runs work here, and every row with its area."""
    rows = [(check.area, row) for check, several in found for row in several]
    document = {
        "ok": all(row.status != "broken" for _, row in rows),
        "rows": [{"area": area} | asdict(row) for area, row in rows],
    }
    sys.stdout.write(json.dumps(document, indent=2) + "\n")
    return [row for _, row in rows]


def as_text(found: Found) -> list[Row]:
    """Prints each row as soon as it is known, below the heading of its area, and counts them at the end."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal without UTF-8 is a finding, no reason to stop
    console = table_console()
    rows: list[Row] = []
    area = ""
    for check, several in found:
        if check.area != area:
            area = check.area
            console.print(Text(area, style="bold"))
        for row in several:
            console.print(line(row))
        rows += several
    if all(row.status != "broken" for row in rows):
        notes = sum(row.status == "note" for row in rows)
        console.print("runs work here" + (f"; rows with a note: {notes} of {len(rows)}" if notes else ""))
    return rows


def line(row: Row) -> Table:
    """Status, name, and the fact with its remedy, folded in a column of its own."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(width=STATUS_WIDTH)
    grid.add_column(width=NAME_WIDTH, overflow="fold")
    grid.add_column(overflow="fold")
    said = Text(row.fact)
    if row.remedy:
        said.append(" -> ", style="bold").append(row.remedy, style="cyan")
    grid.add_row(Text("  " + row.status, style=STYLES[row.status]), Text(row.name), said)
    return grid
