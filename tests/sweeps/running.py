"""Sweeps of the smallest model, and what they leave."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from freqgan import cli
from freqgan.runs import RunDirectory
from freqgan.sweeps import Ledger, Row
from tests.forked import TINY

ROOT = Path(__file__).parents[2]
SHORT = ["transform=identity", "budget.images=16", "samples.every_images=1000", "checkpoint.every_images=4"]
FAULT = "callbacks.fault._target_=tests.sweeps.faults.Fault"


def arguments(folder: Path, *extra: str, verb: str = "train") -> list[str]:
    """A command with its runs in `folder`."""
    paths = [f"paths.output_dir={folder}", f"paths.cache_dir={folder / 'cache'}", "name=tiny", "sweep.name=it"]
    return [verb, "-m", *TINY, *SHORT, *paths, *extra]


def sweep(folder: Path, *extra: str, verb: str = "train") -> int:
    """Runs a sweep in this process; its jobs are forks of a server that all sweeps of this process share."""
    return cli.main(arguments(folder, *extra, verb=verb))


def driver(folder: Path, *extra: str, **options: Any) -> subprocess.Popen[str]:
    """Starts a sweep in a process of its own, with a fork server of its own."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "freqgan.cli", *arguments(folder, *extra)]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen(command, env=environment, **(streams | options))


def ledger(folder: Path) -> list[Row]:
    """All rows of the only sweep in a folder."""
    return Ledger(folder / "tiny" / "it" / "ledger.jsonl").rows()


def last(folder: Path) -> dict[str, Row]:
    """The last row of every job, by what it says of itself on the command line."""
    return {" ".join(row.overrides): row for row in ledger(folder)}


def run_of(folder: Path, row: Row) -> RunDirectory:
    return RunDirectory(folder / "tiny" / "it" / row.key)
