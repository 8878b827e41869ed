"""`freqgan train -m`: many runs, each in a process of its own, and one table of what became of them."""

import os
import textwrap
from pathlib import Path

from rich.table import Column, Table

from freqgan import config
from freqgan.config.sweeping import SweepCommand
from freqgan.errors import UserError
from freqgan.runs.directory import RunDirectory, last_metric
from freqgan.sweeps.driver import Driver
from freqgan.sweeps.ledger import STANDING, WELL, Row
from freqgan.terminal import table_console

SHOWN = 100  # characters of a reason


def main(command: SweepCommand) -> int:
    """Runs what is missing of a sweep; returns 1 if a job failed, now or earlier."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise UserError(
            "a sweep starts its own processes: start it without torchrun, with hardware=cpu_ddp for its jobs"
        )
    engine, search = (config.build(command.settings[part]) for part in ("engine", "search"))
    driver = Driver(command, engine, search)
    rows = driver.run()
    console = table_console()
    console.print(table(driver.folder, rows))
    failed = [row for row in rows if row.state not in WELL]
    if failed:
        numbers = ", ".join(str(row.number) for row in failed)
        console.print(f"{len(failed)} of {len(rows)} jobs failed: {numbers}; logs are in {driver.folder / 'logs'}")
    if any(row.state in STANDING for row in failed):
        console.print("what diverged or was refused is a result: sweep.retry=all runs it again")
    if verdict := search.verdict():
        console.print(verdict, soft_wrap=True)
    console.print(f"compare them with: freqgan compare {driver.folder}", soft_wrap=True)
    return 1 if failed else 0


def table(folder: Path, rows: list[Row]) -> Table:
    """A line per job: what was swept, its state, its cost, its last metric or why it failed."""
    found = Table(Column("job", justify="right"), "swept", "state", "images", "minutes", "metric", "run or reason")
    for row in rows:
        run = RunDirectory(folder / row.key)
        metric, value = last_metric(run)
        record = run.record
        found.add_row(
            str(row.number),
            " ".join(row.overrides),
            row.state,
            str(record.get("images_seen", "")),
            f"{float(record.get('seconds', 0.0)) / 60:.1f}" if record else "",
            f"{metric} {value}".strip(),
            textwrap.shorten(row.line, SHOWN, placeholder=" …") or str(run.path),
        )
    return found
